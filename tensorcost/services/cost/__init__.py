"""Use cases over summed cost: summary, breakdowns, time series."""

"""Summed cost: summary, breakdowns, time series."""

"""Re-ratings at rest: their runs and previews, the rows they look at, the prices they replace."""

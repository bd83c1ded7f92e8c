"""Reads over the rollups: sums of what counts and of what stands beside, never of raw events."""

"""Reconciliations at rest: what goes into one, the versions of its result, and reads of them."""

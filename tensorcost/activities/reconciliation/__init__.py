"""Reconciliation composed: what goes in, the pure rules, what is written and told of it."""

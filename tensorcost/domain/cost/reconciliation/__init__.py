"""Reconciliation of attributed spend with the bill: pure rules (decisions 1 to 5)."""

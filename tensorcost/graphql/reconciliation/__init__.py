"""Reconciliation with the bill: months, versions, the ledger, coverage."""

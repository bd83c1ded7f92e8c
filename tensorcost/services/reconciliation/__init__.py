"""Use cases over the reconciliation with the bill: months, the ledger, coverage, a run now."""

"""Connections, their accounts, runs, findings and quarantine."""

"""Tenants, their members, settings and creation."""

"""The caller, the tenant and its members."""

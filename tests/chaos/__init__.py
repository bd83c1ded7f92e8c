"""The product disturbed on purpose: what is killed comes back, and every total is the same."""

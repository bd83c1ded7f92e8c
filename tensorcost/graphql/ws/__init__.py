"""Subscriptions over graphql-transport-ws, executed once for all who ask the same."""

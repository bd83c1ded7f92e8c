"""Rate limits: one primitive for REST, GraphQL, gRPC, event streams and upstream pulls (A8)."""

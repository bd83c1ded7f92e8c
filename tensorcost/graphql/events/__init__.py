"""Live events over graphql-transport-ws."""

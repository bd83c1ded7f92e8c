"""cloud-sim: one HTTP server that answers as AWS does, where it matters to a reader of bills."""

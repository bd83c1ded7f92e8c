"""The demo's story: one organisation, its applications, its traffic and its bill."""

"""The whole product as a person meets it: commands, processes, addresses."""

"""What tests share: servers and databases of the run."""

"""``tensorcost …``: data on standard output, talk on standard error, exit codes 0, 1 and 2."""

from tensorcost.cli.main import main

__all__ = ["main"]

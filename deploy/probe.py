#!/usr/bin/env python3
"""Exit with 0 if an HTTP address answers with a success: slim images have no curl."""

import sys
import urllib.error
import urllib.request

TIMEOUT_SECONDS = 4


def main(arguments: list[str]) -> int:
    """Probe the one address given; 2 when there is not exactly one."""
    if len(arguments) != 1:
        sys.stderr.write("usage: probe URL\n")
        return 2
    try:
        with urllib.request.urlopen(arguments[0], timeout=TIMEOUT_SECONDS):  # noqa: S310 - an operator's own address
            return 0
    except (urllib.error.URLError, OSError, ValueError) as error:
        sys.stderr.write(f"{arguments[0]}: {error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

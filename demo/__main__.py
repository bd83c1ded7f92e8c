"""``python -m demo [--once]``: the main job on embedded servers, as a new user sees it."""

from __future__ import annotations

import sys

from demo.story.run import run
from demo.story.settings import parse_options


def main() -> int:
    return run(parse_options(sys.argv[1:]))


if __name__ == "__main__":
    raise SystemExit(main())

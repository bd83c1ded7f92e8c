"""``python -m demo.aws``: run the simulator until interrupted."""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from demo.aws.server import serve
from demo.aws.state import SeedError


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo.aws", description="An emulated AWS over HTTP.")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free port")
    parser.add_argument("--ready-file", type=Path, help="gets the endpoint URL once serving")
    parser.add_argument("--world", type=Path, help="a folder made by python -m demo.world")
    parser.add_argument("--with-parent", action="store_true", help="stop when the starter ends")
    chosen = parser.parse_args()
    try:
        asyncio.run(serve(chosen.port, chosen.ready_file, chosen.world, chosen.with_parent))
    except SeedError as error:
        sys.stderr.write(f"demo.aws: {error}\n")
        return 2
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

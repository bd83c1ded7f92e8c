"""``python -m demo.world``: build a world into a folder."""

from __future__ import annotations

import argparse
import json
import sys
from datetime import date, datetime
from pathlib import Path

from demo.world.build import FolderNotEmpty, build_world
from demo.world.spec import CurFormat, Variant, WorldSpec


def _when(text: str) -> date | datetime:
    if len(text) <= len("2026-11-20"):
        return date.fromisoformat(text)
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise argparse.ArgumentTypeError("a time needs its zone, as in 2026-11-20T14:00:00Z")
    return at


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="demo.world", description="Build an emulated world.")
    parser.add_argument("--out", type=Path, required=True, help="an empty or new folder")
    parser.add_argument("--until", type=_when, required=True, help="last day, or an aware time")
    parser.add_argument("--days", type=int, default=90)
    parser.add_argument("--requests", type=int, default=200_000)
    parser.add_argument("--seed", type=int, default=20_260_101)
    parser.add_argument("--variant", type=Variant, choices=list(Variant), default="organization")
    parser.add_argument("--cur", type=CurFormat, choices=list(CurFormat), default="parquet")
    parser.add_argument("--dirty", action="store_true", help="plant defective objects")
    return parser


def main() -> int:
    chosen = _parser().parse_args()
    spec = WorldSpec.until(
        chosen.until,
        days=chosen.days,
        requests=chosen.requests,
        seed=chosen.seed,
        variant=Variant(chosen.variant),
        cur=CurFormat(chosen.cur),
        dirty=chosen.dirty,
    )
    try:
        world = build_world(chosen.out, spec)
    except FolderNotEmpty:
        sys.stderr.write(f"demo.world: {chosen.out} is not empty\n")
        return 2
    summary = {"folder": world.folder, "requests": world.requests, "facts": "facts.json"}
    sys.stdout.write(json.dumps(summary) + "\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

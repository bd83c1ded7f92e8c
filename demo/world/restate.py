"""AWS restates a month after its end: ``python -m demo.world.restate WORLD --cloud URL``.

A world is built with the first delivery of its last closed month in the bucket and the second
one beside it. Publishing overwrites the first in place, as AWS does: data, then the manifest.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from demo.aws.control import SimControl
from demo.world.spec import read_world

RESTATEMENTS = "restatements"
"""Under a world's folder: buckets with the objects that a restatement replaces."""


class NothingToRestate(ValueError):
    """No month of the world has ended, so AWS has nothing to close."""


def publish_restatement(folder: Path, cloud: SimControl | None = None) -> str:
    """Publish the second delivery of a world and let ``cloud`` look again; returns its month.

    Publishing twice changes nothing more. Raises NothingToRestate and NotAWorld.
    """
    period = read_world(folder).restated_period
    if not period:
        raise NothingToRestate(f"{folder} ends before its first billing month does")
    later = folder / RESTATEMENTS
    found = [path for path in later.rglob("*") if path.is_file()]
    for path in sorted(found, key=lambda path: (path.suffix == ".json", path.as_posix())):
        partial = folder / f"{RESTATEMENTS}.partial"
        shutil.copyfile(path, partial)
        target = folder / "s3" / path.relative_to(later)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial.replace(target)
    if cloud is not None:
        cloud.reindex()
    return period


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo.world.restate", description="Let AWS restate.")
    parser.add_argument("world", type=Path, help="a world's folder")
    parser.add_argument("--cloud", help="endpoint URL of the simulator that serves it")
    chosen = parser.parse_args()
    cloud = SimControl(chosen.cloud) if chosen.cloud else None
    try:
        period = publish_restatement(chosen.world, cloud)
    except ValueError as error:
        sys.stderr.write(f"demo.world.restate: {error}\n")
        return 2
    sys.stdout.write(f"{period}\n")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())

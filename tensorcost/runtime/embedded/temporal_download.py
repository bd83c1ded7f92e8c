"""Temporal's development server through the SDK's own downloader, given up when nothing comes."""

import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

STALLED_SECONDS: Final = 6.0
POLL_SECONDS: Final = 0.2

# The SDK downloads only as part of starting a server, and cannot be told to give up; a child
# process can be ended. Its log would only repeat what our caller says about the failure.
_SCRIPT: Final = """
import asyncio, sys
from temporalio.testing import WorkflowEnvironment

async def main():
    async with await WorkflowEnvironment.start_local(download_dest_dir=sys.argv[1]):
        pass

asyncio.run(main())
"""


def download(target: Path) -> bool:
    """Put the program at ``target``; False when the download fails or stands still."""
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        child = subprocess.Popen(  # noqa: S603 - this interpreter with a constant script
            [sys.executable, "-c", _SCRIPT, folder],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        succeeded = _watch(child, Path(folder))
        found = next(Path(folder).glob("temporal-sdk-python-*"), None)
        if not succeeded or found is None:
            return False
        found.chmod(0o755)
        found.rename(target)
    return True


def _watch(child: subprocess.Popen[bytes], folder: Path) -> bool:
    size, grew = 0, time.monotonic()
    while child.poll() is None:
        now, seen = time.monotonic(), _size(folder)
        if seen > size:
            size, grew = seen, now
        elif now - grew > STALLED_SECONDS:
            child.kill()
            child.wait()
            return False
        time.sleep(POLL_SECONDS)
    return child.returncode == 0


def _size(folder: Path) -> int:
    total = 0
    for each in folder.iterdir():
        try:
            total += each.stat().st_size
        except FileNotFoundError:
            continue  # renamed at the end of the download
    return total

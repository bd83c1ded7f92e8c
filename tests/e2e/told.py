"""Runs ``python -m demo`` as a person would, and looks at what it leaves behind."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

REPOSITORY = Path(__file__).resolve().parents[2]
SIZE = ("--requests", "3000", "--days", "35")
"""Long enough for a month to end in it, on whatever day it is run."""
LONGEST = 900.0
"""Seconds; a machine that does other things beside needs most of them."""
_BACKFILL = re.compile(r"backfill: (\d+) of (\d+)")


@dataclass(frozen=True, slots=True)
class Told:
    """A run that has ended."""

    code: int
    out: str
    talk: list[str]

    @property
    def value(self) -> dict[str, Any]:
        """The last line of standard output, and nothing before it."""
        lines = self.out.splitlines()
        assert len(lines) == 1, self.out
        found: dict[str, Any] = json.loads(lines[0])
        return found

    def stage(self, name: str) -> dict[str, Any]:
        return next(stage for stage in self.value["stages"] if stage["name"] == name)


def tell(
    home: Path,
    *more: str,
    size: Sequence[str] = SIZE,
    heard: Callable[[str, subprocess.Popen[str]], None] = lambda line, process: None,
) -> Told:
    """Run the demo on ``home`` to its end; ``heard`` gets every line of its talk."""
    process = subprocess.Popen(
        [sys.executable, "-m", "demo", "--home", str(home), *size, *more],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1"},
    )
    assert process.stdout is not None
    assert process.stderr is not None
    out: list[str] = []
    reader = threading.Thread(target=_drain, args=(process.stdout, out))
    reader.start()
    clock = threading.Timer(LONGEST, process.send_signal, (signal.SIGTERM,))
    clock.start()
    try:
        talk = []
        for line in process.stderr:
            talk.append(line.rstrip("\n"))
            heard(talk[-1], process)
        code = process.wait()
    finally:
        clock.cancel()
        if process.poll() is None:
            process.terminate()
            process.wait()
        reader.join()
    return Told(code, "".join(out), talk)


def _drain(stream: IO[str], into: list[str]) -> None:
    into.extend(stream)


def killing(home: Path, name: str) -> Callable[[str, subprocess.Popen[str]], None]:
    """A listener that kills a process of the demo once, with -9, in the middle of the backfill."""
    done: list[int] = []

    def heard(line: str, _process: subprocess.Popen[str]) -> None:
        found = _BACKFILL.search(line)
        if found is None or done:
            return
        steps, total = int(found[1]), int(found[2])
        if 0 < steps < total:
            pid = json.loads((home / "processes.json").read_text())[name]
            os.kill(pid, signal.SIGKILL)
            done.append(pid)

    return heard


def keeping_world(home: Path, folder: Path) -> Callable[[str, subprocess.Popen[str]], None]:
    """A listener that copies the world once it is built, before AWS restates anything in it."""

    def heard(line: str, _process: subprocess.Popen[str]) -> None:
        if line.startswith("✔ world"):
            shutil.copytree(home / "world", folder / "world")

    return heard


def processes_of(home: Path) -> list[str]:
    """Command lines of every process that has to do with ``home``."""
    found = []
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            told = (folder / "cmdline").read_bytes() + (folder / "environ").read_bytes()
        except OSError:
            continue
        if str(home).encode() in told:
            found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found

"""How the demo talks: one stage after the other on standard error, live where a person looks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.text import Text

NAME_WIDTH = 11
PLAIN_EVERY, PLAIN_IDLE = 2.0, 20.0
"""Seconds between two lines of one bar where nothing can be redrawn: as it moves, as it stands."""


class StageFailed(Exception):
    """A stage did not hold; the message says why, for a person."""


@dataclass(frozen=True, slots=True)
class StageReport:
    """How one stage ended. ``detail`` is the reason where it failed."""

    name: str
    ok: bool
    seconds: float
    detail: str

    def plain(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "ok": self.ok,
            "seconds": round(self.seconds, 2),
            "detail": self.detail,
        }


def shortened(error: BaseException) -> str:
    """One line: what failed, and the last word of its log where there is one."""
    if isinstance(error, asyncio.CancelledError) and not error.args:
        return "interrupted"
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines) == 1 else f"{lines[0]} … {lines[-1].strip()}"


class Face(Protocol):
    """Shows one running stage."""

    def say(self, text: str) -> None: ...

    def bar(self, done: int, total: int, text: str) -> None: ...

    def close(self) -> None: ...


class Stage:
    """A stage under way."""

    def __init__(self, face: Face) -> None:
        self._face = face
        self.detail = ""

    def say(self, text: str) -> None:
        """What is going on right now."""
        self._face.say(text)

    def bar(self, done: int, total: int, text: str = "") -> None:
        self._face.bar(done, total, text)


class Board:
    """Stages with their durations and marks. Nothing of it goes to standard output."""

    def __init__(self, console: Console | None = None) -> None:
        self.console = console or Console(stderr=True, highlight=False)
        self.reports: list[StageReport] = []

    def note(self, text: str, style: str = "") -> None:
        """A line that stays. Taken as it is, without markup."""
        self.console.print(Text(text), style=style, soft_wrap=True)

    @contextmanager
    def stage(self, name: str, title: str) -> Iterator[Stage]:
        """Run a stage; whatever it raises marks it as failed and goes on."""
        face: Face = (
            _Live(self.console, name, title)
            if self.console.is_terminal
            else _Plain(self, name, title)
        )
        stage, begin = Stage(face), time.monotonic()
        try:
            yield stage
        except BaseException as error:
            face.close()
            reason = shortened(error)
            self._finish(StageReport(name, False, time.monotonic() - begin, reason))
            raise
        face.close()
        self._finish(StageReport(name, True, time.monotonic() - begin, stage.detail))

    @property
    def held(self) -> bool:
        return bool(self.reports) and all(report.ok for report in self.reports)

    def _finish(self, report: StageReport) -> None:
        self.reports.append(report)
        mark, style = ("✔", "green") if report.ok else ("✘", "bold red")
        line = Text.assemble(
            (f"{mark} {report.name:<{NAME_WIDTH}}", style),
            (f" {report.seconds:6.1f} s  ", "dim"),
            report.detail,
        )
        self.console.print(line, soft_wrap=True)


class _Live:
    """One line that is redrawn."""

    def __init__(self, console: Console, name: str, title: str) -> None:
        self._progress = Progress(
            SpinnerColumn(),
            TextColumn(f"{name:<{NAME_WIDTH}}", style="bold"),
            BarColumn(bar_width=28),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
            console=console,
            transient=True,
        )
        self._task = self._progress.add_task(title, total=None)
        self._progress.start()

    def say(self, text: str) -> None:
        self._progress.update(self._task, description=text)

    def bar(self, done: int, total: int, text: str) -> None:
        self._progress.update(self._task, completed=done, total=total, description=text)

    def close(self) -> None:
        self._progress.stop()


class _Plain:
    """Lines, for logs and pipes."""

    def __init__(self, board: Board, name: str, title: str) -> None:
        self._board, self._name = board, name
        self._last, self._done = float("-inf"), -1
        self._shown = ""
        self.say(title)

    def say(self, text: str) -> None:
        if text != self._shown:
            self._shown = text
            self._board.note(f"  {self._name}: {text}")

    def bar(self, done: int, total: int, text: str) -> None:
        now = time.monotonic()
        pause = PLAIN_IDLE if done == self._done else PLAIN_EVERY
        if now - self._last < pause and done < total:
            return
        self._last, self._done = now, done
        self.say(f"{done} of {total}{f' · {text}' if text else ''}")

    def close(self) -> None:
        """Nothing is redrawn, so nothing has to be put back."""

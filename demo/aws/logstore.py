"""Events of log groups, kept in time order."""

from __future__ import annotations

import gzip
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from demo.aws.state import LogEvent


class GroupFile(msgspec.Struct, kw_only=True):
    """Where a world keeps the events of one group: lines of ``<epoch ms>TAB<message>``, gzip."""

    account: str
    region: str
    group: str
    stream: str
    file: str


@dataclass(frozen=True, slots=True)
class StoredEvent:
    at_ms: int
    message: str
    stream: str
    number: int


class LogStore:
    def __init__(self) -> None:
        self._events: dict[tuple[str, str, str], list[StoredEvent]] = {}

    def clear(self) -> None:
        self._events.clear()

    def load_folder(self, folder: Path) -> None:
        """Load the groups that ``index.json`` of a world's log folder names."""
        index = folder / "index.json"
        if not index.exists():
            return
        for entry in msgspec.json.decode(index.read_bytes(), type=list[GroupFile]):
            events: list[StoredEvent] = []
            with gzip.open(folder / entry.file, "rt", encoding="utf-8") as lines:
                for number, line in enumerate(lines):
                    at, _, message = line.rstrip("\n").partition("\t")
                    events.append(StoredEvent(int(at), message, entry.stream, number))
            self._store((entry.account, entry.region, entry.group), events)

    def add(self, events: Iterable[LogEvent]) -> None:
        grouped: dict[tuple[str, str, str], list[StoredEvent]] = {}
        for number, event in enumerate(events):
            at_ms = int(event.at.timestamp() * 1000)
            stored = StoredEvent(at_ms, event.message, event.stream, number)
            grouped.setdefault((event.account, event.region, event.group), []).append(stored)
        for place, listed in grouped.items():
            self._store(place, self._events.get(place, []) + listed)

    def between(self, place: tuple[str, str, str], first: int, last: int) -> list[StoredEvent]:
        """Events from ``first`` to ``last``, both included, in epoch milliseconds."""
        events = self._events.get(place, [])
        low = bisect_left(events, first, key=lambda e: e.at_ms)
        return events[low : bisect_right(events, last, key=lambda e: e.at_ms)]

    def _store(self, place: tuple[str, str, str], events: list[StoredEvent]) -> None:
        self._events[place] = sorted(events, key=lambda e: e.at_ms)

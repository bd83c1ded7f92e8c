"""The request ledger: what was asked of the emulated clouds, by whom, and how it ended."""

from __future__ import annotations

from collections import deque
from datetime import datetime

import msgspec


class Entry(msgspec.Struct, kw_only=True, omit_defaults=True):
    number: int
    time: datetime
    service: str
    operation: str
    account: str
    region: str
    principal: str
    status: int
    role: str | None = None
    """The role asked for, in AssumeRole."""
    external_id: str | None = None
    session_policy: bool = False
    resource: str | None = None
    metrics: int | None = None
    """How many metrics GetMetricData asked for: what AWS bills."""
    error: str | None = None
    fault: str | None = None


class Ledger:
    """The last ``limit`` requests; older ones are counted, not kept."""

    def __init__(self, limit: int = 200_000) -> None:
        self._entries: deque[Entry] = deque(maxlen=limit)
        self._count = 0

    def next_number(self) -> int:
        self._count += 1
        return self._count

    def add(self, entry: Entry) -> None:
        self._entries.append(entry)

    def clear(self) -> None:
        self._entries.clear()
        self._count = 0

    def find(self, since: int = 0, **wanted: str) -> list[Entry]:
        """Entries after number ``since`` whose members equal ``wanted``."""
        return [
            entry
            for entry in self._entries
            if entry.number > since
            and all(str(getattr(entry, name)) == value for name, value in wanted.items())
        ]

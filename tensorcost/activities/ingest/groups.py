"""What one transaction loads: small objects together, a large one by portions.

A transaction costs about a dozen round trips and one flush to disk, whatever it holds, so
that small objects share one. Each keeps its own checkpoint, and all stand or fall together.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Final, NamedTuple

from tensorcost.activities.ingest.chunks import Chunks, Prepared, prepare
from tensorcost.activities.ingest.columns import reordered, time_order
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.activities.ingest.rollup import sum_by_hour
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.unpriced import merge_unpriced
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.parsed import Reject
from tensorcost.storage.spend.batches import Counts, ObjectRef
from tensorcost.storage.spend.rollups import HourlySums

FIRST_ROWS: Final = 5_000
GROUP_ROWS: Final = 20_000
"""A group is full once it has so many rows, its last object read to its end. The first group
is smaller, and each next one twice as large: nothing is loaded while the first is read."""
GROUP_OBJECTS: Final = 500
AHEAD_ROWS: Final = 40_000
"""Rows read before the transaction opens. What goes beyond is read while it is open."""


@dataclass(slots=True, eq=False)
class Target:
    """An object, or a window without one, and what loading it has done so far."""

    name: str
    """The file named in rejects."""
    chunks: Chunks
    ref: ObjectRef | None
    checked: bool
    """Whether rows are looked up one by one, for sources that repeat them between objects."""
    report: IngestReport = field(default_factory=IngestReport)
    _rejects: list[Reject] = field(default_factory=list)

    def count(self, chunk: Prepared) -> None:
        """Take over what was read, before any of it is loaded."""
        self.report.rows_read += chunk.rows_read
        self.report.unpriced = merge_unpriced([*self.report.unpriced, *chunk.unpriced])
        self.refuse(chunk.rejects)

    def refuse(self, rejects: list[Reject]) -> None:
        """Add rows that go to the quarantine."""
        self.report.reject(rejects)
        self._rejects.extend(rejects)

    def take_rejects(self) -> list[Reject]:
        """The rows refused since the last call."""
        taken, self._rejects = self._rejects, []
        return taken

    def counts(self) -> Counts:
        return Counts(self.report.accepted, self.report.duplicate, self.report.rejected)


class Part(NamedTuple):
    target: Target
    chunk: Prepared


@dataclass(frozen=True, slots=True)
class Portion:
    """Chunks that are loaded by one COPY where all their rows are new."""

    straight: list[Part]
    """Each in order of time."""
    checked: list[Part]
    """Chunks that take the slow road, in the source's order: of repeats the first row stays."""
    sums: HourlySums
    """Hourly sums of ``straight``."""

    @classmethod
    def of(cls, parts: Sequence[Part]) -> "Portion":
        """Sort the parts by their roads and sum up those of the straight one."""
        straight = [_by_time(part) for part in parts if _is_straight(part)]
        checked = [part for part in parts if not _is_straight(part)]
        return cls(straight, checked, sum_by_hour([part.chunk.events for part in straight]))

    @property
    def parts(self) -> list[Part]:
        return [*self.straight, *self.checked]

    def without_loaded(self) -> "Portion":
        """The same without targets that turned out to be loaded already."""
        return Portion.of([part for part in self.parts if not part.target.report.already_loaded])

    def days(self) -> set[date]:
        return {day for part in self.parts for day in part.chunk.days}


@dataclass(slots=True)
class Group:
    """Targets of one transaction, in order, with those that need no loading."""

    targets: list[Target]
    portion: Portion
    later: Callable[[], Portion | None] | None = None
    """Gives the rest of the last target, portion by portion, where it is large."""
    error: Exception | None = None
    """Why a target could not be read; the group is empty then."""


class GroupReader:
    """Reads targets in order. ``next_group`` runs in a thread."""

    def __init__(self, targets: Sequence[Target], book: PriceBook) -> None:
        self._targets = iter(targets)
        self._book = book
        self._full = FIRST_ROWS
        self._after: Group | None = None
        self._ended = False

    def next_group(self) -> Group | None:
        """The next transaction's worth, or None at the end.

        A large target, or one that cannot be read, comes alone: those before it are not lost.
        """
        if self._after is not None:
            return self._take_after()
        targets: list[Target] = []
        parts: list[Part] = []
        rows = 0
        while rows < self._full and len(targets) < GROUP_OBJECTS and not self._ended:
            target = next(self._targets, None)
            if target is None:
                self._ended = True
            elif target.report.already_loaded:
                targets.append(target)
            else:
                read, alone = self._read(target)
                if alone is not None:
                    self._after = alone
                    break
                targets.append(target)
                parts.extend(read)
                rows += sum(len(part.chunk.events) for part in read)
        self._full = min(2 * self._full, GROUP_ROWS)
        if targets:
            return Group(targets, Portion.of(parts))
        return self._take_after()

    def _take_after(self) -> Group | None:
        group, self._after = self._after, None
        return group

    def _read(self, target: Target) -> tuple[list[Part], Group | None]:
        """All parts of a target, or the group that it makes alone."""
        parts: list[Part] = []
        rows = 0
        chunks = self._prepared(target)
        try:
            for chunk in chunks:
                parts.append(Part(target, chunk))
                rows += len(chunk.events)
                if rows >= AHEAD_ROWS:
                    return [], Group([target], Portion.of(parts), later=_later(target, chunks))
        except Exception as error:  # carried to the load, which raises it in its turn
            self._ended = True
            return [], Group([], Portion.of([]), error=error)
        return parts, None

    def _prepared(self, target: Target) -> Iterator[Prepared]:
        for parsed in target.chunks():
            yield prepare(parsed, self._book)


def _later(target: Target, chunks: Iterator[Prepared]) -> Callable[[], Portion | None]:
    def step() -> Portion | None:
        chunk = next(chunks, None)
        return None if chunk is None else Portion.of([Part(target, chunk)])

    return step


def _is_straight(part: Part) -> bool:
    return part.chunk.grain is Grain.REQUEST and not part.target.checked


def _by_time(part: Part) -> Part:
    order = time_order(part.chunk.events)
    if order is None:
        return part
    events = reordered(part.chunk.events, order)
    return Part(part.target, replace(part.chunk, events=events, order=order))

"""Exact sums over the event stream, from which the bill and the answer key are made."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date

import numpy as np
from numpy.typing import NDArray

from demo.aws.metrics import OK
from demo.world import prices
from demo.world.samples import Ints
from demo.world.spec import WorldSpec
from demo.world.story import Call, Stream
from demo.world.traffic import Calls

TOKENS = ("input", "cached", "cache_write_5m", "cache_write_1h", "output")
FIELDS = ("requests", "errors", *TOKENS, "pico", "nano")
_COLUMNS = ("input", "cached", "write_5m", "write_1h", "output")


@dataclass(frozen=True, slots=True)
class Cell:
    """Sums of the calls of one stream on one day that share these marks."""

    day: date
    stream: Stream
    has_metadata: bool
    agent: str | None
    logged: bool
    priced: bool
    sums: dict[str, int]

    @property
    def application(self) -> str:
        """What a reader can learn from the logs: metadata, else the profile's tags, else ""."""
        return self.stream.application if self._known else ""

    @property
    def team(self) -> str:
        return self.stream.team if self._known else ""

    @property
    def environment(self) -> str:
        return self.stream.environment if self._known else ""

    @property
    def agent_id(self) -> str:
        return (self.agent or "") if self.has_metadata else ""

    @property
    def workflow_id(self) -> str:
        return (self.stream.workflow or "") if self.has_metadata else ""

    @property
    def _known(self) -> bool:
        return self.has_metadata or self.stream.call is Call.PROFILE


@dataclass(slots=True)
class Tally:
    """Sums per day, stream, metadata, agent and whether the call was logged."""

    spec: WorldSpec
    _days: dict[date, NDArray[np.int64]] = field(default_factory=dict)

    def add(self, day: date, calls: Calls, logged: NDArray[np.bool_]) -> None:
        streams = self.spec.story.streams
        agents = 1 + max(len(stream.agents) for stream in streams)
        shape = (len(streams), 2, agents, 2)
        place = np.ravel_multi_index(
            (calls.stream, calls.has_metadata.astype(np.int64), calls.agent + 1, logged * 1), shape
        )
        pico = self._pico(calls)
        values: dict[str, Ints] = {
            "requests": np.ones(len(calls), np.int64),
            "errors": (calls.outcome != OK).astype(np.int64),
            "pico": pico,
            "nano": half_even(pico),
        }
        values |= {kind: getattr(calls, c) for kind, c in zip(TOKENS, _COLUMNS, strict=True)}
        cube = np.zeros((len(FIELDS), int(np.prod(shape))), np.int64)
        for at, name in enumerate(FIELDS):
            np.add.at(cube[at], place, values[name])
        self._days[day] = cube.reshape(len(FIELDS), *shape)

    def _pico(self, calls: Calls) -> Ints:
        table = price_table(self.spec.story.streams)
        total = np.zeros(len(calls), np.int64)
        for at, column in enumerate(_COLUMNS):
            total += getattr(calls, column) * table[calls.stream, at]
        return total

    def cells(self, keep: Callable[[Cell], bool] = lambda cell: True) -> Iterator[Cell]:
        """Every non-empty cell, in order of day and stream."""
        listed = prices.load()
        for day, cube in sorted(self._days.items()):
            for where in np.argwhere(cube[0] > 0):
                at, meta, agent, logged = (int(i) for i in where)
                stream = self.spec.story.streams[at]
                cell = Cell(
                    day=day,
                    stream=stream,
                    has_metadata=bool(meta),
                    agent=stream.agents[agent - 1] if agent else None,
                    logged=bool(logged),
                    priced=stream.priced_model in listed,
                    sums={n: int(cube[i, at, meta, agent, logged]) for i, n in enumerate(FIELDS)},
                )
                if keep(cell):
                    yield cell


def price_table(streams: tuple[Stream, ...]) -> Ints:
    """Picodollars per token, streams by token kinds; unlisted models count as zero."""
    listed = prices.load()
    table = np.zeros((len(streams), len(TOKENS)), np.int64)
    for row, stream in enumerate(streams):
        for column, kind in enumerate(TOKENS):
            table[row, column] = listed.get(stream.priced_model, {}).get(kind, 0)
    return table


def half_even(pico: Ints) -> Ints:
    """Whole nanodollars, the product's single rounding of a request."""
    whole, rest = np.divmod(pico, 1000)
    up = (rest > 500) | ((rest == 500) & (whole % 2 == 1))
    return np.asarray(whole + up)

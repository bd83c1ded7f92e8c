"""The samples in ``data/`` as arrays."""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
_DATA = Path(__file__).parent / "data"
BLOCK = 512
"""Tokens per prefix block of the Mooncake trace."""
_WARM_REQUESTS = 200
"""How many earlier requests may still have warmed the cache: agents run in dense sweeps."""


@dataclass(frozen=True, slots=True)
class Shapes:
    input: Ints
    output: Ints


@dataclass(frozen=True, slots=True)
class PrefixShapes(Shapes):
    blocks: tuple[tuple[int, ...], ...]
    warm: Ints
    """Leading tokens that a recent request had in common."""


@dataclass(frozen=True, slots=True)
class SessionShapes(Shapes):
    session: Ints
    turn: Ints


@cache
def chat() -> Shapes:
    return _azure("conv")


@cache
def code() -> Shapes:
    return _azure("code")


@cache
def documents() -> PrefixShapes:
    rows = list(_rows("mooncake_prefixes.csv.gz"))
    blocks = tuple(tuple(_expand(row["blocks"])) for row in rows)
    lengths = np.array([int(row["input_tokens"]) for row in rows])
    warm = [_shared(blocks, at) * BLOCK for at in range(len(rows))]
    return PrefixShapes(
        input=lengths,
        output=np.array([int(row["output_tokens"]) for row in rows]),
        blocks=blocks,
        warm=np.minimum(np.array(warm), lengths - 1),
    )


@cache
def sessions() -> SessionShapes:
    rows = list(_rows("aider_sessions.csv.gz"))
    session = np.array([int(row["session"]) for row in rows])
    starts = np.r_[True, session[1:] != session[:-1]]
    first = np.maximum.accumulate(np.where(starts, np.arange(len(rows)), 0))
    return SessionShapes(
        input=np.array([int(row["prompt_tokens"]) for row in rows]),
        output=np.maximum(np.array([int(row["completion_tokens"]) for row in rows]), 1),
        session=session,
        turn=np.arange(len(rows)) - first,
    )


@cache
def hourly_rates() -> dict[str, NDArray[np.float64]]:
    """Per client, the request rate of each hour of two weeks that start on a Monday."""
    found: dict[str, list[float]] = {}
    for row in _rows("servegen_hourly_rates.csv.gz"):
        found.setdefault(row["client"], []).append(float(row["requests_per_second"]))
    return {client: np.array(rates) for client, rates in found.items()}


def _rows(name: str) -> Iterator[dict[str, str]]:
    with gzip.open(_DATA / name, "rt", newline="") as lines:
        yield from csv.DictReader(lines)


def _azure(trace: str) -> Shapes:
    rows = [row for row in _rows("azure_requests.csv.gz") if row["trace"] == trace]
    return Shapes(
        input=np.array([int(row["input_tokens"]) for row in rows]),
        output=np.array([int(row["output_tokens"]) for row in rows]),
    )


def _expand(runs: str) -> Iterator[int]:
    for run in runs.split():
        first, _, last = run.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _shared(blocks: tuple[tuple[int, ...], ...], at: int) -> int:
    own = blocks[at]
    best = 0
    for other in blocks[max(0, at - _WARM_REQUESTS) : at]:
        common = 0
        for mine, theirs in zip(own, other, strict=False):
            if mine != theirs:
                break
            common += 1
        best = max(best, common)
    return best

"""Prompt caching, as the provider would have counted it for the story's calls."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from demo.world import samples
from demo.world.samples import BLOCK, Ints
from demo.world.story import Caching, Stream

MINIMUM = 4096
"""Fewer tokens than this are not cached (Claude 4.5 on Bedrock)."""
SYSTEM_TOKENS = 4608
_MAP_TOKENS = 4096
_TAIL = 200
_FIVE_MINUTES = 300_000
_HOUR = 3_600_000
_NEVER = -(10**15)


@dataclass(slots=True)
class CacheState:
    """When each prefix was last used, over the days (epoch ms)."""

    last: dict[tuple[int, int], int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class TokenSplit:
    """Disjoint input token counts."""

    input: Ints
    cached: Ints
    write_5m: Ints
    write_1h: Ints


def split_tokens(
    stream: Stream,
    at: int,
    ts: Ints,
    row: Ints,
    conversation: Ints,
    agent: Ints,
    prompt: Ints,
    state: CacheState,
) -> TokenSplit:
    """Split each call's prompt into plain, read and written tokens. ``ts`` ascends."""
    zero = np.zeros(len(ts), np.int64)
    match stream.caching:
        case Caching.SYSTEM:
            stale = _gaps(ts, agent, at, state) > _FIVE_MINUTES
            system = np.full(len(ts), SYSTEM_TOKENS)
            return TokenSplit(prompt, system * ~stale, system * stale, zero)
        case Caching.PREFIX:
            return _prefix(prompt, row)
        case Caching.SESSION:
            return _session(prompt, row, _gaps(ts, conversation, at, state))
    return TokenSplit(prompt, zero, zero, zero)


def _gaps(ts: Ints, key: Ints, at: int, state: CacheState) -> Ints:
    """Milliseconds since the previous call with the same key, over day borders too."""
    gaps = np.empty(len(ts), np.int64)
    for value in np.unique(key):
        where = np.flatnonzero(key == value)
        before = state.last.get((at, int(value)), _NEVER)
        gaps[where] = np.diff(ts[where], prepend=before)
        state.last[at, int(value)] = int(ts[where[-1]])
    return gaps


def _prefix(prompt: Ints, row: Ints) -> TokenSplit:
    warm = samples.documents().warm[row]
    cached = np.where(warm >= MINIMUM, warm, 0)
    blocks = (prompt - 1) // BLOCK * BLOCK
    written = np.where(blocks >= MINIMUM, np.maximum(blocks - cached, 0), 0)
    return TokenSplit(prompt - cached - written, cached, written, np.zeros_like(prompt))


def _session(prompt: Ints, row: Ints, gaps: Ints) -> TokenSplit:
    shapes = samples.sessions()
    previous = np.where(shapes.turn[row] > 0, shapes.input[row - 1], 0)
    caches = prompt >= _MAP_TOKENS + _TAIL
    was_cached = (previous >= _MAP_TOKENS + _TAIL) & caches
    map_warm = was_cached & (gaps <= _HOUR)
    talk = np.where(caches, prompt - _MAP_TOKENS - _TAIL, 0)
    known = np.where(map_warm & (gaps <= _FIVE_MINUTES), previous - _MAP_TOKENS - _TAIL, 0)
    read = np.minimum(talk, known)
    return TokenSplit(
        input=np.where(caches, _TAIL, prompt),
        cached=read + np.where(map_warm, _MAP_TOKENS, 0),
        write_5m=talk - read,
        write_1h=np.where(caches & ~map_warm, _MAP_TOKENS, 0),
    )

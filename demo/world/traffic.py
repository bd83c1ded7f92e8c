"""The one event stream from which logs, metrics and bill are made, a day at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime, timedelta

import numpy as np
from numpy.random import Generator, default_rng
from numpy.typing import NDArray

from demo.aws.metrics import CLIENT_ERROR, OK, SERVER_ERROR, THROTTLED
from demo.world import samples
from demo.world.caching import CacheState, TokenSplit, split_tokens
from demo.world.samples import Ints
from demo.world.spec import WorldSpec
from demo.world.story import GEO_REGIONS, HAIKU, NOVA_LITE, OPUS, TITAN, Shape, Stream

_HOUR_MS = 3_600_000
_GROWTH = 0.35
"""How much more traffic the last day has than the first."""
_STUMBLE_RATES = {THROTTLED: 0.004, CLIENT_ERROR: 0.0015, SERVER_ERROR: 0.0005}
_RUNAWAY_DAYS_BEFORE_END = 5
_RUNAWAY_HOURS = (2, 3, 4)
_SPEED = {OPUS: 1.6, HAIKU: 0.5, NOVA_LITE: 0.4, TITAN: 0.3}
_TURNS = 5
"""Requests per conversation in chats."""
_USERS = 60


@dataclass(frozen=True, slots=True)
class Calls:
    """Calls in order of time. Times in epoch or plain milliseconds; -1 stands for none."""

    ts: Ints
    stream: Ints
    outcome: Ints
    input: Ints
    cached: Ints
    write_5m: Ints
    write_1h: Ints
    output: Ints
    latency: Ints
    first_token: Ints
    agent: Ints
    user: Ints
    conversation: Ints
    served: Ints
    has_metadata: NDArray[np.bool_]
    row: Ints
    number: Ints

    def __len__(self) -> int:
        return len(self.ts)

    def at(self, where: NDArray[np.intp]) -> Calls:
        """The calls at these positions."""
        return Calls(**{f.name: getattr(self, f.name)[where] for f in fields(Calls)})


@dataclass(frozen=True, slots=True)
class Day:
    start: datetime
    end: datetime
    calls: Calls


def generate(spec: WorldSpec) -> Iterator[Day]:
    """Yield the world's days in order; memory holds one day's calls."""
    streams = spec.story.streams
    rng = default_rng(spec.seed)
    counts = _plan(spec, streams, rng)
    done = np.zeros(len(streams), np.int64)
    number = 0
    caches = CacheState()
    for first, last in spec.calendar_days():
        hours = slice(_hour(spec, first), _hour(spec, last))
        parts = [
            _stream_day(spec, at, stream, counts[at, hours], int(done[at]), first, rng, caches)
            for at, stream in enumerate(streams)
        ]
        done += counts[:, hours].sum(axis=1)
        calls = _merge(parts, number)
        number += len(calls)
        yield Day(first, last, calls)


def _hour(spec: WorldSpec, at: datetime) -> int:
    return int((at - spec.start).total_seconds()) // 3600


def _plan(spec: WorldSpec, streams: tuple[Stream, ...], rng: Generator) -> Ints:
    """How many calls each stream makes in each hour; they add up to ``spec.requests``."""
    hours = spec.days * 24
    rates = samples.hourly_rates()
    cycle = len(next(iter(rates.values())))
    offset = spec.start.weekday() * 24 + spec.start.hour
    where = (np.arange(hours) + offset) % cycle
    trend = 1 + _GROWTH * np.arange(hours) / hours
    weights = np.empty((len(streams), hours))
    for at, stream in enumerate(streams):
        shape = (rates[stream.client][where] + 1e-6) * trend
        is_open = np.arange(hours) < stream.open_share * hours
        weights[at] = stream.share * is_open * shape / shape.sum()
    runaway = np.zeros_like(weights, dtype=np.int64)
    for at, stream in enumerate(streams):
        runaway[at, _runaway_hours(spec, stream)] = max(10, spec.requests // 500)
    flat = weights.ravel() / weights.sum()
    drawn = rng.multinomial(spec.requests - int(runaway.sum()), flat)
    return np.asarray(drawn.reshape(weights.shape) + runaway)


def _runaway_hours(spec: WorldSpec, stream: Stream) -> list[int]:
    if stream.runaway_agent is None or spec.days <= _RUNAWAY_DAYS_BEFORE_END:
        return []
    night = spec.end.replace(hour=0) - timedelta(days=_RUNAWAY_DAYS_BEFORE_END)
    return [_hour(spec, night) + hour for hour in _RUNAWAY_HOURS]


def _stream_day(
    spec: WorldSpec,
    at: int,
    stream: Stream,
    counts: Ints,
    done: int,
    first: datetime,
    rng: Generator,
    caches: CacheState,
) -> Calls:
    n = int(counts.sum())
    ts = _times(stream, counts, int(first.timestamp() * 1000), rng)
    position = done + np.arange(n)
    row, conversation, prompt, output = _shapes(stream, position, rng)
    agents = len(stream.agents)
    agent = (conversation * 7919) % agents if agents else np.full(n, -1)
    for hour in _runaway_hours(spec, stream):
        begin = int(spec.start.timestamp() * 1000) + hour * _HOUR_MS
        looped = (ts >= begin) & (ts < begin + _HOUR_MS)
        conversation = np.where(looped, 999_999, conversation)
        agent = np.where(looped, stream.agents.index(stream.runaway_agent or ""), agent)
    split = split_tokens(stream, at, ts, row, conversation, agent, prompt, caches)
    outcome = _outcomes(stream, n, rng)
    fine = outcome == OK
    latency, first_token = _latencies(stream, split, output, rng)
    return Calls(
        ts=ts,
        stream=np.full(n, at),
        outcome=outcome,
        input=split.input * fine,
        cached=split.cached * fine,
        write_5m=split.write_5m * fine,
        write_1h=split.write_1h * fine,
        output=output * fine,
        latency=np.where(fine, latency, -1),
        first_token=np.where(fine, first_token, -1),
        agent=agent,
        user=(conversation * 31 + at) % _USERS,
        conversation=conversation,
        served=_served(stream, n, rng),
        has_metadata=rng.random(n) < stream.metadata_rate,
        row=row,
        number=np.zeros(n, np.int64),
    )


def _times(stream: Stream, counts: Ints, first_ms: int, rng: Generator) -> Ints:
    """Arrival times in order; bursty streams send in trains, as agents do."""
    hour = np.repeat(np.arange(len(counts)), counts) * _HOUR_MS
    if stream.bursty:
        trains = [
            (rng.integers(_HOUR_MS) + np.cumsum(rng.exponential(70_000, int(c)))) % _HOUR_MS
            for c in counts
        ]
        within = np.concatenate(trains).astype(np.int64) if trains else np.empty(0, np.int64)
    else:
        within = rng.integers(0, _HOUR_MS, len(hour))
    return np.sort(first_ms + hour + within)


def _shapes(stream: Stream, position: Ints, rng: Generator) -> tuple[Ints, Ints, Ints, Ints]:
    """Sample row, conversation, prompt tokens and output tokens of each call."""
    n = len(position)
    if stream.shape is Shape.SESSIONS:
        sessions = samples.sessions()
        row = position % len(sessions.turn)
        cycle = position // len(sessions.turn)
        conversation = cycle * (int(sessions.session[-1]) + 1) + sessions.session[row]
        return row, conversation, sessions.input[row], sessions.output[row]
    if stream.shape is Shape.DOCUMENTS:
        documents = samples.documents()
        row = position % len(documents.blocks)
        return row, position // 3, documents.input[row], documents.output[row]
    shapes = samples.code() if stream.shape is Shape.CODE else samples.chat()
    row = rng.integers(0, len(shapes.input), n)
    prompt, output = shapes.input[row], shapes.output[row]
    if stream.shape is Shape.EMBEDDING:
        prompt, output = np.minimum(prompt, 8192), np.zeros(n, np.int64)
    return row, position // _TURNS, prompt, output


def _outcomes(stream: Stream, n: int, rng: Generator) -> Ints:
    outcome = np.full(n, OK)
    if stream.stumbles:
        draw, floor = rng.random(n), 0.0
        for kind, rate in _STUMBLE_RATES.items():
            outcome[(draw >= floor) & (draw < floor + rate)] = kind
            floor += rate
    return outcome


def _latencies(
    stream: Stream, split: TokenSplit, output: Ints, rng: Generator
) -> tuple[Ints, Ints]:
    speed = _SPEED.get(stream.model, 1.0)
    noise = rng.lognormal(0.0, 0.25, len(output))
    start = 180 + 0.03 * (split.input + split.write_5m + split.write_1h) + 0.002 * split.cached
    latency = ((start + 14 * speed * output) * noise).astype(np.int64) + 1
    if not stream.streams_tokens:
        return latency, np.full(len(output), -1)
    return latency, np.minimum((start * noise).astype(np.int64) + 1, latency)


def _served(stream: Stream, n: int, rng: Generator) -> Ints:
    """Index of the serving region among the scope's regions; -1 for the calling region."""
    if not stream.scope:
        return np.full(n, -1)
    regions = GEO_REGIONS[stream.scope]
    elsewhere = rng.integers(0, len(regions), n)
    return np.where(rng.random(n) < 0.6, -1, elsewhere)


def _merge(parts: list[Calls], number: int) -> Calls:
    ts = np.concatenate([part.ts for part in parts])
    order = np.argsort(ts, kind="stable")
    merged = {
        field.name: np.concatenate([getattr(part, field.name) for part in parts])[order]
        for field in fields(Calls)
    }
    merged["number"] = number + np.arange(len(ts))
    return Calls(**merged)

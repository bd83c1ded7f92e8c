"""What can go wrong between us and AWS, drawn by a seed: when, how often and how badly.

Each kind gives rules of ``demo.aws.faults``; of those that match a call the first one strikes.
Every kind ends by itself: what is tried again often enough is answered at last.
"""

from collections.abc import Callable
from random import Random
from typing import Any, Final

from tests.chaos.faulty import READ_TIMEOUT

Rule = dict[str, Any]
Kind = Callable[[Random, int], list[Rule]]
"""Rules from a seeded generator and the number of calls of an undisturbed run."""
READ: Final = {"service": "s3", "operation": "GetObject"}
READS: Final = 8
"""So many objects are read at least, in either phase."""


def throttled(rng: Random, calls: int) -> list[Rule]:
    """Bursts in which every call is refused, and single refusals all along."""
    return [
        {"kind": "throttled", **READ, **burst(rng, 6, 30)},
        {"kind": "throttled", "operation": "AssumeRole", **burst(rng, 4, 8)},
        {"kind": "throttled", **burst(rng, calls // 2, 8)},
        {"kind": "throttled", "nth": some(rng, calls, 0.1)},
    ]


def server_errors(rng: Random, calls: int) -> list[Rule]:
    """Errors of AWS's own, in its services' words and without any."""
    return [
        {"kind": "internal", "service": "logs", **burst(rng, 2, 10)},
        {"kind": "internal", "service": "cloudwatch", **burst(rng, 6, 20)},
        {"kind": "internal", **burst(rng, calls // 2, 8)},
        {"kind": "unavailable", "nth": some(rng, calls, 0.08)},
        {"status": 502, "nth": some(rng, calls, 0.04)},
    ]


def timeouts(rng: Random, calls: int) -> list[Rule]:
    """Answers that come too late, and connections that end before any comes."""
    return [
        {"delay": 1.5 * READ_TIMEOUT, "nth": few(rng, calls, 3)},
        {"close": True, "nth": some(rng, calls, 0.06)},
        {"close": True, "reset": True, "nth": some(rng, calls, 0.06)},
    ]


def ended_sessions(rng: Random, calls: int) -> list[Rule]:
    """Sessions that end while pages are turned, and tokens that are refused for no reason."""
    return [
        {"expire": True, "nth": few(rng, calls, 4)},
        {"kind": "expired", "nth": few(rng, calls, 3)},
        {"operation": "ListObjectsV2", "page_size": 4},
        {"operation": "FilterLogEvents", "page_size": 4},
        {"operation": "ListMetrics", "page_size": 2},
    ]


def torn_reads(rng: Random, calls: int) -> list[Rule]:
    """Bodies that break off: in order, by a reset, or in silence."""
    return [
        {**READ, "drop": rng.random(), "nth": few(rng, READS, 3)},
        {**READ, "drop": rng.random(), "reset": True, "nth": few(rng, READS, 3)},
        {**READ, "drop": rng.random(), "stall": 1.5 * READ_TIMEOUT, "nth": few(rng, READS, 2)},
    ]


def changing_objects(rng: Random, calls: int) -> list[Rule]:
    """Objects that are rewritten before or while they are read, or gone for a moment."""
    gone = {"code": "NoSuchKey", "status": 404, "message": "The specified key does not exist."}
    return [
        {**READ, "rewritten": True, "nth": few(rng, READS, 3)},
        {**READ, "replace": True, "nth": few(rng, READS, 3)},
        {**READ, **gone, "nth": few(rng, READS, 2)},
    ]


def slow_answers(rng: Random, calls: int) -> list[Rule]:
    """Answers and bodies that come late, but in time."""
    return [
        {**READ, "slow": rng.uniform(0.05, 0.4), "nth": few(rng, READS, 4)},
        {"delay": rng.uniform(0.1, 0.6) * READ_TIMEOUT, "nth": some(rng, calls, 0.15)},
    ]


def odd_pages(rng: Random, calls: int) -> list[Rule]:
    """Pages of two or three, and empty ones that are not the last."""
    return [
        {"operation": "FilterLogEvents", "empty_page": True, "nth": few(rng, 6, 2)},
        {"page_size": rng.randint(2, 3)},
    ]


def everything(rng: Random, calls: int) -> list[Rule]:
    """A bit of each."""
    drawn = [rule for kind in SINGLE.values() for rule in kind(rng, calls) if "nth" in rule]
    return rng.sample(drawn, 6)


SINGLE: Final[dict[str, Kind]] = {
    kind.__name__: kind
    for kind in (
        throttled,
        server_errors,
        timeouts,
        ended_sessions,
        torn_reads,
        changing_objects,
        slow_answers,
        odd_pages,
    )
}
KINDS: Final[dict[str, Kind]] = {**SINGLE, everything.__name__: everything}


def burst(rng: Random, begins: int, most: int) -> dict[str, int]:
    """So many matching calls in a row, from one of the first on."""
    return {"skip": rng.randrange(begins), "times": rng.randint(4, most)}


def some(rng: Random, calls: int, share: float) -> list[int]:
    """Numbers of matching calls, a share of them."""
    return few(rng, calls, max(1, round(share * calls)))


def few(rng: Random, calls: int, most: int) -> list[int]:
    """Numbers of matching calls, at least one and at most so many."""
    return sorted(rng.sample(range(1, calls + 1), rng.randint(1, most)))

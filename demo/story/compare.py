"""Holds the estimates against each other and against the world's answer key.

What is compared, and how exactly:

- GraphQL against REST: every figure of today, equal.
- Logged calls (grain ``request``): total, every model, every application; requests, unpriced
  requests and money equal to the last nano-dollar.
- Calls that no log tells of, but CloudWatch counts (grain ``metric``): the accounts and regions
  of the story that never log, to the cent.
- Calls that only the bill knows (grain ``bill``): the accounts that cannot be entered, to the
  cent.

Where prices were changed since the story was told, its estimates are those of before
(``repriced``); where nobody can tell these any more, GraphQL and REST alone are compared.

What the bill says, and what became of every dollar of it, is compared in ``compare_invoice``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demo.story.board import StageFailed
from demo.story.questions import DIMENSIONS, Answer, Part, Sums
from demo.story.repriced import ByTheList
from demo.world.spec import World
from demo.world.story import organization

NANO = Decimal(10) ** -9
CENT = Decimal("0.01")
ZERO = Decimal(0)
_NOTHING = Part(ZERO, 0)
_GROUPS = {"model": "by_foundation_model", "application": "by_application"}


@dataclass(frozen=True, slots=True)
class Key:
    """The part of the world's answer key that the product can see, and where else to look."""

    logged: Mapping[str, Any]
    metered: Mapping[str, Decimal]
    """USD of calls in places that never log, by account."""
    billed: Mapping[str, Decimal]
    """USD that the bill names for accounts out of reach, by account."""


def read_key(world: World) -> Key:
    """From the files beside the world, which were computed from its events."""
    truth = json.loads(world.truth_file.read_text())
    cells = json.loads(world.cells_file.read_text())
    reachable = _reachable(world)
    metered: dict[str, Decimal] = {}
    for account, region in _never_logged(reachable):
        sums = truth["all"]["by_account_region"].get(f"{account}/{region}", {"cost_nano": 0})
        metered[account] = metered.get(account, ZERO) + sums["cost_nano"] * NANO
    billed = {account: ZERO for account in world.accounts if account not in reachable}
    for cell in cells:
        if cell["account"] in billed:
            billed[cell["account"]] += Decimal(cell["billed_usd"])
    return Key(truth["logged"], metered, billed)


def check(rest: Answer, graphql: Answer, told: ByTheList, key: Key) -> str:
    """What held, in words; StageFailed lists what did not."""
    wrong = list(faces(rest, graphql))
    if (listed := told.answer) is not None:
        wrong += [
            *_logged(listed, key.logged),
            *_coarser(listed, "metric", key.metered),
            *_coarser(listed, "bill", key.billed),
        ]
    if wrong:
        raise StageFailed("; ".join(wrong[:5]))
    if listed is None:
        return f"GraphQL = REST; estimates are not held against the answer key: {told.note}"
    models, applications = (len(key.logged[name]) for name in _GROUPS.values())
    when = f" {told.note}" if told.note else ""
    return (
        f"GraphQL = REST; logged calls{when} = answer key to the nano-dollar "
        f"({models} models, {applications} applications); counted and billed parts to the cent"
    )


def check_findings(findings: Iterable[Mapping[str, Any]], world: World) -> str:
    """The story's gaps must have been found: the account without the role, and the regions
    whose calls are not logged. A closed account is no gap that anybody could close."""
    found = [json.dumps([one["subject"], one["evidence"]]) for one in findings]
    reachable = _reachable(world)
    known = {*reachable, *world.suspended}
    gaps: list[tuple[str, ...]] = [(one,) for one in world.accounts if one not in known]
    gaps += _never_logged(reachable)
    for gap in gaps:
        if not any(all(part in text for part in gap) for text in found):
            raise StageFailed(f"no finding tells of {' in '.join(gap)}")
    return f"{len(found)} open, the story's gaps among them"


def _reachable(world: World) -> set[str]:
    return {world.reader_account, *world.members_with_jump_role}


def _never_logged(accounts: set[str]) -> list[tuple[str, ...]]:
    """Account and region of calls that go to no log at all."""
    story = organization()
    logging = {(place.account, place.region) for place in story.logs}
    calling = {(s.account, s.region) for s in story.streams if s.account in accounts}
    return sorted(calling - logging)


def faces(rest: Answer, graphql: Answer) -> Iterable[str]:
    """What GraphQL says otherwise than REST."""
    for name in ("total", "beside", "unpriced"):
        if getattr(rest, name) != getattr(graphql, name):
            yield f"GraphQL and REST differ in {name}"
    for dimension in DIMENSIONS:
        if rest.groups[dimension] != graphql.groups[dimension]:
            yield f"GraphQL and REST differ by {dimension}"


def _logged(answer: Answer, logged: Mapping[str, Any]) -> Iterable[str]:
    yield from _group("logged calls", answer.total, logged["total"])
    for dimension, name in _GROUPS.items():
        found = answer.groups[dimension]
        for group, expected in logged[name].items():
            if group not in found:
                yield f"{dimension} {group or '(none)'} is missing"
            else:
                yield from _group(f"{dimension} {group or '(none)'}", found[group], expected)
        for group, sums in found.items():
            if group not in logged[name] and "request" in sums.grains:
                yield f"{dimension} {group or '(none)'} has logged calls that never were"


def _group(what: str, sums: Sums, expected: Mapping[str, Any]) -> Iterable[str]:
    part = sums.grains.get("request", _NOTHING)
    if part.requests != expected["requests"]:
        yield f"{what}: {part.requests} requests, the key says {expected['requests']}"
    usd = expected["cost_nano"] * NANO
    if (part.cost or ZERO) != usd:
        yield f"{what}: {part.cost} USD, the key says {usd}"


def _coarser(answer: Answer, grain: str, expected: Mapping[str, Decimal]) -> Iterable[str]:
    for account, usd in expected.items():
        sums = answer.groups["account"].get(account)
        part = _NOTHING if sums is None else sums.grains.get(grain, _NOTHING)
        if abs((part.cost or ZERO) - usd) >= CENT:
            yield f"account {account}, {grain} part: {part.cost} USD, the key says {usd}"

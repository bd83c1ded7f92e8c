"""Holds the reconciled bill against itself, against GraphQL and against the world's answer key.

What is compared, and how exactly:

- GraphQL against REST: months, coverage and every cost, equal.
- Billed = attributed + unattributed, and the difference is zero: to the last nano-dollar.
- Costs by model, application, team and account with everything on the invoice: each adds up to
  what the month's reconciled days are billed, to the last nano-dollar.
- Money that stays with a team on the bill's own lines: no more than lines with its tag are billed,
  after savings plans took back what they cover, and none of it negative.
- Each class of each month against the answer key, to the cent: the month that AWS restated by its
  second delivery and, as of before, by its first; of a month that still runs only the days that
  are reconciled.
- In months that are billed to their end, each account's usage by what explains it, to the cent.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from demo.story import questions
from demo.story.api import Json, Session
from demo.story.board import StageFailed
from demo.story.compare import CENT, ZERO, faces
from demo.story.invoice import Invoice, Month, ask_graphql, ask_rest
from demo.story.questions import DIMENSIONS, INVOICE, Answer, Part, Sums
from demo.story.reconciling import Restatement
from demo.world.spec import World

_CALLED = {"metered": "attributed", "unnamed": "unlogged"}
"""Shares that the key tells apart and the product's classes do not. What the bill names in words
that nobody knows is explained by no row."""
_GRAINS = {"request": ("attributed",), "metric": ("metered",), "bill": ("unlogged", "unnamed")}
"""What explains an account's usage; the key's shares of it."""
_UNATTRIBUTED = "(unattributed)"
_NOTHING = Part(ZERO, 0)


@dataclass(frozen=True, slots=True)
class Told:
    """One face's word: the bill, and the costs of each of its months that has a closed day."""

    invoice: Invoice
    costs: Mapping[str, Answer]


async def ask(session: Session) -> tuple[Told, Told, list[Json]]:
    """REST's word, GraphQL's, and REST's places by coverage."""
    invoice, places = await ask_rest(session)
    rest, graphql = dict[str, Answer](), dict[str, Answer]()
    for month in invoice.months:
        if not month.is_empty:
            rest[month.period] = await questions.ask_rest(session, month.window, INVOICE)
            graphql[month.period] = await questions.ask_graphql(session, month.window, INVOICE)
    said = await ask_graphql(session, invoice)
    return Told(invoice, rest), Told(said, graphql), places


@dataclass(frozen=True, slots=True)
class Key:
    """The answer key's months: as AWS delivers them first, and as it bills them in the end."""

    first: Mapping[str, Any]
    final: Mapping[str, Any]


def read_key(world: World) -> Key:
    """From the file beside the world."""
    truth = json.loads(world.truth_file.read_text())
    return Key(truth["bill"], {**truth["bill"], **truth["restated"]})


def check(rest: Told, graphql: Told, restated: Restatement | None, key: Key) -> str:
    """What held, in words; StageFailed lists what did not."""
    invoice = rest.invoice
    wrong = [] if invoice == graphql.invoice else ["GraphQL and REST differ about the bill"]
    if missing := key.final.keys() - {month.period for month in invoice.months}:
        wrong.append(f"no bill of {', '.join(sorted(missing))}")
    for month in invoice.months:
        wrong += _identity(month)
        wrong += _classes(month, key.final[month.period])
        if (costs := rest.costs.get(month.period)) is not None:
            wrong += faces(costs, graphql.costs[month.period])
            wrong += _sums(month, costs)
            wrong += _teams(month, costs, key.final[month.period])
            wrong += _accounts(month, costs, key.final[month.period])
    if restated is not None:
        wrong += _identity(restated.before)
        wrong += _classes(restated.before, key.first[restated.period])
    if wrong:
        raise StageFailed("; ".join(wrong[:5]))
    return (
        f"model, application, team and account each add up to the {len(invoice.months)} month(s)"
        " billed, difference 0.00; classes = answer key to the cent"
    )


def _identity(month: Month) -> Iterable[str]:
    shares = month.shares
    rest = shares.billed - shares.attributed - sum(shares.unattributed.values(), ZERO)
    if rest or shares.difference:
        yield f"{month.period}: {rest:f} USD are nowhere, the difference is {shares.difference}"


def _classes(month: Month, key: Mapping[str, Any]) -> Iterable[str]:
    expected: dict[str, Decimal] = {}
    for day, shares in key["shares_by_day"].items():
        if day < month.closed_until:
            for share, usd in shares.items():
                name = _CALLED.get(share, share)
                expected[name] = expected.get(name, ZERO) + Decimal(usd)
    told = {"attributed": month.shares.attributed, **month.shares.unattributed}
    for name in sorted({*told, *expected}):
        found, usd = told.get(name, ZERO), expected.get(name, ZERO)
        if abs(found - usd) >= CENT:
            yield f"{month.period}, {name}: {found} USD, the key says {usd}"


def _sums(month: Month, costs: Answer) -> Iterable[str]:
    billed = month.shares.billed
    sums = {"total": costs.total.cost}
    for dimension in DIMENSIONS:
        rows = costs.groups[dimension].values()
        sums[dimension] = sum((row.cost or ZERO for row in rows), ZERO)
    for name, cost in sums.items():
        if cost != billed:
            yield f"{month.period} by {name}: {cost} USD, {billed} USD are billed"


def _teams(month: Month, costs: Answer, key: Mapping[str, Any]) -> Iterable[str]:
    for team, sums in costs.groups["team"].items():
        usd = _part(sums, "bill")
        if team == _UNATTRIBUTED and usd < 0:
            yield f"{month.period}: nobody in particular is paid {-usd} USD"
        elif team and not team.startswith("("):
            most = Decimal(key["tagged_by_team"].get(team, "0"))
            if not -CENT < usd < most + CENT:
                yield f"{month.period}, team {team}: {usd} USD of lines, {most} USD name it"


def _accounts(month: Month, costs: Answer, key: Mapping[str, Any]) -> Iterable[str]:
    if max(key["shares_by_day"]) >= month.closed_until:
        return
    for account, shares in key["shares_by_account"].items():
        sums = costs.groups["account"].get(account)
        for grain, names in _GRAINS.items():
            usd = sum((Decimal(shares.get(name, "0")) for name in names), ZERO)
            found = _part(sums, grain)
            if abs(found - usd) >= CENT:
                yield f"{month.period}, account {account}, {grain} part: {found} USD, not {usd}"


def _part(sums: Sums | None, grain: str) -> Decimal:
    part = _NOTHING if sums is None else sums.grains.get(grain, _NOTHING)
    return part.cost or ZERO

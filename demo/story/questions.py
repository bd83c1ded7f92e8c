"""Where did the money go? Asked of both faces, read into one form that can be compared.

By estimate, because the answer key knows what each call costs by list price, and by invoice.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from decimal import Decimal

from demo.story.api import Json, Session
from demo.world.spec import World

DIMENSIONS = ("model", "application", "team", "account")
_ALL_ROWS = 1000
_SUMS = "cost requests unpricedRequests unpricedTokens grains { grain cost requests }"
_BESIDE = "beside { grain reason currency cost }"
_VIEW = "window: $window, basis: $basis, charges: $charges"
_GROUPS = f"{_VIEW}, limit: $limit"
DOCUMENT = f"""
query WhereDidTheMoneyGo(
  $window: WindowInput!, $limit: Int!, $basis: CostBasis!, $charges: CostCharges!
) {{
  summary: costSummary({_VIEW}) {{
    totals {{ {_SUMS} }} {_BESIDE}
    unpriced {{ modelId reason requests tokens }}
  }}
  model: costBreakdown(dimension: MODEL, {_GROUPS}) {{
    rows {{ name {_SUMS} }}
  }}
  application: costBreakdown(dimension: APPLICATION, {_GROUPS}) {{
    rows {{ name {_SUMS} }}
  }}
  team: costBreakdown(dimension: TEAM, {_GROUPS}) {{
    rows {{ name {_SUMS} }}
  }}
  account: costBreakdown(dimension: ACCOUNT, {_GROUPS}) {{
    rows {{ name {_SUMS} }}
  }}
}}"""


@dataclass(frozen=True, slots=True)
class View:
    """How costs are looked at, in REST's words."""

    basis: str
    charges: str


ESTIMATE = View("estimate", "usage")
INVOICE = View("unblended", "invoice")


@dataclass(frozen=True, slots=True)
class Part:
    """Money and requests of one grain. ``cost`` None: nothing of it has a price."""

    cost: Decimal | None
    requests: int


@dataclass(frozen=True, slots=True)
class Sums:
    """What counts, in all and by grain (``request``, ``metric``, ``bill``)."""

    cost: Decimal | None
    requests: int
    unpriced_requests: int
    unpriced_tokens: int
    grains: dict[str, Part]


@dataclass(frozen=True, slots=True)
class Beside:
    grain: str
    reason: str
    currency: str
    cost: Decimal | None


@dataclass(frozen=True, slots=True)
class Unpriced:
    model: str
    reason: str
    requests: int
    tokens: int


@dataclass(frozen=True, slots=True)
class Answer:
    """One face's answer. Groups by name, "" for what names nothing."""

    total: Sums
    beside: frozenset[Beside]
    unpriced: frozenset[Unpriced]
    groups: dict[str, dict[str, Sums]] = field(default_factory=dict)


def window_of(world: World) -> dict[str, str]:
    """Whole days around the world: bill lines count by the day."""
    end = world.end.date() + timedelta(days=1)
    return {"from": world.start.date().isoformat(), "to": end.isoformat()}


async def ask_rest(
    session: Session, window: dict[str, str], view: View, as_of: str | None = None
) -> Answer:
    """``GET /v1/cost/summary`` and ``/v1/cost/breakdown``, with what was known ``as_of`` then."""
    asked = {**window, "basis": view.basis, "charges": view.charges}
    if as_of is not None:
        asked["as_of"] = as_of
    summary = await session.get("/v1/cost/summary", **asked)
    groups = {}
    for dimension in DIMENSIONS:
        found = await session.get(
            "/v1/cost/breakdown", group_by=dimension, limit=str(_ALL_ROWS), **asked
        )
        groups[dimension] = {row["key"] or "": _rest_sums(row) for row in found["rows"]}
    return Answer(
        total=_rest_sums(summary["totals"]),
        beside=frozenset(
            Beside(one["grain"], one["reason"], one["currency"], _money(one["cost"]))
            for one in summary["beside"]
        ),
        unpriced=frozenset(
            Unpriced(one["model_id"], one["reason"], one["requests"], one["tokens"])
            for one in summary["unpriced"]
        ),
        groups=groups,
    )


async def ask_graphql(session: Session, window: dict[str, str], view: View) -> Answer:
    """One document with the same questions."""
    asked = {"basis": view.basis.upper(), "charges": view.charges.upper()}
    found = await session.query(DOCUMENT, {"window": window, "limit": _ALL_ROWS, **asked})
    summary = found["summary"]
    return Answer(
        total=_graphql_sums(summary["totals"]),
        beside=frozenset(
            Beside(one["grain"].lower(), one["reason"], one["currency"], _money(one["cost"]))
            for one in summary["beside"]
        ),
        unpriced=frozenset(
            Unpriced(one["modelId"], one["reason"], one["requests"], one["tokens"])
            for one in summary["unpriced"]
        ),
        groups={
            dimension: {row["name"] or "": _graphql_sums(row) for row in found[dimension]["rows"]}
            for dimension in DIMENSIONS
        },
    )


def _rest_sums(found: Json) -> Sums:
    return Sums(
        cost=_money(found["cost_usd"]),
        requests=found["requests"],
        unpriced_requests=found["unpriced"]["requests"],
        unpriced_tokens=found["unpriced"]["tokens"],
        grains={
            grain: Part(_money(part["cost_usd"]), part["requests"])
            for grain, part in found["by_grain"].items()
        },
    )


def _graphql_sums(found: Json) -> Sums:
    return Sums(
        cost=_money(found["cost"]),
        requests=found["requests"],
        unpriced_requests=found["unpricedRequests"],
        unpriced_tokens=found["unpricedTokens"],
        grains={
            part["grain"].lower(): Part(_money(part["cost"]), part["requests"])
            for part in found["grains"]
        },
    )


def _money(text: str | None) -> Decimal | None:
    return None if text is None else Decimal(text)

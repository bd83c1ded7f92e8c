"""The reconciled bill as both faces tell it: months, their shares, coverage. Unblended dollars."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from demo.story.api import Json, Session
from demo.story.board import StageFailed

RECONCILIATION = "/v1/cost/reconciliation"
MONTHS = 24
"""Billing months to ask for: more than a backfill reads."""
ZERO = Decimal(0)
_CURRENCY, _BASIS = "USD", "unblended"
_DOCUMENT = """
query TheBill($first: Int!, $window: WindowInput!) {
  reconciliationPeriods(first: $first) {
    nodes {
      period
      version { closedUntil }
      totals {
        currency
        billed { unblended } attributed { unblended } difference { unblended }
        unattributed { share amount { unblended } }
      }
    }
  }
  spendCoverage(window: $window) { totals { billed byRequests byMetrics unlogged } }
}"""


@dataclass(frozen=True, slots=True)
class Shares:
    """What a bill says, and what became of every dollar of it."""

    billed: Decimal = ZERO
    attributed: Decimal = ZERO
    unattributed: Mapping[str, Decimal] = field(default_factory=dict)
    difference: Decimal = ZERO

    def plus(self, other: Shares) -> Shares:
        names = dict.fromkeys([*self.unattributed, *other.unattributed])
        return Shares(
            self.billed + other.billed,
            self.attributed + other.attributed,
            {
                name: self.unattributed.get(name, ZERO) + other.unattributed.get(name, ZERO)
                for name in names
            },
            self.difference + other.difference,
        )


@dataclass(frozen=True, slots=True)
class Month:
    """The reconciled days of a billing month: from its first until ``closed_until``."""

    period: str
    closed_until: str
    shares: Shares

    @property
    def window(self) -> dict[str, str]:
        return {"from": f"{self.period}-01", "to": self.closed_until}

    @property
    def is_empty(self) -> bool:
        """No day of it can be reconciled yet."""
        return self.window["from"] == self.window["to"]


@dataclass(frozen=True, slots=True)
class Coverage:
    """How much of the billed AI usage is explained."""

    billed: Decimal
    by_requests: Decimal
    by_metrics: Decimal
    unlogged: Decimal


@dataclass(frozen=True, slots=True)
class Invoice:
    """One face's word on the bill. Months, the oldest first."""

    months: tuple[Month, ...]
    coverage: Coverage

    @property
    def total(self) -> Shares:
        found = Shares()
        for month in self.months:
            found = found.plus(month.shares)
        return found


async def ask_rest(session: Session) -> tuple[Invoice, list[Json]]:
    """``GET /v1/cost/reconciliation`` and ``/v1/cost/coverage``; the covered places with it."""
    found = await session.get(RECONCILIATION, limit=str(MONTHS))
    months = _sorted(month_of(one) for one in found)
    coverage = await session.get("/v1/cost/coverage", **_window(months))
    total = coverage["total"]
    names = ("billed", "by_requests", "by_metrics", "unlogged")
    return (
        Invoice(months, Coverage(*(Decimal(total[name]) for name in names))),
        coverage["places"],
    )


async def ask_graphql(session: Session, window_of: Invoice) -> Invoice:
    """The same in one document, over the days of the other face's answer.

    One month more than that has is asked for: the operation's allowed cost is that of few.
    """
    asked = {"first": len(window_of.months) + 1, "window": _window(window_of.months)}
    found = await session.query(_DOCUMENT, asked)
    months = _sorted(
        Month(one["period"], one["version"]["closedUntil"], shares_of(one))
        for one in found["reconciliationPeriods"]["nodes"]
    )
    total = found["spendCoverage"]["totals"]
    names = ("billed", "byRequests", "byMetrics", "unlogged")
    return Invoice(months, Coverage(*(Decimal(total[name]) for name in names)))


def month_of(month: Json) -> Month:
    """Of a reconciled month as REST tells it."""
    return Month(month["period"], month["closed_until"], shares_of(month))


def shares_of(month: Json) -> Shares:
    """Of a month as either face tells it; StageFailed where it bills in another currency."""
    totals = month["totals"]
    if not totals:
        return Shares()
    if [one["currency"] for one in totals] != [_CURRENCY]:
        raise StageFailed(f"{month['period']} is not billed in {_CURRENCY} alone")
    (total,) = totals
    return Shares(
        amount(total["billed"]),
        amount(total["attributed"]),
        {part["share"].lower(): amount(part["amount"]) for part in total["unattributed"]},
        amount(total["difference"]),
    )


def amount(bases: Json) -> Decimal:
    return Decimal(bases[_BASIS])


def _sorted(months: Iterable[Month]) -> tuple[Month, ...]:
    found = tuple(sorted(months, key=lambda month: month.period))
    if not found:
        raise StageFailed("no month has a bill")
    return found


def _window(months: tuple[Month, ...]) -> dict[str, str]:
    return {"from": months[0].window["from"], "to": months[-1].window["to"]}

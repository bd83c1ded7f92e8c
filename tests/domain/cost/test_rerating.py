"""Which rows a change of prices concerns, and what may change without approval."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest

from tensorcost.domain.cost.price import Price, PriceKey, UnitKind
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.reconciliation.closing import PeriodState
from tensorcost.domain.cost.rerating import Repriced, books_state, repriced_spans, touches
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.domain.spend.limits import to_us
from tests.support.spend import MODEL, dimension

JANUARY = datetime(2026, 1, 1, tzinfo=UTC)
MARCH = datetime(2026, 3, 1, tzinfo=UTC)
MAY = datetime(2026, 5, 1, tzinfo=UTC)
OCTOBER = date(2026, 10, 1)
NOVEMBER = date(2026, 11, 1)
NOW = datetime(2026, 11, 20, tzinfo=UTC)


def price(
    usd: str,
    since: datetime,
    version: int,
    *,
    kind: TokenKind | UnitKind = TokenKind.INPUT,
    until: datetime | None = None,
    model: str = MODEL,
) -> Price:
    key = PriceKey(
        "bedrock", model, "*", RoutingScope.IN_REGION, ServiceTier.STANDARD, "text", "base", kind
    )
    return Price(key, Decimal(usd), since, until, version, "test")


OLD = price("2", JANUARY, 1)


@pytest.mark.parametrize(
    ("added", "spans"),
    [
        ([], ()),
        ([price("2", MARCH, 2)], ()),
        ([price("3", MARCH, 2)], ((to_us(MARCH), None),)),
        ([price("3", MARCH, 2, until=MAY)], ((to_us(MARCH), to_us(MAY)),)),
        ([price("3", JANUARY, 2)], ((to_us(JANUARY), None),)),
        ([price("3", MARCH, 2), price("2", MAY, 3)], ((to_us(MARCH), to_us(MAY)),)),
        ([price("3", MARCH, 2), price("4", MAY, 3)], ((to_us(MARCH), None),)),
        ([price("9", MARCH, 2, model="another.model")], ()),
        ([price("9", MARCH, 2, kind=UnitKind.PAGE)], None),
    ],
)
def test_only_the_times_at_which_a_price_differs_are_concerned(
    added: list[Price], spans: tuple[tuple[int, int | None], ...] | None
) -> None:
    found = repriced_spans(dimension(), PriceBook([OLD]), PriceBook([OLD, *added]))
    if spans is None:
        # A model sold by the page too is not free when idle: every time is concerned.
        assert touches(found, to_us(JANUARY), to_us(MARCH))
    else:
        assert found == spans


def test_an_override_concerns_the_times_from_its_date_on() -> None:
    found = repriced_spans(
        dimension(), PriceBook([OLD]), PriceBook([OLD], [price("1.5", MARCH, 2)])
    )
    assert found == ((to_us(MARCH), None),)


def test_a_day_is_looked_at_where_it_meets_a_span() -> None:
    spans = ((10, 20), (30, None))
    assert [touches(spans, n, n + 5) for n in (0, 5, 6, 15, 19, 20, 25, 26, 99)] == [
        False,
        False,
        True,
        True,
        True,
        False,
        False,
        True,
        True,
    ]


@pytest.mark.parametrize(
    ("period", "invoices", "state"),
    [
        (NOVEMBER, [], PeriodState.OPEN),
        (OCTOBER, [], PeriodState.CLOSING),
        (OCTOBER, [("", None)], PeriodState.CLOSING),
        (OCTOBER, [("inv", NOW - timedelta(days=13))], PeriodState.CLOSING),
        (OCTOBER, [("inv", NOW - timedelta(days=14))], PeriodState.FINAL),
        (OCTOBER, [("inv", NOW - timedelta(days=14)), ("", None)], PeriodState.CLOSING),
        (NOVEMBER, [("inv", NOW)], PeriodState.OPEN),
    ],
)
def test_a_month_that_is_over_is_never_open(
    period: date, invoices: list[tuple[str, datetime | None]], state: PeriodState
) -> None:
    assert books_state(period, invoices, NOW) is state


REPRICED = Repriced(
    old_nano=np.array([5, 5, 0, 0, 5]),
    old_priced=np.array([True, True, False, False, True]),
    new_nano=np.array([5, 7, 7, 0, 0]),
    new_priced=np.array([True, True, True, False, False]),
)
"""Equal, dearer, newly priced, still unpriced, losing its price."""


@pytest.mark.parametrize(
    ("approved", "frozen", "rows"),
    [
        (False, False, [1, 2, 4]),
        (False, True, [2]),
        (True, True, [1, 4]),
        (True, False, []),
    ],
)
def test_a_month_that_is_over_waits_for_approval_unless_a_row_had_no_price(
    approved: bool, frozen: bool, rows: list[int]
) -> None:
    chosen = REPRICED.selected(approved=approved, frozen=frozen)
    assert np.flatnonzero(chosen).tolist() == rows

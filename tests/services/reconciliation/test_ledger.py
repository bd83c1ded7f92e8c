"""The ledger's questions: which days, which rows, in which pages."""

from datetime import date, timedelta
from typing import Any

import pytest

from tensorcost.domain.cost.reconciliation.facts import GapClass
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.ids import TenantId
from tensorcost.services.reconciliation.asking import (
    LedgerAsk,
    cursor_key,
    ledger_key,
    ledger_query,
    month_key,
)
from tensorcost.services.reconciliation.service import ReconciliationService
from tensorcost.storage.reconciliation.ledger import LedgerKey, LedgerOrder, LedgerRow
from tensorcost.storage.session import Database
from tests.services.reconciliation.conftest import FIFTH
from tests.support.principals import NOW, caller
from tests.support.reconciled import PLACE, explained_day, together, write_version

SIXTH = FIFTH + timedelta(days=1)
WEST = PLACE._replace(region="us-west-2")
USD = 10**9


@pytest.mark.parametrize(
    ("ask", "days"),
    [
        (LedgerAsk(), (date(2026, 9, 21), date(2026, 10, 21))),
        (LedgerAsk(period="2026-02"), (date(2026, 2, 1), date(2026, 3, 1))),
        (
            LedgerAsk(period="2026-10", start="2026-10-05"),
            (date(2026, 10, 5), date(2026, 11, 1)),
        ),
        (
            LedgerAsk(start="2026-10-05", end="2026-10-06T00:00:00Z"),
            (date(2026, 10, 5), date(2026, 10, 6)),
        ),
    ],
)
def test_the_days_asked_for(ask: LedgerAsk, days: tuple[date, date]) -> None:
    query = ledger_query(ask, NOW)
    assert (query.first_day, query.end_day) == days


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (LedgerAsk(period="last month"), "period"),
        (LedgerAsk(period="2026-10", start="2026-09-30"), "from"),
        (LedgerAsk(period="2026-10", end="2026-11-02"), "to"),
        (LedgerAsk(start="2026-10-05T12:00:00Z"), "from"),
        (LedgerAsk(start="2026-10-05", end="2026-10-06T12:00:00Z"), "to"),
        (LedgerAsk(start="2026-10-05", end="2026-10-05"), "from"),
        (LedgerAsk(as_of="2199-01-01"), "as_of"),
        (LedgerAsk(min_gap_nano=-1), "min_gap"),
    ],
)
def test_a_wrong_question_is_refused_by_name(ask: LedgerAsk, field: str) -> None:
    with pytest.raises(ValidationFailed) as refused:
        ledger_query(ask, NOW)
    assert refused.value.field == field


def test_a_cursor_brings_its_key_back() -> None:
    key = LedgerKey(FIFTH, *PLACE, "USD")
    assert ledger_key(cursor_key(key), field="cursor") == key
    assert ledger_key(None, field="cursor") is None


@pytest.mark.parametrize(
    "parts", [(), ("2026-10-05",), ("x", "a", "r", "m", "USD"), (1, 2, 3, 4, 5), ("2026-10",) * 6]
)
def test_a_foreign_cursor_is_refused(parts: tuple[Any, ...]) -> None:
    for read in (ledger_key, month_key):
        with pytest.raises(ValidationFailed, match="not a cursor"):
            read(parts, field="cursor")


@pytest.mark.parametrize(
    ("only", "regions"),
    [
        ({}, ["us-east-1", "us-west-2"]),
        ({"region": "us-west-2"}, ["us-west-2"]),
        ({"min_gap_nano": 2 * USD}, ["us-east-1"]),
        ({"min_gap_nano": 2 * USD + 1}, []),
        ({"min_gap_nano": USD, "gap_class": GapClass.UNLOGGED}, ["us-west-2"]),
        ({"min_gap_nano": 2 * USD, "gap_class": GapClass.PRICE_DRIFT}, ["us-east-1"]),
        ({"gap_class": GapClass.TAX}, []),
    ],
)
async def test_rows_are_kept_by_place_and_by_the_size_of_their_gaps(
    db: Database,
    months: ReconciliationService,
    tenant: TenantId,
    only: dict[str, Any],
    regions: list[str],
) -> None:
    """In the east the bill is two dollars under the list; in the west one dollar is unlogged."""
    east = explained_day(1, 0, 3)
    west = explained_day(3, 1, 3, cell=WEST)
    await write_version(db, tenant, {FIFTH: together(east, west)})
    rows = await months.ledger(caller(tenant), LedgerAsk(period="2026-10", **only), limit=9)
    assert [row.total.cell.region for row in rows] == regions


@pytest.mark.parametrize(
    ("only", "sizes"), [({}, [6, 2, 2, 1]), ({"gap_class": GapClass.UNLOGGED}, [6, 1])]
)
async def test_the_largest_amounts_come_first_and_pages_of_them_meet(
    db: Database,
    months: ReconciliationService,
    tenant: TenantId,
    only: dict[str, Any],
    sizes: list[int],
) -> None:
    both = together(explained_day(1, 0, 3), explained_day(3, 1, 3, cell=WEST))
    later = together(explained_day(1, 0, 3), explained_day(4, 6, 3, cell=WEST))
    await write_version(db, tenant, {FIFTH: both, SIXTH: later})
    ask, reader = LedgerAsk(period="2026-10", order=LedgerOrder.AMOUNT, **only), caller(tenant)
    found: list[LedgerRow] = []
    while page := await months.ledger(reader, ask, limit=1, after=found[-1].key if found else None):
        found += page
    assert [row.size_nano for row in found] == [size * USD for size in sizes]
    key = found[-1].key
    assert ledger_key(cursor_key(key), field="cursor", order=LedgerOrder.AMOUNT) == key
    with pytest.raises(ValidationFailed, match="not a cursor"):
        ledger_key(cursor_key(key), field="cursor")


async def test_pages_meet_without_a_seam(
    db: Database, months: ReconciliationService, tenant: TenantId
) -> None:
    day = together(explained_day(), explained_day(cell=WEST))
    await write_version(db, tenant, {FIFTH: day, SIXTH: day})
    ask, reader = LedgerAsk(period="2026-10"), caller(tenant)
    whole = await months.ledger(reader, ask, limit=9)
    first = await months.ledger(reader, ask, limit=3)
    rest = await months.ledger(reader, ask, limit=3, after=first[-1].key)
    assert [*first, *rest] == list(whole)
    assert len(whole) == 4

"""One database a module, one tenant a test, and a month whose bill and reconciliation agree."""

from datetime import date
from typing import Any

import pytest

from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import ChargeCategory
from tensorcost.services.reconciliation.coverage import CoverageService
from tensorcost.services.reconciliation.service import ReconciliationService
from tensorcost.storage.reconciliation.results import OpenVersion
from tensorcost.storage.session import Database
from tests.support.asked import Asked
from tests.support.bills import bill_line, load_bill
from tests.support.clock import MovableClock
from tests.support.reconciled import explained_day, write_version

FIFTH = date(2026, 10, 5)
AMOUNTS = ("unblended_nano", "amortized_nano", "net_nano")


@pytest.fixture
def clock() -> MovableClock:
    """A little ahead of the database, so that whatever a test writes lies in the past."""
    ahead = MovableClock()
    ahead.move(minutes=5)
    return ahead


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def months(db: Database, asked: Asked, clock: MovableClock) -> ReconciliationService:
    return ReconciliationService(db, asked, clock)


@pytest.fixture
def coverage(db: Database, clock: MovableClock) -> CoverageService:
    return CoverageService(db, clock)


def billed(dollars: int, day: date = FIFTH, **changes: Any) -> Any:
    """A line whose bases differ as those of ``explained_day`` do."""
    nano = dollars * 10**9
    amounts = dict(zip(AMOUNTS, (nano, nano // 2, nano // 4), strict=True))
    return bill_line(day, **amounts, **changes)


async def october(db: Database, tenant: TenantId) -> OpenVersion:
    """Four dollars attributed, one not, two of tax; three were estimated."""
    bill = await load_bill(db, tenant, [billed(5), billed(2, charge_category=ChargeCategory.TAX)])
    return await write_version(
        db, tenant, {FIFTH: explained_day(4, 1, 3, tax=2)}, deliveries=[bill]
    )

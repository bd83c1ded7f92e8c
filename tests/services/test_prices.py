"""Prices in force: by time of use, the tenant's own before the list."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tensorcost.domain.errors import Forbidden, NotFound, ValidationFailed
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.services.prices import ModelPriceList, PriceService
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.price_rows import add_list_price, add_override
from tests.support.principals import caller, fixed_clock
from tests.support.tenants import app_database, make_tenant

MAY, JULY = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


@pytest.fixture(scope="module")
async def db(database: databases.Database) -> AsyncIterator[Database]:
    async with app_database(database) as opened:
        yield opened


@pytest.fixture
async def tenant(database: databases.Database) -> TenantId:
    return await make_tenant(database)


@pytest.fixture
def prices(db: Database) -> PriceService:
    return PriceService(db, fixed_clock)


def inputs(found: ModelPriceList) -> list[tuple[str, Decimal, bool, bool]]:
    return [
        (
            one.price.key.region,
            one.price.usd_per_million,
            one.is_override,
            one.is_overridden,
        )
        for one in found.prices
        if one.price.key.kind == "input"
    ]


async def test_the_price_is_the_one_at_the_time_of_use(
    database: databases.Database, prices: PriceService, tenant: TenantId
) -> None:
    await add_list_price(database, "f-1", "3", MAY)
    await add_list_price(database, "f-1", "2", JULY)
    who = caller(tenant)
    assert inputs(await prices.in_force(who, "f-1", "2026-06-30")) == [
        ("*", Decimal(3), False, False)
    ]
    assert inputs(await prices.in_force(who, "f-1", "2026-07-01")) == [
        ("*", Decimal(2), False, False)
    ]
    assert inputs(await prices.in_force(who, "f-1")) == [("*", Decimal(2), False, False)]
    assert inputs(await prices.in_force(who, "f-1", "2026-04-30")) == []


async def test_a_price_ends_at_its_end(
    database: databases.Database, prices: PriceService, tenant: TenantId
) -> None:
    await add_list_price(database, "f-2", "3", MAY, until=JULY)
    assert inputs(await prices.in_force(caller(tenant), "f-2", JULY)) == []


async def test_an_override_marks_the_list_price_that_it_replaces(
    db: Database, database: databases.Database, prices: PriceService, tenant: TenantId
) -> None:
    await add_list_price(database, "f-3", "3", MAY)
    await add_list_price(database, "f-3", "4", MAY, region="eu-west-1")
    await add_override(db, tenant, "f-3", "2", JULY, region="eu-*")
    before = await prices.in_force(caller(tenant), "f-3", "2026-06-01")
    assert inputs(before) == [
        ("*", Decimal(3), False, False),
        ("eu-west-1", Decimal(4), False, False),
    ]
    after = await prices.in_force(caller(tenant), "f-3")
    assert inputs(after) == [
        ("*", Decimal(3), False, False),
        ("eu-*", Decimal(2), True, False),
        ("eu-west-1", Decimal(4), False, True),
    ]


async def test_another_tenants_override_is_not_seen(
    db: Database, database: databases.Database, prices: PriceService, tenant: TenantId
) -> None:
    await add_override(db, await make_tenant(database), "f-4", "2", MAY)
    with pytest.raises(NotFound):
        await prices.in_force(caller(tenant), "f-4")


async def test_what_cannot_be_answered_is_refused(
    database: databases.Database, prices: PriceService, tenant: TenantId
) -> None:
    await add_list_price(database, "f-5", "3", MAY)
    with pytest.raises(ValidationFailed, match="at"):
        await prices.in_force(caller(tenant), "f-5", "someday")
    with pytest.raises(Forbidden):
        await prices.in_force(caller(tenant, [Scope.AI_READ]), "f-5")
    assert inputs(await prices.in_force(caller(tenant), "f-5", provider="vertex")) == []

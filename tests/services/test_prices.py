"""Prices in force: by time of use, the tenant's own before the list."""

import json
import re
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.domain.cost.price import Price
from tensorcost.domain.cost.reconciliation.facts import GapClass
from tensorcost.domain.cost.reconciliation.remedies import explain
from tensorcost.domain.errors import Forbidden, NotFound, PayloadTooLarge, ValidationFailed
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Grain, RoutingScope
from tensorcost.services.prices import MAX_MAP_BYTES, ModelPriceList, PriceService
from tensorcost.storage.reconciliation.contributors import read_contributors
from tensorcost.storage.session import Database
from tests.support import databases
from tests.support.price_rows import add_list_price, add_override
from tests.support.principals import caller, fixed_clock
from tests.support.reconciled import explained_day, write_version
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses
from tests.support.tenants import make_tenant

MAY, JULY = datetime(2026, 5, 1, tzinfo=UTC), datetime(2026, 7, 1, tzinfo=UTC)


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


DEAL = json.dumps(
    {
        "deal-1": {
            "litellm_provider": "openai",
            "mode": "chat",
            "input_cost_per_token": 2.5e-06,
            "output_cost_per_token": 1e-05,
        }
    }
).encode()
SIGNED = date(2026, 7, 1)


async def test_a_tenants_own_prices_are_imported_once_and_win_from_their_day_on(
    db: Database, prices: PriceService, tenant: TenantId
) -> None:
    who = caller(tenant, [Scope.PRICE_ADMIN, Scope.COST_READ])
    report = await prices.import_own(who, DEAL, SIGNED, "contract 7")
    assert (report.new, report.prices, report.models) == (True, 2, 1)
    again = await prices.import_own(who, DEAL, SIGNED, "contract 7")
    assert (again.new, again.version) == (False, report.version)
    assert inputs(await prices.in_force(who, "deal-1", "2026-06-30")) == []
    assert inputs(await prices.in_force(who, "deal-1", "2026-07-01")) == [
        ("*", Decimal("2.5"), True, False)
    ]
    async with db.tenant(tenant) as tx:
        rows = await tx.all(
            "SELECT actor, detail FROM app.audit_entry WHERE action = :what", what="price.imported"
        )
    (row,) = rows
    assert row.actor == f"user:{who.subject}"
    assert (row.detail["version"], row.detail["source"]) == (report.version, "contract 7")


async def test_an_import_tells_the_stored_usage_that_it_is_for_and_that_it_misses(
    db: Database, prices: PriceService, tenant: TenantId
) -> None:
    who, moment = caller(tenant), datetime(2026, 7, 5, 9, tzinfo=UTC)
    there, geo = dimension(), dimension(routing_scope=RoutingScope.GEO)
    await add_uses(
        db,
        tenant,
        [
            Use(moment, there),
            Use(moment, there, grain=Grain.METRIC, requests=5),
            Use(moment - timedelta(days=30), there),
            Use(moment, replace(there, region="eu-west-1"), grain=Grain.METRIC, requests=3),
            Use(moment, geo, requests=2),
        ],
    )
    deal = {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": 1e-06}
    raw = json.dumps({f"bedrock/{MODEL}": deal, "openai.unused-v1": deal}).encode()
    for is_new in (True, False):
        report = await prices.import_own(who, raw, SIGNED, "contract 7")
        assert report.new is is_new
        mine, unused = report.matches
        (place,) = mine.places
        assert (place.dimensions, place.requests) == (2, 1 + 3), "every call once, from that day on"
        (miss,) = mine.missed
        assert (miss.requests, miss.differs) == (2, ("routing_scope",))
        assert miss.write_as == f"us.{MODEL}"
        assert (unused.model_id, unused.is_idle) == ("openai.unused-v1", True)


async def test_what_a_months_price_drift_tells_to_import_changes_the_estimate_of_those_rows(
    db: Database, prices: PriceService, tenant: TenantId
) -> None:
    day, moment = date(2026, 7, 5), datetime(2026, 7, 5, 9, tzinfo=UTC)
    used = [dimension(routing_scope=scope) for scope in (RoutingScope.GEO, RoutingScope.GLOBAL)]
    await add_uses(db, tenant, [Use(moment, one) for one in used])
    drifted = explained_day(unlogged=0)
    days = {}
    for number, scopes in enumerate(("geo,global", "geo")):
        evidence = {"row_scopes": scopes, "row_tiers": "standard"}
        gaps = tuple(replace(gap, evidence=evidence) for gap in drifted.gaps)
        days[day + timedelta(days=number)] = replace(drifted, gaps=gaps)
    await write_version(db, tenant, days)

    async with db.tenant(tenant) as tx:
        found = await read_contributors(tx, date(2026, 7, 1))
    (place,) = found["USD", GapClass.PRICE_DRIFT]
    told = explain(GapClass.PRICE_DRIFT, place.evidence, place.cell).remedy
    (written,) = re.findall(r"a price map writes the model as (.+?)\. The price", told)
    deal = {"litellm_provider": "bedrock", "mode": "chat", "input_cost_per_token": 7e-06}
    raw = json.dumps(dict.fromkeys(written.split(" and "), deal)).encode()
    report = await prices.import_own(caller(tenant), raw, SIGNED, "contract 8")

    (match,) = report.matches
    assert (match.missed, match.is_idle) == ((), False)
    book = await PriceBooks(db).current(tenant)
    for one in used:
        price = book.find(one, TokenKind.INPUT, moment)
        assert isinstance(price, Price)
        assert (price.usd_per_million, price.version) == (Decimal(7), report.version)


async def test_importing_prices_asks_for_its_scope(prices: PriceService, tenant: TenantId) -> None:
    others = [scope for scope in Scope if scope is not Scope.PRICE_ADMIN]
    with pytest.raises(Forbidden, match="price:admin"):
        await prices.import_own(caller(tenant, others), DEAL, SIGNED, "contract 7")


@pytest.mark.parametrize(
    ("raw", "since", "field", "words"),
    [
        (b"", SIGNED, "file", "not a JSON price map"),
        (b"[]", SIGNED, "file", "object of models"),
        (b"{}", SIGNED, "file", "gives no price"),
        (b'{"deal-1": {"mode": "chat"}}', SIGNED, "file", "1 times not a model"),
        (DEAL, date(2014, 12, 31), "effective_from", "2015-01-01"),
        (DEAL, date(2199, 1, 1), "effective_from", "days from now"),
    ],
)
async def test_what_is_no_price_map_is_refused_and_leaves_no_version(
    db: Database,
    prices: PriceService,
    tenant: TenantId,
    raw: bytes,
    since: date,
    field: str,
    words: str,
) -> None:
    with pytest.raises(ValidationFailed, match=words) as refused:
        await prices.import_own(caller(tenant), raw, since, "contract 7")
    assert refused.value.field == field
    async with db.tenant(tenant) as tx:
        assert await tx.scalar("SELECT count(*) FROM ai.price_override_version") == 0


async def test_a_map_beyond_the_limit_is_refused(prices: PriceService, tenant: TenantId) -> None:
    with pytest.raises(PayloadTooLarge):
        await prices.import_own(caller(tenant), b" " * (MAX_MAP_BYTES + 1), SIGNED, "contract 7")

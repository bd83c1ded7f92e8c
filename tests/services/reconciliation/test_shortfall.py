"""A place that is mostly unlogged names why: bill, logs and counts through the real rules."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

from tensorcost.domain.cost.reconciliation.shortfall import Shortfall
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.spend.facts import Grain, ServiceTier
from tensorcost.services.reconciliation.asking import CoverageAsk
from tensorcost.services.reconciliation.coverage import CoverageService
from tensorcost.storage.findings import record_findings
from tensorcost.storage.session import Database
from tests.services.reconciliation.conftest import FIFTH
from tests.support.bills import bill_line, load_bill
from tests.support.connections import ACCOUNT, make_connection
from tests.support.principals import caller
from tests.support.reconciled import reconcile_month
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses, at

USD = 1_000_000_000
OCTOBER = CoverageAsk("2026-10-01", "2026-11-01")
SEVENTH, NINTH = FIFTH + timedelta(days=2), FIFTH + timedelta(days=4)
NOVA = "amazon.nova-pro-v1:0"


def call(day: date, *, dollars: int = 5, requests: int = 1, **where: str) -> Use:
    """Calls that explain as many dollars of a ``bill_line``."""
    tokens = dollars * 1_000_000
    return Use(
        at(day),
        dimension(**where),
        dollars * USD,
        requests=requests,
        input_tokens=tokens,
        output_tokens=0,
    )


async def causes(
    coverage: CoverageService, tenant: TenantId, ask: CoverageAsk = OCTOBER
) -> tuple[Shortfall, ...]:
    report = await coverage.coverage(caller(tenant), ask)
    (place,) = (one for one in report.places if one.coverage.region == "us-east-1")
    assert place.silence is None
    return place.shortfalls


async def test_each_part_of_a_mostly_unlogged_place_has_its_cause_by_dollars(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    await load_bill(
        db,
        tenant,
        [
            *(bill_line(FIFTH + timedelta(days=n)) for n in range(5)),
            bill_line(SEVENTH, model_id=NOVA, unblended_nano=4 * USD),
            bill_line(SEVENTH, service_tier=ServiceTier.BATCH, model_id="x", unblended_nano=USD),
        ],
    )
    counted = replace(call(SEVENTH, requests=9), grain=Grain.METRIC)
    await add_uses(db, tenant, [call(SEVENTH), call(NINTH, dollars=3), counted])
    await reconcile_month(db, tenant, date(2026, 11, 1))
    found = await causes(coverage, tenant)
    assert [(one.cause.value, one.nano // USD) for one in found] == [
        ("logging_began_later", 10),
        ("calls_not_logged", 7),
        ("models_not_logged", 4),
        ("batch_not_logged", 1),
    ]
    assert [one.seen for one in found[:3]] == [
        "the first logged call is of 2026-10-07",
        "CloudWatch counted 9 calls from 2026-10-07 to 2026-10-09, the logs name 2",
        f"no call is logged of {NOVA}, while calls of other models are",
    ]
    (place, *_) = (await coverage.coverage(caller(tenant), OCTOBER)).places
    assert sum(one.nano for one in found) == place.coverage.unlogged
    then = await coverage.coverage(
        caller(tenant), replace(OCTOBER, as_of=datetime.now(UTC) + timedelta(minutes=1))
    )
    assert [one.shortfalls for one in then.places] == [()]


async def test_what_cloudwatch_alone_counted_is_short_of_single_requests_too(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    await load_bill(db, tenant, [bill_line(FIFTH), bill_line(SEVENTH)])
    counted = replace(call(FIFTH), grain=Grain.METRIC)
    await add_uses(db, tenant, [counted, call(SEVENTH)])
    await reconcile_month(db, tenant, date(2026, 11, 1))
    (found,) = await causes(coverage, tenant)
    assert (found.cause.value, found.nano) == ("logging_began_later", 5 * USD)


async def test_calls_that_are_logged_in_another_region_than_billed_are_found_there(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    await load_bill(db, tenant, [bill_line(FIFTH)])
    await add_uses(db, tenant, [call(FIFTH, dollars=1), call(FIFTH, dollars=4, region="us-west-2")])
    await reconcile_month(db, tenant, date(2026, 11, 1))
    (found,) = await causes(coverage, tenant)
    assert (found.cause.value, found.nano) == ("logged_in_another_region", 4 * USD)
    assert found.seen.startswith("us-west-2 logged more")


async def test_an_open_finding_is_named_to_whoever_may_read_connections(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    connection = await make_connection(db, tenant)
    denied = NewFinding(
        code="LOGS_DENIED",
        severity=Severity.ERROR,
        subject=f"{ACCOUNT}/us-east-1",
        title="The log group may not be read",
        remedy="Allow it.",
    )
    async with db.tenant(tenant) as tx:
        await record_findings(
            tx, connection.connection_id, [denied], judged=(), now=datetime.now(UTC)
        )
    await load_bill(db, tenant, [bill_line(FIFTH), bill_line(SEVENTH)])
    await add_uses(db, tenant, [call(FIFTH)])
    await reconcile_month(db, tenant, date(2026, 11, 1))
    (found,) = await causes(coverage, tenant)
    assert (found.cause.value, found.seen) == ("logs_not_read", "The log group may not be read")
    report = await coverage.coverage(caller(tenant, [Scope.COST_READ]), OCTOBER)
    ((hidden,),) = (one.shortfalls for one in report.places)
    assert "log group" not in hidden.seen


async def test_a_place_at_its_service_level_names_nothing(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    await load_bill(db, tenant, [bill_line(FIFTH), bill_line(SEVENTH, unblended_nano=USD // 5)])
    await add_uses(db, tenant, [call(FIFTH)])
    await reconcile_month(db, tenant, date(2026, 11, 1))
    assert await causes(coverage, tenant) == ()

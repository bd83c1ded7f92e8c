"""Coverage as a service level: the explained share, and each silent place with its cause."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from fractions import Fraction
from typing import Any

import pytest

from tensorcost.domain.cost.reconciliation.facts import Basis, DayResult
from tensorcost.domain.cost.reconciliation.silence import SilenceCause
from tensorcost.domain.errors import Forbidden, ValidationFailed
from tensorcost.domain.identity.scopes import Scope
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.progress_records import AccountCoverage
from tensorcost.domain.integration.states import Coverage, SourceKind
from tensorcost.domain.spend.facts import Grain
from tensorcost.services.reconciliation.answers import CoverageReport, CoveredPlace
from tensorcost.services.reconciliation.asking import CoverageAsk
from tensorcost.services.reconciliation.coverage import CoverageService
from tensorcost.storage.findings import record_findings
from tensorcost.storage.integration import save_accounts
from tensorcost.storage.integration_sites import replace_sites
from tensorcost.storage.session import Database
from tests.services.reconciliation.conftest import FIFTH, billed
from tests.support.bills import load_bill
from tests.support.connections import make_connection
from tests.support.principals import caller
from tests.support.reconciled import PLACE, USD, explained_day, known_at, together, write_version
from tests.support.spend import dimension
from tests.support.spend_rows import Use, add_uses, at

SIXTH = FIFTH + timedelta(days=1)
OCTOBER = CoverageAsk("2026-10-01", "2026-11-01")
ACCOUNT, MEMBER = PLACE.account_id, "444455556666"
WEST = PLACE._replace(region="us-west-2")
ABROAD = PLACE._replace(region="eu-west-1")


def place(report: CoverageReport, region: str, account: str = ACCOUNT) -> CoveredPlace:
    (found,) = (
        one
        for one in report.places
        if (one.coverage.account_id, one.coverage.region) == (account, region)
    )
    return found


def unlogged(dollars: int, cell: Any = WEST, **evidence: str) -> DayResult:
    """A place with a bill and without a row."""
    day = explained_day(0, dollars, 0, cell=cell)
    return replace(
        day,
        allocations=day.allocations[1:],
        gaps=tuple(replace(gap, evidence=evidence) for gap in day.gaps[:1]),
    )


async def test_it_asks_for_its_scope(coverage: CoverageService, tenant: TenantId) -> None:
    with pytest.raises(Forbidden, match="cost:read"):
        await coverage.coverage(caller(tenant, [Scope.INTEGRATION_READ]), OCTOBER)


async def test_shares_are_exact_by_place_and_day_and_in_sum(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    metered = explained_day(2, 0, 2, cell=WEST, grain=Grain.METRIC)
    await write_version(
        db,
        tenant,
        {FIFTH: together(explained_day(3, 1, tax=9), metered), SIXTH: explained_day(2, 4)},
    )
    report = await coverage.coverage(caller(tenant), OCTOBER)
    assert (report.total.billed, report.total.by_metric) == (12 * USD, 2 * USD)
    assert report.total.explained == Fraction(7, 12)
    assert report.total.explained_by_request == Fraction(5, 12)
    assert {day: sums.explained for day, sums in report.history.items()} == {
        FIFTH: Fraction(5, 6),
        SIXTH: Fraction(1, 3),
    }
    east, west = place(report, "us-east-1"), place(report, "us-west-2")
    assert [one.coverage.explained for one in (east, west)] == [Fraction(1, 2), 1]
    assert (list(east.history), list(west.history)) == ([FIFTH, SIXTH], [FIFTH])
    assert report.places == (east, west)
    net = await coverage.coverage(caller(tenant), replace(OCTOBER, basis=Basis.NET))
    assert net.total.billed == 3 * USD


async def test_places_are_cut_to_the_largest_and_filtered(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    await write_version(db, tenant, {FIFTH: together(explained_day(3, 1), unlogged(5))})
    reader = caller(tenant)
    first = await coverage.coverage(reader, OCTOBER, 1)
    assert ([p.coverage.region for p in first.places], first.rest_count) == (["us-west-2"], 1)
    assert first.total.billed == 9 * USD
    east = await coverage.coverage(reader, replace(OCTOBER, region="us-east-1"))
    assert (east.total.billed, len(east.places)) == (4 * USD, 1)
    nobody = await coverage.coverage(reader, replace(OCTOBER, account=MEMBER))
    assert (nobody.total.billed, nobody.total.explained, nobody.places) == (0, None, ())


@pytest.mark.parametrize(
    ("ask", "field"),
    [
        (replace(OCTOBER, start="2026-10-05T12:00:00Z"), "from"),
        (replace(OCTOBER, as_of="2199-01-01"), "as_of"),
    ],
)
async def test_a_wrong_question_is_refused_by_name(
    coverage: CoverageService, tenant: TenantId, ask: CoverageAsk, field: str
) -> None:
    with pytest.raises(ValidationFailed) as refused:
        await coverage.coverage(caller(tenant), ask)
    assert refused.value.field == field


async def test_a_silent_place_is_named_with_its_cause_remedy_and_findings(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    """Logs arrive in the east; the west is billed and counted, and its logging is off."""
    connection = await make_connection(db, tenant)
    now = datetime.now(UTC)
    off = NewFinding(
        code="LOGGING_OFF",
        severity=Severity.WARNING,
        subject=f"{ACCOUNT}/eu-west-1",
        title="Model invocation logging is off in eu-west-1",
        remedy="Switch it on.",
    )
    async with db.tenant(tenant) as tx:
        sites = [Site(SourceKind.LOGS_S3, ACCOUNT, "us-west-2", {})]
        await replace_sites(tx, connection.connection_id, sites, now)
        await record_findings(tx, connection.connection_id, [off], judged=["LOGGING_OFF"], now=now)
    member = PLACE._replace(account_id=MEMBER, region="us-east-1")
    await load_bill(db, tenant, [billed(5), billed(5, usage_account_id=MEMBER)])
    await write_version(
        db,
        tenant,
        {
            FIFTH: together(
                unlogged(1, ABROAD, bill_tiers="standard"),
                unlogged(2, WEST),
                unlogged(3, member, bill_tiers="batch"),
            )
        },
    )
    report = await coverage.coverage(caller(tenant), OCTOBER)
    causes = {
        (one.coverage.account_id, one.coverage.region): one.silence and one.silence.cause
        for one in report.places
    }
    assert causes == {
        (MEMBER, "us-east-1"): SilenceCause.BATCH_ONLY,
        (ACCOUNT, "us-west-2"): SilenceCause.LOGS_LOST,
        (ACCOUNT, "eu-west-1"): SilenceCause.LOGGING_OFF,
    }
    silence = place(report, "eu-west-1").silence
    assert silence is not None
    assert [found.code for found in silence.findings] == ["LOGGING_OFF"]
    without = await coverage.coverage(caller(tenant, [Scope.COST_READ]), OCTOBER)
    hidden = place(without, "eu-west-1").silence
    assert hidden is not None
    assert (hidden.cause, hidden.findings) == (SilenceCause.LOGGING_OFF, ())


async def test_logs_of_another_region_explain_a_silent_one(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    await load_bill(db, tenant, [billed(5)])
    await add_uses(db, tenant, [Use(at(FIFTH), dimension())])
    await write_version(db, tenant, {FIFTH: together(explained_day(3, 1), unlogged(5))})
    report = await coverage.coverage(caller(tenant), OCTOBER)
    assert report.silent_places == 1
    silence = place(report, "us-west-2").silence
    assert silence is not None
    assert silence.cause is SilenceCause.LOGS_ELSEWHERE
    only = await coverage.coverage(caller(tenant), replace(OCTOBER, silent_only=True))
    assert [one.coverage.region for one in only.places] == ["us-west-2"]
    assert (only.silent_places, only.total) == (1, report.total)


async def test_a_place_without_a_bill_is_silent_in_its_own_way(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    """Counted calls that no bill names, and an account that cannot be entered at all."""
    connection = await make_connection(db, tenant)
    shut = AccountCoverage(
        MEMBER, "Member", "ACTIVE", "INVITED", Coverage.ROLE_MISSING, "", datetime.now(UTC)
    )
    async with db.tenant(tenant) as tx:
        await save_accounts(tx, connection.connection_id, [shut])
    await add_uses(db, tenant, [Use(at(FIFTH), dimension(), grain=Grain.METRIC)])
    report = await coverage.coverage(caller(tenant), OCTOBER)
    told = {
        (one.coverage.account_id, one.coverage.region, one.account_name): one.silence
        and one.silence.cause
        for one in report.places
    }
    assert told == {
        (ACCOUNT, "us-east-1", ""): SilenceCause.EXPORT_MISSING,
        (MEMBER, "", "Member"): SilenceCause.ROLE_MISSING,
    }
    assert report.total.explained is None


async def test_as_of_answers_with_what_was_known_and_names_no_cause(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    first = await write_version(db, tenant, {FIFTH: unlogged(5)})
    moment = await known_at(db, tenant, first)
    await write_version(db, tenant, {FIFTH: explained_day(5, 0, 5, cell=WEST)})
    now = await coverage.coverage(caller(tenant), OCTOBER)
    then = await coverage.coverage(caller(tenant), replace(OCTOBER, as_of=moment))
    assert [one.total.explained for one in (now, then)] == [1, 0]
    assert [one.silence for one in then.places] == [None]


async def test_days_outside_of_the_window_do_not_count(
    db: Database, coverage: CoverageService, tenant: TenantId
) -> None:
    await write_version(db, tenant, {FIFTH: explained_day(), SIXTH: explained_day()})
    ask = CoverageAsk(FIFTH, SIXTH)
    report = await coverage.coverage(caller(tenant), ask)
    assert list(report.history) == [date(2026, 10, 5)]


@pytest.mark.parametrize(
    ("connected", "retention", "cause"),
    [
        (date(2026, 11, 20), {"retention_days": "14"}, SilenceCause.LOGS_EXPIRED),
        (date(2026, 11, 14), {"retention_days": "14"}, SilenceCause.LOGS_LOST),
        (date(2026, 11, 20), {}, SilenceCause.LOGS_LOST),
    ],
)
async def test_days_whose_logs_were_deleted_before_the_connection_have_expired(
    db: Database,
    coverage: CoverageService,
    tenant: TenantId,
    connected: date,
    retention: dict[str, str],
    cause: SilenceCause,
) -> None:
    """October, of which the log group held nothing any more, or its last day, or all of it."""
    connection = await make_connection(db, tenant)
    group = {"log_group": "/bedrock", **retention}
    site = Site(SourceKind.LOGS_CLOUDWATCH, ACCOUNT, "us-west-2", group)
    async with db.tenant(tenant) as tx:
        await replace_sites(tx, connection.connection_id, [site], datetime.now(UTC))
        await tx.run("UPDATE app.connection SET created_at = :at", at=at(connected))
    await load_bill(db, tenant, [billed(5)])
    await write_version(db, tenant, {FIFTH: unlogged(2, WEST)})
    silence = place(await coverage.coverage(caller(tenant), OCTOBER), "us-west-2").silence
    assert silence is not None
    assert silence.cause is cause
    expired = cause is SilenceCause.LOGS_EXPIRED
    assert ("keeps 14 days and was connected on 2026-11-20" in silence.seen) is expired

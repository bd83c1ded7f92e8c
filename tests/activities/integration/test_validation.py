"""Attempts, rounds and discovery as rows, and silence judged against what was counted."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from functools import partial
from uuid import uuid4

import pytest
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.integration.discovery import DiscoveryActivities
from tensorcost.activities.integration.ports import ConnectorError
from tensorcost.activities.integration.validation import ValidationActivities
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts import ConnectionKey, Failure
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionChanges
from tensorcost.domain.integration.contracts_steps import (
    DiscoveryRequest,
    FinishValidation,
    OpenValidation,
    ProbeRequest,
    RoundReport,
    SilenceRequest,
)
from tensorcost.domain.integration.progress_records import SyncStep
from tensorcost.domain.integration.states import (
    ConnectionState,
    OnboardingPhase,
    RunState,
    StepState,
)
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.storage import integration, integration_sites, outbox, sync_history
from tensorcost.storage.audit import AuditFilter, list_entries
from tensorcost.storage.findings import list_findings
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import Origin
from tests.support.connections import NOW, make_connection
from tests.support.scripted_connector import (
    HEALTHY,
    ScriptedConnector,
    denied,
    log_site,
    metric_site,
)
from tests.support.spend import add_row, dimension


class Bench:
    def __init__(self, db: Database, connection: Connection, threads: ThreadPoolExecutor) -> None:
        self.db = db
        self.connection = connection
        self.run_id = uuid4()
        self.connector = ScriptedConnector()
        connectors = {"bedrock": self.connector}
        self.acts = ValidationActivities(db, connectors, threads, lambda: NOW)
        self.discovery = DiscoveryActivities(db, connectors, threads, lambda: NOW)
        self.env = ActivityEnvironment()
        self.key = ConnectionKey(
            tenant_id=connection.tenant_id,
            connection_id=connection.connection_id,
            provider="bedrock",
        )

    async def open(self, changes: ConnectionChanges | None = None) -> bool:
        order = OpenValidation(
            connection=self.key,
            run_id=self.run_id,
            workflow_id="connection/x/onboarding",
            requested_by="user:a",
            started_at=NOW,
            changes=changes,
        )
        return (await self.env.run(self.acts.open_validation, order)).changed

    async def finish(self, phase: OnboardingPhase) -> bool:
        order = FinishValidation(connection=self.key, run_id=self.run_id, phase=phase, note="n")
        return (await self.env.run(self.acts.finish_validation, order)).changed

    async def look(self) -> SyncStep:
        async with self.db.tenant(self.key.tenant_id) as tx:
            (step,) = await sync_history.list_steps(tx, self.run_id, limit=5)
        assert step.source == "discovery"
        return step

    async def state(self) -> ConnectionState:
        async with self.db.tenant(self.key.tenant_id) as tx:
            return (await integration.get_connection(tx, self.key.connection_id)).state

    async def told(self) -> list[str]:
        async with self.db.tenant(self.key.tenant_id) as tx:
            return [event.type for event in await outbox.events_after(tx, 0, limit=100)]

    async def codes(self) -> list[tuple[str, str]]:
        async with self.db.tenant(self.key.tenant_id) as tx:
            return sorted((f.code, f.subject) for f in await list_findings(tx, limit=50))


@pytest.fixture
async def bench(db: Database, tenant: TenantId, threads: ThreadPoolExecutor) -> Bench:
    connection = await make_connection(db, tenant)
    return Bench(db, connection, threads)


async def test_an_attempt_is_opened_once_with_its_changes(bench: Bench) -> None:
    assert await bench.open(ConnectionChanges(external_id="tc-new"))
    assert not await bench.open(ConnectionChanges(external_id="tc-newer"))
    async with bench.db.tenant(bench.key.tenant_id) as tx:
        found = await integration.get_connection(tx, bench.key.connection_id)
    assert (found.external_id, found.state) == ("tc-new", ConnectionState.VALIDATING)
    assert (await bench.told()).count(EventType.CONNECTION_VALIDATING) == 1


async def test_a_probe_answers_the_verdict_and_leaves_an_audit_row(bench: Bench) -> None:
    request = ProbeRequest(connection=bench.key, run_id=bench.run_id, round=1)
    assert await bench.env.run(bench.acts.probe, request) == HEALTHY
    async with bench.db.tenant(bench.key.tenant_id) as tx:
        (entry,) = await list_entries(tx, AuditFilter(action="data.probe"), limit=5, after=None)
    assert entry.actor == "system:onboarding"


async def test_a_round_writes_steps_and_findings_and_a_later_one_heals_them(
    bench: Bench,
) -> None:
    await bench.open()
    for number, verdict in enumerate((denied(), HEALTHY), start=1):
        report = RoundReport(
            connection=bench.key, run_id=bench.run_id, round=number, verdict=verdict
        )
        await bench.env.run(bench.acts.record_round, report)
        async with bench.db.tenant(bench.key.tenant_id) as tx:
            (step,) = await sync_history.list_steps(tx, bench.run_id, limit=5)
        assert step.state is (StepState.COMPLETED if verdict.healthy else StepState.FAILED)
        assert len(await bench.codes()) == (0 if verdict.healthy else 1)


@pytest.mark.parametrize(
    ("phase", "state", "run_state", "event"),
    [
        (
            OnboardingPhase.CONNECTED,
            ConnectionState.CONNECTED,
            RunState.COMPLETED,
            EventType.CONNECTION_VALIDATED,
        ),
        (
            OnboardingPhase.FAILED,
            ConnectionState.FAILED,
            RunState.FAILED,
            EventType.CONNECTION_FAILED,
        ),
        (
            OnboardingPhase.CANCELLED,
            ConnectionState.CANCELLED,
            RunState.CANCELLED,
            EventType.CONNECTION_CANCELLED,
        ),
    ],
)
async def test_an_attempt_ends_once(
    bench: Bench,
    phase: OnboardingPhase,
    state: ConnectionState,
    run_state: RunState,
    event: EventType,
) -> None:
    await bench.open()
    assert await bench.finish(phase)
    assert not await bench.finish(phase)
    assert await bench.state() is state
    async with bench.db.tenant(bench.key.tenant_id) as tx:
        run = await sync_history.get_run(tx, bench.run_id)
    assert (run.state, run.note) == (run_state, "n")
    assert (await bench.told()).count(event) == 1


async def test_giving_up_after_a_failure_changes_the_connection_and_not_the_run(
    bench: Bench,
) -> None:
    await bench.open()
    await bench.finish(OnboardingPhase.FAILED)
    assert await bench.finish(OnboardingPhase.CANCELLED)
    assert await bench.state() is ConnectionState.CANCELLED
    async with bench.db.tenant(bench.key.tenant_id) as tx:
        assert (await sync_history.get_run(tx, bench.run_id)).state is RunState.FAILED


async def test_a_connection_of_an_unknown_provider_is_not_retried(
    bench: Bench, db: Database
) -> None:
    other = await make_connection(db, bench.key.tenant_id, provider="abacus")
    key = bench.key.model_copy(update={"connection_id": other.connection_id})
    request = ProbeRequest(connection=key, run_id=bench.run_id, round=1)
    with pytest.raises(ApplicationError) as caught:
        await bench.env.run(bench.acts.probe, request)
    assert (caught.value.type, caught.value.non_retryable) == (Failure.UNKNOWN_PROVIDER, True)
    assert "bedrock" in caught.value.message


async def test_discovery_stores_accounts_and_sites(bench: Bench) -> None:
    request = DiscoveryRequest(connection=bench.key, run_id=bench.run_id)
    found = await bench.env.run(bench.discovery.discover, request)
    assert (found.accounts_total, found.accounts_covered, found.sites) == (1, 1, 2)
    async with bench.db.tenant(bench.key.tenant_id) as tx:
        sites = await integration_sites.active_sites(tx, bench.key.connection_id)
    assert {site.source for site in sites} == {log_site().source, metric_site().source}


@pytest.mark.parametrize(
    ("attempt", "state", "detail"),
    [
        (
            3,
            StepState.RETRYING,
            "attempt 3 failed, the next one follows at 12:00:10 UTC; AWS_FAILING: try later",
        ),
        (125, StepState.FAILED, "AWS_FAILING: try later"),
    ],
)
async def test_a_look_that_fails_says_why_and_when_it_is_tried_again(
    bench: Bench, attempt: int, state: StepState, detail: str
) -> None:
    await bench.open()
    bench.connector.unseen = ConnectorError("AWS_FAILING", "try later", retry_after=10)
    policy = RetryPolicy(maximum_attempts=125)
    bench.env.info = replace(bench.env.info, attempt=attempt, retry_policy=policy)
    request = DiscoveryRequest(connection=bench.key, run_id=bench.run_id)
    with pytest.raises(ApplicationError) as caught:
        await bench.env.run(bench.discovery.discover, request)
    assert (caught.value.type, caught.value.non_retryable) == (Failure.PROVIDER_THROTTLED, False)
    step = await bench.look()
    assert (step.state, step.detail) == (state, detail)
    assert (step.finished_at is None) is (state is StepState.RETRYING)
    bench.connector.unseen = None
    await bench.env.run(bench.discovery.discover, request)
    assert (await bench.look()).detail.startswith("1 of 1 accounts can be read")


async def test_a_refused_look_is_told_at_once(bench: Bench) -> None:
    await bench.open()
    bench.connector.unseen = ConnectorError("ORG_DENIED", "not allowed", retry_after=None)
    request = DiscoveryRequest(connection=bench.key, run_id=bench.run_id)
    with pytest.raises(ApplicationError) as caught:
        await bench.env.run(bench.discovery.discover, request)
    assert caught.value.non_retryable
    step = await bench.look()
    assert (step.state, step.detail) == (StepState.FAILED, "ORG_DENIED: not allowed")


async def test_a_validation_that_is_cancelled_leaves_no_look_waiting(bench: Bench) -> None:
    await bench.open()
    bench.connector.unseen = ConnectorError("NETWORK", "no route", retry_after=5)
    request = DiscoveryRequest(connection=bench.key, run_id=bench.run_id)
    with pytest.raises(ApplicationError):
        await bench.env.run(bench.discovery.discover, request)
    await bench.finish(OnboardingPhase.CANCELLED)
    assert (await bench.look()).state is StepState.SKIPPED


@pytest.mark.parametrize(
    ("counted", "logged", "codes"),
    [(7, 0, ["LOGS_SILENT"]), (7, 7, []), (0, 0, ["NO_TRAFFIC"])],
)
async def test_success_with_no_events_is_explained(
    bench: Bench, counted: int, logged: int, codes: list[str]
) -> None:
    key = bench.key
    ingest = SpendIngest(bench.db, PriceBooks(bench.db))
    for grain, requests in ((Grain.METRIC, counted), (Grain.REQUEST, logged)):
        parsed = ParsedSpend(grain)
        if requests:
            at = NOW - timedelta(days=1)
            add_row(parsed, f"row-{grain}", at, dimension(), requests=requests, request_id=None)
        origin = Origin(str(key.connection_id), key.connection_id)
        await ingest.load_window(key.tenant_id, origin, "test", partial(list, [parsed]))
    request = SilenceRequest(
        connection=key,
        run_id=bench.run_id,
        window_start=NOW - timedelta(days=3),
        window_end=NOW,
    )
    async with bench.db.tenant(key.tenant_id) as tx:
        sites = [log_site(), metric_site()]
        await integration_sites.replace_sites(tx, key.connection_id, sites, NOW)
    await bench.env.run(bench.discovery.judge_silence, request)
    assert [code for code, _ in await bench.codes()] == codes

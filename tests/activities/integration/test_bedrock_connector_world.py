"""The connector against the demo's world: every day-1 failure, and nothing lost or doubled."""

import json
from collections import Counter
from collections.abc import Iterator
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from demo.aws.control import SimControl
from demo.aws.server import running_simulator
from demo.world.build import build_world
from demo.world.spec import CurFormat, World, WorldSpec
from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.activities.integration.ports import (
    BillChunk,
    Chunk,
    ConnectorError,
    Discovery,
    MetricsChunk,
    ObjectChunk,
    ProfilesChunk,
    ReadJob,
    WindowChunk,
)
from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionSettings
from tensorcost.domain.integration.contracts_steps import ProbeVerdict
from tensorcost.domain.integration.plan import Window, plan_backfill
from tensorcost.domain.integration.progress_records import StoredProfile
from tensorcost.domain.integration.states import (
    LOG_SOURCES,
    ConnectionMode,
    ConnectionState,
    Coverage,
    SourceKind,
)
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.providers.aws.session import AwsSessions
from tensorcost.providers.aws.settings import AwsSettings
from tests.support.bills import lines_of

DAYS = 7
SPEC = WorldSpec.until(date(2026, 11, 20), days=DAYS, requests=2000, cur=CurFormat.BOTH)
PAYER, PROD, RESEARCH, ACQUIRED = "111122223333", "222233334444", "333344445555", "444455556666"
READER = "TensorCost-BedrockReader-tc-demo-4f7a9c21"
DATA, EMEA, SANDBOX = "555566667777", "666677778888", "777788889999"
KEY = b"fake-hashing-key-of-32-bytes-0123"[:32]


@pytest.fixture(scope="module")
def northwind(tmp_path_factory: pytest.TempPathFactory) -> World:
    return build_world(tmp_path_factory.mktemp("northwind"), SPEC)


@pytest.fixture(scope="module")
def simulator(northwind: World) -> Iterator[SimControl]:
    with running_simulator(northwind.path) as control:
        yield control


@pytest.fixture
def aws(simulator: SimControl) -> SimControl:
    simulator.reset()
    return simulator


def connector(aws: SimControl, world: World) -> BedrockConnector:
    settings = AwsSettings(
        backend_account_id=world.backend_account,
        access_key_id=world.backend_access_key,
        secret_access_key=world.backend_secret_key,
        endpoint_url=aws.endpoint_url,
        allow_plaintext=True,
        max_attempts=2,
    )
    return BedrockConnector(AwsSessions(settings, lambda: world.end), lambda: world.end)


def connected(
    world: World, mode: ConnectionMode = ConnectionMode.SINGLE_ACCOUNT, **settings: Any
) -> Connection:
    return Connection(
        tenant_id=TenantId(UUID(int=1)),
        connection_id=ConnectionId(UUID(int=2)),
        provider="bedrock",
        name="Northwind",
        state=ConnectionState.PENDING,
        mode=mode,
        account_id=world.reader_account,
        external_id=world.external_id,
        role_arn=world.reader_role_arn,
        settings=ConnectionSettings(**settings),
        created_at=world.start,
        updated_at=world.start,
    )


def probed(aws: SimControl, world: World, mode: ConnectionMode, **settings: Any) -> ProbeVerdict:
    return connector(aws, world).probe(connected(world, mode, **settings))


SINGLE, ORGANIZATION = ConnectionMode.SINGLE_ACCOUNT, ConnectionMode.ORGANIZATION
TRUST_RANKING = ["EXTERNAL_ID_DIFFERS", "BACKEND_ACCOUNT_DEFAULT", "ROLE_MISSING", "POLICY_DENIES"]
Case = tuple[str, dict[str, Any], ConnectionMode, bool, str, list[str]]
DAY_ONE: list[Case] = [
    ("external_id_mentioned", {}, SINGLE, False, "EXTERNAL_ID_MISMATCH", []),
    ("external_id_mismatch", {"account": PAYER, "role": READER}, SINGLE, False, "TRUST_DENIED",
     TRUST_RANKING),
    ("backend_account_default", {"account": PAYER, "role": READER}, SINGLE, False, "TRUST_DENIED",
     TRUST_RANKING),
    ("logging_off", {"account": PAYER}, SINGLE, True, "LOGGING_OFF", []),
    ("no_traffic", {"account": PAYER}, SINGLE, True, "NO_TRAFFIC", []),
    ("no_events", {"account": PAYER}, SINGLE, True, "LOGS_SILENT",
     ["WRONG_REGION", "DELIVERY_FAILING", "OTHER_DESTINATION"]),
    ("cloudwatch_denied", {"account": PAYER, "role": READER}, SINGLE, False, "CW_DENIED",
     ["NARROW_POLICY", "POLICY_DENIES"]),
    ("not_management", {}, ORGANIZATION, False, "ORG_NOT_MANAGEMENT",
     ["STACK_IN_MEMBER_ACCOUNT", "STACK_IN_SINGLE_MODE"]),
    ("member_role_missing", {"account": PROD, "role": "OrganizationAccountAccessRole"},
     ORGANIZATION, True, "MEMBER_ROLE_MISSING",
     ["ROLE_MISSING", "OTHER_ROLE_NAME", "ROLE_DOES_NOT_TRUST"]),
    ("wrong_region", {"account": PAYER}, SINGLE, True, "WRONG_REGION",
     ["LOGGING_IN_ANOTHER_REGION", "CONNECTION_NAMES_ANOTHER_REGION"]),
]  # fmt: skip


@pytest.mark.parametrize(("preset", "args", "mode", "healthy", "code", "ranking"), DAY_ONE)
def test_each_day_one_failure_is_named_ranked_and_answered(
    aws: SimControl,
    northwind: World,
    preset: str,
    args: dict[str, Any],
    mode: ConnectionMode,
    healthy: bool,
    code: str,
    ranking: list[str],
) -> None:
    aws.preset(preset, **args)
    verdict = probed(aws, northwind, mode)
    first = verdict.findings[0]
    assert (first.code, verdict.healthy) == (code, healthy)
    assert [cause.code for cause in first.causes] == ranking
    assert first.remedy
    aws.heal()
    healed = probed(aws, northwind, mode)
    assert healed.healthy
    assert code in healed.judged or code == "MEMBER_ROLE_MISSING"
    assert code not in {
        found.code for found in healed.findings if found.subject in ("", first.subject)
    }


def test_a_log_group_in_another_region_is_found_by_its_name(
    aws: SimControl, northwind: World
) -> None:
    aws.preset("wrong_region", account=PAYER, value="eu-west-1")
    (group,) = northwind.log_groups
    verdict = probed(aws, northwind, SINGLE, log_group_arn=group.arn)
    assert verdict.findings[0].code == "WRONG_REGION"
    assert verdict.findings[0].evidence["found_in"] == "eu-west-1"


def test_a_round_does_not_trust_a_session_of_the_round_before(
    aws: SimControl, northwind: World
) -> None:
    bedrock, connection = connector(aws, northwind), connected(northwind)
    assert bedrock.probe(connection).healthy
    aws.preset("external_id_mismatch", account=PAYER, role=READER)
    assert bedrock.probe(connection).findings[0].code == "TRUST_DENIED"


def test_an_object_that_vanished_after_the_listing_is_tried_again(
    aws: SimControl, northwind: World
) -> None:
    bedrock, connection = connector(aws, northwind), connected(northwind, ORGANIZATION)
    found = bedrock.discover(connection)
    site = next(site for site in found.sites if site.source is SourceKind.LOGS_S3)
    item = plan_backfill([site], Window(northwind.end - timedelta(days=1), northwind.end))[0]
    job = ReadJob(connection, item, "", KEY, TimeBounds.at(northwind.end), found.profiles)
    aws.preset("object_vanished")
    chunk = next(bedrock.read(job))
    assert isinstance(chunk, ObjectChunk)
    with pytest.raises(ConnectorError) as gone:
        list(chunk.spend())
    assert (gone.value.code, gone.value.retry_after) == ("CHANGED_WHILE_READ", 1.0)
    assert list(chunk.spend()), "the second try finds it"


def discovered(aws: SimControl, world: World, mode: ConnectionMode = ORGANIZATION) -> Discovery:
    return connector(aws, world).discover(connected(world, mode))


def test_discovery_names_every_account_and_reads_each_bill_once(
    aws: SimControl, northwind: World
) -> None:
    found = discovered(aws, northwind)
    assert {account.account_id: account.coverage for account in found.accounts} == {
        PAYER: Coverage.COVERED,
        PROD: Coverage.COVERED,
        RESEARCH: Coverage.COVERED,
        ACQUIRED: Coverage.ROLE_MISSING,
        DATA: Coverage.COVERED,
        EMEA: Coverage.COVERED,
        SANDBOX: Coverage.SKIPPED,
    }
    assert [f.subject for f in found.findings if f.code == "MEMBER_ROLE_MISSING"] == [ACQUIRED]
    bills = [site for site in found.sites if site.source is SourceKind.BILL]
    assert len(bills) == 1, "two exports of one bill are not two bills"
    assert "BILL_EXPORTED_TWICE" in {finding.code for finding in found.findings}
    assert found.missing == []


def test_calls_in_a_region_without_logging_are_pointed_out(
    aws: SimControl, northwind: World
) -> None:
    found = discovered(aws, northwind)
    unlogged = {f.subject: f for f in found.findings if f.code in ("LOGGING_OFF", "WRONG_REGION")}
    assert {place: found.evidence["logging_on_in"] for place, found in unlogged.items()} == {
        f"{RESEARCH}/us-east-1": "us-west-2",
        f"{EMEA}/us-east-1": "eu-west-1",
    }


def test_logging_in_a_region_that_nobody_calls_is_the_wrong_region(
    aws: SimControl, northwind: World
) -> None:
    aws.preset("wrong_region", account=RESEARCH, value="eu-central-1")
    found = discovered(aws, northwind)
    wrong = {f.subject for f in found.findings if f.code == "WRONG_REGION"}
    assert wrong == {f"{RESEARCH}/us-east-1", f"{RESEARCH}/us-west-2"}


class Totals:
    """Everything that the connector handed over, added up as the loader would."""

    def __init__(self) -> None:
        self.seen: dict[tuple[str, str, str], tuple[int, ...]] = {}
        self.metric_requests: Counter[str] = Counter()
        self.bill_nano: Counter[str] = Counter()
        self.profiles: list[StoredProfile] = []
        self.rejects = 0

    def take(self, chunk: Chunk) -> None:
        match chunk:
            case ProfilesChunk():
                self.profiles += chunk.profiles
            case BillChunk():
                for part in chunk.parts():
                    self.rejects += len(part.rejects)
                    self.bill_nano[f"{chunk.delivery.period:%Y-%m}"] += sum(
                        line.unblended_nano for line in lines_of([part])
                    )
            case ObjectChunk() | WindowChunk() | MetricsChunk():
                for parsed in chunk.spend():
                    self._take(parsed, isinstance(chunk, MetricsChunk))

    def _take(self, parsed: Any, is_metric: bool) -> None:
        self.rejects += len(parsed.rejects)
        for row in range(len(parsed)):
            where = parsed.dimensions[parsed.dim[row]]
            if is_metric:
                place = f"{where.usage_account_id}/{where.region}"
                self.metric_requests[place] += parsed.requests[row]
                continue
            key = (where.usage_account_id, where.region, parsed.native_id[row])
            self.seen[key] = (
                parsed.requests[row],
                parsed.input_tokens[row],
                parsed.cached_tokens[row],
                parsed.cache_write_5m_tokens[row],
                parsed.cache_write_1h_tokens[row],
                parsed.output_tokens[row],
            )

    def logged(self) -> list[int]:
        return [sum(column) for column in zip(*self.seen.values(), strict=True)]


def read_everything(aws: SimControl, world: World) -> Totals:
    connection = connected(world, ORGANIZATION)
    bedrock = connector(aws, world)
    found = bedrock.discover(connection)
    window = Window(world.end - timedelta(days=DAYS), world.end)
    totals = Totals()
    for item in plan_backfill(found.sites, window):
        job = ReadJob(connection, item, "", KEY, TimeBounds.at(world.end), found.profiles)
        last = ""
        for chunk in bedrock.read(job):
            assert chunk.position > last, "a cursor only moves forward"
            last = chunk.position
            totals.take(chunk)
    return totals


@pytest.fixture(scope="module")
def everything(simulator: SimControl, northwind: World) -> Totals:
    simulator.reset()
    return read_everything(simulator, northwind)


@pytest.fixture(scope="module")
def truth(northwind: World) -> dict[str, Any]:
    answers: dict[str, Any] = json.loads(northwind.truth_file.read_text())
    return answers


def test_reading_everything_gives_exactly_what_was_logged(
    everything: Totals, truth: dict[str, Any]
) -> None:
    total = truth["logged"]["total"]
    kinds = ("input", "cached", "cache_write_5m", "cache_write_1h", "output")
    expected = [total["requests"], *(total[f"{kind}_tokens"] for kind in kinds)]
    assert everything.logged() == expected
    assert everything.rejects == 0


def test_metrics_count_every_call_of_the_covered_accounts(
    everything: Totals, truth: dict[str, Any]
) -> None:
    asked = truth["all"]["by_account_region"]
    out_of_reach = (ACQUIRED, SANDBOX)
    covered = {place: sums for place, sums in asked.items() if not place.startswith(out_of_reach)}
    assert set(everything.metric_requests) == set(covered)
    for place, sums in covered.items():
        assert everything.metric_requests[place] <= sums["requests"]
        assert everything.metric_requests[place] >= sums["requests"] - sums["errors"]


def test_the_bill_is_read_once_and_to_the_last_digit(
    everything: Totals, truth: dict[str, Any]
) -> None:
    billed = {period: Decimal(sums["unblended_usd"]) for period, sums in truth["bill"].items()}
    read = {period: Decimal(nano) / 10**9 for period, nano in everything.bill_nano.items()}
    assert set(read) == set(billed)
    for period, amount in billed.items():
        assert abs(read[period] - amount) < Decimal("0.0001")


def test_profiles_are_resolved_before_the_logs_that_name_them(everything: Totals) -> None:
    assert everything.profiles
    assert all(profile.model_id and profile.tags for profile in everything.profiles)


def test_two_regions_of_a_log_are_both_sites(aws: SimControl, northwind: World) -> None:
    found = discovered(aws, northwind)
    logs = {(s.account_id, s.region) for s in found.sites if s.source in LOG_SOURCES}
    assert (PAYER, "us-east-1") in logs
    assert (PROD, "eu-west-1") in logs
    assert (RESEARCH, "us-west-2") in logs

"""The Bedrock connector against the emulated AWS: validate, discover, read."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from temporalio.api.failure.v1 import Failure

from demo.aws import state as sim
from demo.aws.control import SimControl
from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.activities.integration.ports import (
    Chunk,
    ConnectorError,
    MetricsChunk,
    ObjectChunk,
    ProfilesChunk,
    ReadJob,
    WindowChunk,
)
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.plan import Site, WorkItem
from tensorcost.domain.integration.states import ConnectionMode, Coverage, SourceKind
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.workers.plugin import data_converter
from tests.providers.aws.world import (
    ACQUIRED,
    CLOSED,
    CUR_BUCKET,
    GROUP,
    HOME,
    MEMBER,
    NOW,
    OTHER,
    PAYER,
    READER,
    objects,
    sessions,
    stored,
    world,
)
from tests.providers.bedrock.connections import connection
from tests.providers.bedrock.samples import KEY

ORGANIZATION = ConnectionMode.ORGANIZATION


@pytest.fixture
def aws(simulator: SimControl) -> SimControl:
    simulator.seed_state(world())
    return simulator


def connector(aws: SimControl) -> BedrockConnector:
    return BedrockConnector(sessions(aws.endpoint_url), lambda: NOW)


def site(source: SourceKind, **params: str) -> Site:
    return Site(source, PAYER, HOME, params)


LOGS = site(SourceKind.LOGS_S3, bucket="test-bedrock-logs", prefix="logs", bucket_region=HOME)
EVENTS = site(SourceKind.LOGS_CLOUDWATCH, log_group="/bedrock/invocations")
METRICS = site(SourceKind.METRICS)
BILL = site(SourceKind.BILL, bucket=CUR_BUCKET, prefix="cur", export="bills", bucket_region=HOME)
MANIFEST = f"cur/bills/metadata/BILLING_PERIOD={NOW:%Y-%m}/bills-Manifest.json"
DAY = NOW.replace(hour=0)


def job(
    place: Site,
    start: datetime = DAY - timedelta(days=1),
    end: datetime = NOW,
    *,
    after: str = "",
    subject: Connection | None = None,
) -> ReadJob:
    return ReadJob(
        connection=subject or connection(),
        item=WorkItem("step", 1, place, start, end),
        after=after,
        hash_key=KEY,
        bounds=TimeBounds.at(NOW),
    )


def rows(chunk: Chunk) -> int:
    assert isinstance(chunk, ObjectChunk | WindowChunk | MetricsChunk)
    return sum(len(parsed) for parsed in chunk.spend())


def object_rows(chunk: Chunk) -> list[ParsedSpend]:
    assert isinstance(chunk, ObjectChunk)
    return list(chunk.spend())


def read_all(aws: SimControl, wanted: ReadJob) -> int:
    return sum(rows(chunk) for chunk in connector(aws).read(wanted))


def names(chunks: list[Chunk]) -> list[str]:
    return [chunk.position.rpartition("_")[2] for chunk in chunks]


def test_a_sound_connection_validates(aws: SimControl) -> None:
    verdict = connector(aws).probe(connection())
    assert (verdict.healthy, verdict.findings) == (True, ())


def test_a_wrong_external_id_is_diagnosed_and_may_heal(aws: SimControl) -> None:
    aws.preset("external_id_mismatch", account=PAYER)
    verdict = connector(aws).probe(connection())
    assert (verdict.healthy, verdict.may_heal) == (False, True)
    assert verdict.findings[0].causes


def test_discovery_finds_each_source_once(aws: SimControl) -> None:
    found = connector(aws).discover(connection())
    assert {(s.source, s.region) for s in found.sites if s.source is not SourceKind.BILL} == {
        (SourceKind.PROFILES, HOME),
        (SourceKind.METRICS, HOME),
        (SourceKind.LOGS_S3, HOME),
        (SourceKind.PROFILES, OTHER),
        (SourceKind.METRICS, OTHER),
    }
    assert [s.params["bucket"] for s in found.sites if s.source is SourceKind.BILL] == ["test-cur"]
    assert {profile.name for profile in found.profiles} == {"support-bot-prod", "steady"}
    assert [account.coverage for account in found.accounts] == [Coverage.COVERED]


def test_a_quiet_region_that_nobody_named_is_left_out(aws: SimControl) -> None:
    found = connector(aws).discover(connection(settings={"regions": ()}))
    assert {site.region for site in found.sites} == {HOME, ""}


def test_every_member_account_is_accounted_for(aws: SimControl) -> None:
    found = connector(aws).discover(connection(ORGANIZATION))
    assert {account.account_id: account.coverage for account in found.accounts} == {
        PAYER: Coverage.COVERED,
        MEMBER: Coverage.COVERED,
        ACQUIRED: Coverage.ROLE_MISSING,
        CLOSED: Coverage.SKIPPED,
    }
    assert [f.evidence["account"] for f in found.findings if f.code.startswith("MEMBER")] == [
        ACQUIRED
    ]


def test_accounts_off_the_list_are_skipped_and_never_entered(aws: SimControl) -> None:
    subject = connection(ORGANIZATION, settings={"allowed_accounts": (PAYER,)})
    found = connector(aws).discover(subject)
    coverage = {account.account_id: account.coverage for account in found.accounts}
    assert coverage[MEMBER] is Coverage.SKIPPED
    assert {entry.account for entry in aws.requests()} <= {PAYER, "999999999999"}


@pytest.mark.parametrize(
    ("preset", "lost", "title"),
    [
        ("logging_off", SourceKind.LOGS_S3, "Invocation logs are not connected"),
        ("cloudwatch_denied", None, None),
    ],
)
def test_what_is_missing_is_named_and_the_rest_goes_on(
    aws: SimControl, preset: str, lost: SourceKind | None, title: str | None
) -> None:
    args = {"account": PAYER, "role": READER} if preset == "cloudwatch_denied" else {}
    aws.preset(preset, **args)
    found = connector(aws).discover(connection())
    sources = {site.source for site in found.sites}
    assert lost not in sources
    assert SourceKind.BILL in sources
    if title:
        assert title in found.missing
        assert any(f.title == title and "It adds" in f.remedy for f in found.findings)


def test_a_bucket_that_may_not_be_read_falls_back_to_the_log_group(aws: SimControl) -> None:
    aws.preset("cur_denied", resource="test-bedrock-logs")
    found = connector(aws).discover(connection())
    sources = {site.source for site in found.sites}
    assert SourceKind.LOGS_CLOUDWATCH in sources
    assert SourceKind.LOGS_S3 not in sources
    assert "LOG_BUCKET_DENIED" in {finding.code for finding in found.findings}


@pytest.mark.parametrize(("days", "told"), [(14, {"retention_days": "14"}), (None, {})])
def test_a_log_group_tells_how_long_it_keeps_its_events(
    aws: SimControl, days: int | None, told: dict[str, str]
) -> None:
    group = sim.LogGroup(account=PAYER, region=HOME, name=GROUP, retention_days=days)
    logging = sim.LoggingConfig(account=PAYER, region=HOME, log_group=GROUP)
    aws.seed_state(world(log_groups=[group], logging=[logging]))
    found = connector(aws).discover(connection())
    (logs,) = (one for one in found.sites if one.source is SourceKind.LOGS_CLOUDWATCH)
    assert logs.params == {"log_group": GROUP, **told}


def test_objects_are_read_in_order_and_only_records(aws: SimControl) -> None:
    chunks = list(connector(aws).read(job(LOGS)))
    assert names(chunks) == ["cc.json.gz", "aa.json.gz", "bb.json.gz"]
    assert [rows(chunk) for chunk in chunks] == [1, 2, 1]
    assert all(isinstance(chunk, ObjectChunk) and chunk.size for chunk in chunks)


def test_reading_resumes_after_the_committed_object(aws: SimControl) -> None:
    whole = list(connector(aws).read(job(LOGS)))
    for done, chunk in enumerate(whole, start=1):
        rest = list(connector(aws).read(job(LOGS, after=chunk.position)))
        assert names(rest) == names(whole)[done:]


def test_a_window_that_begins_in_the_day_leaves_out_earlier_hours(aws: SimControl) -> None:
    chunks = list(connector(aws).read(job(LOGS, start=NOW - timedelta(hours=2))))
    assert names(chunks) == []
    chunks = list(connector(aws).read(job(LOGS, start=NOW - timedelta(hours=3))))
    assert names(chunks) == ["aa.json.gz", "bb.json.gz"]


def test_a_window_that_ends_at_midnight_does_not_list_the_next_day(aws: SimControl) -> None:
    chunks = list(connector(aws).read(job(LOGS, end=DAY)))
    assert names(chunks) == ["cc.json.gz"]


def test_log_events_come_in_slices_that_resume(aws: SimControl) -> None:
    chunks = list(connector(aws).read(job(EVENTS, start=DAY, end=NOW)))
    assert [rows(chunk) for chunk in chunks] == [25]
    assert list(connector(aws).read(job(EVENTS, start=DAY, after=chunks[0].position))) == []


def test_metrics_of_an_old_window_ask_for_models_by_name(aws: SimControl) -> None:
    (chunk,) = connector(aws).read(job(METRICS))
    assert rows(chunk) > 0
    aws.forget_requests()
    old = job(METRICS, start=NOW - timedelta(days=40), end=NOW - timedelta(days=30))
    (chunk,) = connector(aws).read(old)
    assert rows(chunk) == 0
    assert "ListFoundationModels" in {entry.operation for entry in aws.requests()}


def test_profiles_come_with_their_tags(aws: SimControl) -> None:
    (chunk,) = connector(aws).read(job(site(SourceKind.PROFILES)))
    assert isinstance(chunk, ProfilesChunk)
    assert ("team", "care") in {tag for profile in chunk.profiles for tag in profile.tags}


@pytest.mark.parametrize(
    ("preset", "args", "code"),
    [
        ("cur_denied", {"resource": "test-bedrock-logs"}, "LOG_BUCKET_DENIED"),
        ("kms_denied", {"resource": "test-bedrock-logs"}, "KMS_DENIED"),
        ("bucket_missing", {"resource": "test-bedrock-logs"}, "LOG_BUCKET"),
    ],
)
def test_a_refusal_while_reading_is_final_and_says_what_it_means(
    aws: SimControl, preset: str, args: dict[str, Any], code: str
) -> None:
    aws.preset(preset, **args)
    with pytest.raises(ConnectorError) as caught:
        read_all(aws, job(LOGS))
    assert caught.value.code == code
    assert caught.value.retry_after is None
    assert caught.value.finding is not None
    assert caught.value.finding.remedy


def test_throttling_while_reading_is_retried(aws: SimControl) -> None:
    aws.preset("always_throttled", service="s3")
    with pytest.raises(ConnectorError) as caught:
        read_all(aws, job(LOGS))
    assert caught.value.retry_after is not None
    assert caught.value.finding is None


@pytest.mark.parametrize("place", [LOGS, BILL], ids=["logs", "bill"])
async def test_a_read_that_fails_is_told_to_the_server_with_its_causes(
    aws: SimControl, place: Site
) -> None:
    aws.seed_state(world(objects=[*objects(), stored(MANIFEST, b"{}", CUR_BUCKET)]))
    aws.preset("always_throttled", service="s3", operation="GetObject")
    with pytest.raises(ConnectorError) as caught:
        read_all(aws, job(place))
    kept = Failure()
    await data_converter().encode_failure(caught.value, kept)
    assert [kept.message, kept.cause.message, kept.cause.cause.application_failure_info.type] == [
        "Please reduce your request rate.",
        "s3 GetObject: Please reduce your request rate.",
        "ClientError",
    ]


def test_an_object_that_was_deleted_since_it_was_listed_is_no_denial(aws: SimControl) -> None:
    aws.preset("object_vanished", times=1)
    with pytest.raises(ConnectorError) as caught:
        read_all(aws, job(LOGS))
    assert caught.value.retry_after is not None
    assert caught.value.finding is None
    assert read_all(aws, job(LOGS)) == 4


@pytest.mark.parametrize("preset", ["truncated_gzip", "invalid_gzip"])
def test_a_damaged_object_is_quarantined_and_the_rest_goes_on(aws: SimControl, preset: str) -> None:
    aws.preset(preset, times=1)
    chunks = list(connector(aws).read(job(LOGS)))
    parsed = [batch for chunk in chunks for batch in object_rows(chunk)]
    rejects = [reject for batch in parsed for reject in batch.rejects]
    assert [reject.file.rpartition("_")[2] for reject in rejects] == ["cc.json.gz"]
    assert sum(len(batch) for batch in parsed) == 3


def test_reading_never_writes(aws: SimControl) -> None:
    made = connector(aws)
    made.probe(connection(ORGANIZATION))
    made.discover(connection(ORGANIZATION))
    for place in (LOGS, EVENTS, METRICS):
        for chunk in made.read(job(place)):
            rows(chunk)
    reads = ("Get", "List", "Describe", "Filter", "Head", "AssumeRole")
    assert all(entry.operation.startswith(reads) for entry in aws.requests())

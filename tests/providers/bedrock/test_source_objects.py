from datetime import date

import pytest

from demo.aws.control import SimControl
from tensorcost.domain.integration.probe_facts import ErrorKind
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.bedrock.invocation_log import parse_object
from tensorcost.providers.bedrock.source_objects import (
    LogBucket,
    etag_now,
    has_log_objects,
    is_log_object,
    list_log_objects,
    list_objects,
    log_folder,
    open_object,
    read_object,
)
from tests.providers.aws.world import (
    BUCKET,
    HOME,
    PAYER,
    log_key,
    payer,
    stored,
    world,
)
from tests.providers.bedrock.samples import merged, settings

PLACE = LogBucket(BUCKET, "logs", HOME)
DAY = date(2026, 11, 4)
FIRST, SECOND = log_key("20261104T030000000Z_aa.json.gz"), log_key("20261104T031000000Z_bb.json.gz")


def keys(aws: SimControl, day: date = DAY, after: str = "") -> list[str]:
    found = list_log_objects(payer(aws.endpoint_url), PLACE, HOME, day, after=after)
    return [one.key for one in found]


def test_only_records_of_the_day_are_listed(aws: SimControl) -> None:
    assert keys(aws) == [FIRST, SECOND]
    assert keys(aws, date(2026, 11, 5)) == []


def test_listing_goes_on_after_a_key_and_over_small_pages(aws: SimControl) -> None:
    aws.preset("small_pages", service="s3")
    assert keys(aws) == [FIRST, SECOND]
    assert keys(aws, after=FIRST) == [SECOND]


def test_a_day_without_records_is_told_from_one_with(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    assert has_log_objects(session, PLACE, HOME, DAY)
    assert not has_log_objects(session, PLACE, HOME, date(2026, 10, 1))


def test_an_object_streams_into_the_parser(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    (one, _) = list(list_log_objects(session, PLACE, HOME, DAY))
    with open_object(session, one.bucket, one.key, HOME, etag=one.etag) as chunks:
        ids, rejects, read = merged(parse_object(chunks, settings()))
    assert (ids, rejects, read) == (["a1", "a2"], [], 2)


def test_a_torn_transfer_is_a_failure_and_not_a_torn_object(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    aws.preset("connection_dropped")
    with (
        open_object(session, BUCKET, FIRST, HOME) as chunks,
        pytest.raises(ProviderError) as caught,
    ):
        list(parse_object(chunks, settings()))
    assert (caught.value.kind, caught.value.is_transient) == (ErrorKind.NETWORK, True)


def test_an_object_replaced_since_it_was_listed_is_not_read(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    with (
        pytest.raises(ProviderError) as caught,
        open_object(session, BUCKET, FIRST, HOME, etag="0" * 32),
    ):
        pass
    assert caught.value.kind is ErrorKind.CHANGED


def test_small_objects_come_with_their_etag_and_have_a_limit(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    data, etag = read_object(session, BUCKET, FIRST, HOME, limit=10_000)
    assert data.startswith(b"\x1f\x8b")
    assert etag == etag_now(session, BUCKET, FIRST, HOME)
    with pytest.raises(ValueError, match="larger"):
        read_object(session, BUCKET, FIRST, HOME, limit=5)


def test_an_etag_is_told_although_the_session_has_ended(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    before = etag_now(session, BUCKET, FIRST, HOME)
    aws.preset("sessions_ended", service="s3")
    assert etag_now(session, BUCKET, FIRST, HOME) == before
    assert aws.fired() == {"sessions_ended": 1}


@pytest.mark.parametrize("kind", [ErrorKind.THROTTLED, ErrorKind.DENIED, ErrorKind.NOT_FOUND])
def test_an_etag_that_is_refused_says_why(aws: SimControl, kind: ErrorKind) -> None:
    session = payer(aws.endpoint_url)
    if kind is not ErrorKind.NOT_FOUND:
        aws.fault(service="s3", kind=kind.value)
    with pytest.raises(ProviderError) as caught:
        etag_now(session, BUCKET, f"{FIRST}.gone", HOME)
    assert caught.value.kind is kind


def test_an_empty_object_has_an_etag_too(aws: SimControl) -> None:
    aws.seed_state(world(objects=[stored("empty", b"")]))
    session = payer(aws.endpoint_url)
    (listed,) = list_objects(session, BUCKET, "empty", HOME)
    assert etag_now(session, BUCKET, "empty", HOME) == listed.etag


def test_keys_are_built_as_aws_lays_them_out() -> None:
    base = f"AWSLogs/{PAYER}/BedrockModelInvocationLogs/us-east-1/"
    assert log_folder("", PAYER, HOME) == base
    assert log_folder("/a/b/", PAYER, HOME, DAY) == f"a/b/{base}2026/11/04/"
    assert is_log_object(f"{base}2026/11/04/03/x.json.gz")
    assert not is_log_object(f"{base}2026/11/04/03/data/x.json.gz")
    assert not is_log_object(f"{base}amazon-bedrock-logs-permission-check")

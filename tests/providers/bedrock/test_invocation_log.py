import gzip
import json
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.spend.facts import Grain, RoutingScope, ServiceTier, Source
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.bedrock.attribution import AttributionRules
from tensorcost.providers.bedrock.invocation_log import (
    LogMessage,
    parse_messages,
    parse_object,
)
from tensorcost.providers.bedrock.ndjson import MAX_LINE_BYTES
from tests.providers.bedrock.samples import (
    CONVERSE,
    PROFILE,
    STREAMED_BODY,
    chunked,
    lines,
    merged,
    parse,
    record,
    settings,
)


def counts(batch: Any) -> tuple[int, ...]:
    return (
        batch.input_tokens[0],
        batch.cached_tokens[0],
        batch.cache_write_5m_tokens[0],
        batch.cache_write_1h_tokens[0],
        batch.output_tokens[0],
    )


def test_a_converse_record_becomes_a_whole_row() -> None:
    batch = parse(CONVERSE)
    assert (batch.grain, len(batch), batch.rows_read, batch.rejects) == (Grain.REQUEST, 1, 1, [])
    assert batch.native_id == batch.request_id == [CONVERSE["requestId"]]
    assert batch.ts_us == [1_793_693_742_000_000]
    assert counts(batch) == (120, 40, 200, 5000, 310)
    assert (batch.latency_ms, batch.error_code, batch.requests) == ([1840], [None], [1])
    assert (batch.conversation_id, batch.session_id) == (["c-77"], [None])
    dimension = batch.dimensions[batch.dim[0]]
    assert (dimension.source, dimension.provider) == (Source.BEDROCK, "bedrock")
    assert (dimension.account_id, dimension.region) == ("111122223333", "us-east-1")
    assert dimension.model_id == "anthropic.claude-sonnet-4-6"
    assert (dimension.profile_arn, dimension.routing_scope) == (PROFILE, RoutingScope.GEO)
    assert (dimension.application, dimension.environment) == ("support-bot", "prod")
    assert (dimension.team, dimension.owner) == ("care-from-tag", "ana@example.test")
    actor = batch.actors[batch.actor[0]]
    assert (actor.user, actor.agent) == ("ana@example.test", "triage-1")


def test_a_streamed_body_gives_latency_and_hourly_writes_from_its_two_ends() -> None:
    streamed = record(
        operation="InvokeModelWithResponseStream",
        input={"inputTokenCount": 40, "cacheWriteInputTokenCount": 1000},
        output={"outputBodyJson": STREAMED_BODY, "outputTokenCount": 88},
    )
    batch = parse(streamed)
    assert batch.latency_ms == [2210]
    assert counts(batch) == (40, 0, 100, 900, 88)
    assert batch.response_hash[0] is not None


def test_an_anthropic_body_splits_cache_writes_too() -> None:
    body = {
        "content": [{"type": "text", "text": "hi"}],
        "usage": {"cache_creation": {"ephemeral_1h_input_tokens": 300}},
    }
    batch = parse(
        record(
            input={"inputTokenCount": 1, "cacheWriteInputTokenCount": 500},
            output={"outputBodyJson": body, "outputTokenCount": 2},
        )
    )
    assert counts(batch) == (1, 0, 200, 300, 2)


@pytest.mark.parametrize("stated", [-5, 10_000])
def test_the_log_count_bounds_what_the_body_says_about_hourly_writes(stated: int) -> None:
    body = {"usage": {"cacheDetails": [{"ttl": "1h", "inputTokens": stated}]}}
    batch = parse(
        record(
            input={"inputTokenCount": 1, "cacheWriteInputTokenCount": 500},
            output={"outputBodyJson": body, "outputTokenCount": 2},
        )
    )
    assert batch.cache_write_5m_tokens[0] + batch.cache_write_1h_tokens[0] == 500
    assert min(counts(batch)) >= 0


@pytest.mark.parametrize(
    ("text", "ts_us"),
    [
        ("2026-11-03T08:15:42Z", 1_793_693_742_000_000),
        ("2026-11-03t08:15:42z", 1_793_693_742_000_000),
        ("2026-11-03T08:15:42.1234567Z", 1_793_693_742_123_456),
        ("2026-11-03T10:15:42+02:00", 1_793_693_742_000_000),
        ("2026-11-03T08:15:42", 1_793_693_742_000_000),
        ("20261103T081542Z", 1_793_693_742_000_000),
    ],
)
@pytest.mark.parametrize("body", [{"messages": ["known"]}, {"other": "shape"}])
def test_a_time_reads_the_same_whatever_stands_beside_it(
    text: str, ts_us: int, body: dict[str, Any]
) -> None:
    part = {"inputTokenCount": 1, "inputBodyJson": body}
    assert parse(record(timestamp=text, input=part)).ts_us == [ts_us]


def test_a_failed_call_keeps_its_error_and_needs_no_counts() -> None:
    batch = parse(record(errorCode="ThrottlingException", input=..., output=...))
    assert (batch.error_code, counts(batch)) == (["ThrottlingException"], (0, 0, 0, 0, 0))
    assert (batch.prompt_hash, batch.response_hash) == ([None], [None])


def test_an_older_record_without_cache_fields_reads_as_no_cache() -> None:
    batch = parse(record(input={"inputTokenCount": 9}, output={"outputTokenCount": 1}))
    assert counts(batch) == (9, 0, 0, 0, 1)


@pytest.mark.parametrize(
    ("changes", "tier"),
    [
        ({}, ServiceTier.STANDARD),
        ({"serviceTier": "flex"}, ServiceTier.FLEX),
        ({"serviceTier": {"type": "priority"}}, ServiceTier.PRIORITY),
        ({"serviceTier": "sometime"}, ServiceTier.UNKNOWN),
        ({"performanceConfig": {"latency": "optimized"}}, ServiceTier.UNKNOWN),
        ({"performanceConfig": {"latency": "standard"}}, ServiceTier.STANDARD),
        (
            {
                "output": {
                    "outputTokenCount": 1,
                    "outputBodyJson": {"serviceTier": {"type": "flex"}},
                }
            },
            ServiceTier.FLEX,
        ),
        (
            {
                "input": {
                    "inputTokenCount": 1,
                    "inputBodyJson": {"messages": [{}], "service_tier": "priority"},
                }
            },
            ServiceTier.PRIORITY,
        ),
    ],
)
def test_the_service_tier_comes_from_wherever_it_is_given(
    changes: dict[str, Any], tier: ServiceTier
) -> None:
    batch = parse(record(**changes))
    assert batch.dimensions[batch.dim[0]].service_tier is tier


def test_the_context_bucket_counts_cached_tokens_too() -> None:
    big = {"inputTokenCount": 1_000, "cacheReadInputTokenCount": 200_000}
    batch = parse(record(input=big))
    assert batch.dimensions[batch.dim[0]].context_bucket == "above_200k"


GOOD = record()


@pytest.mark.parametrize(
    ("bad", "reason", "detail"),
    [
        (b"not json at all", RejectReason.NOT_JSON, ""),
        (b'{"schemaType": "Model', RejectReason.NOT_JSON, ""),
        (b"[" * 100_000, RejectReason.WRONG_TYPE, ""),
        (b'{"schemaType":' + b"[" * 100_000, RejectReason.WRONG_TYPE, "schemaType"),
        (b'{"x":' + b"[" * 100_000, RejectReason.NOT_JSON, ""),
        (b"17", RejectReason.WRONG_TYPE, ""),
        (record(schemaVersion="2.0"), RejectReason.UNKNOWN_SCHEMA_VERSION, "schemaVersion"),
        (record(schemaType=...), RejectReason.MISSING_FIELD, "schemaType"),
        (record(modelId=...), RejectReason.MISSING_FIELD, "modelId"),
        (record(region=None), RejectReason.MISSING_FIELD, "region"),
        (record(requestId=...), RejectReason.MISSING_FIELD, "requestId"),
        (record(input=..., output=...), RejectReason.MISSING_FIELD, "input.inputTokenCount"),
        (record(accountId="12345678901234"), RejectReason.BAD_ACCOUNT, "accountId"),
        (record(accountId="11112222333x"), RejectReason.BAD_ACCOUNT, "accountId"),
        (record(accountId=111122223333), RejectReason.WRONG_TYPE, "accountId"),
        (record(region="us-east-1'; --"), RejectReason.WRONG_TYPE, "region"),
        (record(timestamp="yesterday"), RejectReason.BAD_TIMESTAMP, "timestamp"),
        (record(timestamp="2009-01-01T00:00:00Z"), RejectReason.TOO_OLD, "timestamp"),
        (record(timestamp="2026-11-05T00:00:01Z"), RejectReason.IN_THE_FUTURE, "timestamp"),
        (record(input={"inputTokenCount": -1}), RejectReason.NEGATIVE_TOKENS, "tokenCount"),
        (
            record(input={"inputTokenCount": 1, "cacheWriteInputTokenCount": -7}),
            RejectReason.NEGATIVE_TOKENS,
            "tokenCount",
        ),
        (record(input={"inputTokenCount": 10**30}), RejectReason.ABSURD_TOKENS, "tokenCount"),
        (
            record(input={"inputTokenCount": "many"}),
            RejectReason.WRONG_TYPE,
            "input.inputTokenCount",
        ),
    ],
)
def test_what_cannot_be_accepted_is_rejected_with_its_position_and_the_rest_goes_on(
    bad: Any, reason: str, detail: str
) -> None:
    batch = parse(GOOD, bad, record(requestId="r-3"))
    assert batch.native_id == [GOOD["requestId"], "r-3"]
    (reject,) = batch.rejects
    assert (reject.file, reject.position, reject.reason) == ("logs/one.json.gz", 2, reason)
    assert reject.detail == detail
    assert len(reject.line_hash) == 16
    assert batch.rows_read == 3


def test_blank_lines_and_awss_permission_note_are_not_records() -> None:
    note = b"Permissions are correctly set for Amazon Bedrock logs."
    batch = parse(note, b"", b"   ", GOOD)
    assert (len(batch), batch.rows_read, batch.rejects) == (1, 1, [])


def test_records_of_another_schema_type_are_passed_over() -> None:
    batch = parse(GOOD, record(schemaType="GuardrailTrace", accountId="odd"))
    assert (len(batch), batch.rows_read, batch.rejects) == (1, 1, [])


def test_unknown_members_and_odd_metadata_never_fail_a_record() -> None:
    odd = record(
        system="x",
        messages=[1],
        requestMetadata={"application": 7, "team": "care", "nested": {"a": 1}},
    )
    batch = parse(odd)
    assert batch.rejects == []
    assert batch.dimensions[0].team == "care"
    assert len(parse(record(requestMetadata="text"))) == 1


@pytest.mark.parametrize(
    "body",
    ["text", 5, ["a", "b"], {"messages": "text"}, {"prompt": "p"}, {"inputText": "t"}, {"x": 1}],
)
def test_a_request_body_of_any_shape_is_hashed(body: Any) -> None:
    part = {"inputTokenCount": 1, "inputBodyJson": body}
    one, two = parse(record(input=part)), parse(record(input=part, requestId="r2"))
    assert one.rejects == []
    assert one.prompt_hash[0] is not None
    assert one.prompt_hash == two.prompt_hash
    other = parse(record(input={"inputTokenCount": 1, "inputBodyJson": {"prompt": "else"}}))
    assert other.prompt_hash != one.prompt_hash


@pytest.mark.parametrize(
    "body",
    ["text", 5, {"x": 1}, {"metrics": "odd", "output": "o"}, {"usage": 3}, [], [1, 2], [[1]]],
)
def test_a_response_body_of_any_shape_is_hashed(body: Any) -> None:
    batch = parse(record(output={"outputTokenCount": 1, "outputBodyJson": body}))
    assert batch.rejects == []
    assert batch.response_hash[0] is not None


def test_a_null_body_has_no_hash() -> None:
    batch = parse(
        record(
            input={"inputTokenCount": 1, "inputBodyJson": None},
            output={"outputTokenCount": 1, "outputBodyJson": None},
        )
    )
    assert (batch.prompt_hash, batch.prefix_hashes) == ([None], [None])
    assert batch.response_hash == [None]


def test_a_record_without_request_id_is_known_by_file_and_line() -> None:
    batch = parse(GOOD, record(requestId=...), file_hash="etag1")
    assert batch.native_id[1] == "file:etag1:2"
    assert batch.request_id[1] is None


def test_log_events_are_read_like_lines_and_their_event_id_stands_in() -> None:
    events = [
        LogMessage("e1", json.dumps(GOOD)),
        LogMessage("e2", "Permissions are correctly set for Amazon Bedrock logs."),
        LogMessage("e3", json.dumps(record(requestId=...))),
        LogMessage("e4", "{"),
        LogMessage("e5", "\ud800"),
    ]
    ids, rejects, read = merged(parse_messages(events, settings(file="group")))
    assert ids == [GOOD["requestId"], "e3"]
    assert rejects == [(4, RejectReason.NOT_JSON), (5, RejectReason.NOT_JSON)]
    assert read == 4


def test_capture_of_request_metadata_can_be_switched_off() -> None:
    batch = parse(GOOD, attribution=AttributionRules(capture_request_metadata=False))
    dimension = batch.dimensions[0]
    assert (dimension.application, dimension.environment) == ("", "")
    assert dimension.team == "care-from-tag"
    assert batch.conversation_id == [None]
    assert batch.actors[0].agent == ""


MANY = [record(requestId=f"r-{n}") for n in range(23)]


@given(batch_rows=st.integers(1, 30), size=st.integers(1, 500))
def test_batches_are_bounded_and_lose_nothing(batch_rows: int, size: int) -> None:
    data = gzip.compress(lines(*MANY[:11], b"oops", *MANY[11:]))
    batches = list(parse_object(chunked(data, size), settings(batch_rows=batch_rows)))
    assert max(batch.rows_read for batch in batches) <= batch_rows
    ids, rejects, read = merged(batches)
    assert ids == [r["requestId"] for r in MANY]
    assert (rejects, read) == ([(12, RejectReason.NOT_JSON)], 24)
    for batch in batches:
        lengths = {len(getattr(batch, name)) for name in ("dim", "actor", "unit", "latency_ms")}
        assert lengths == {len(batch)}


def test_a_line_too_long_at_the_end_of_a_batch_loses_none_of_those_after_it() -> None:
    text = lines(MANY[0], b'{"x":"' + b"y" * MAX_LINE_BYTES + b'"}', *MANY[1:4])
    batches = list(parse_object([gzip.compress(text, 1)], settings(batch_rows=2)))
    assert [batch.rows_read for batch in batches] == [2, 2, 1]
    ids, rejects, _ = merged(batches)
    assert ids == [r["requestId"] for r in MANY[:4]]
    assert rejects == [(2, RejectReason.LINE_TOO_LONG)]


def test_every_line_is_one_record_and_neither_more_nor_less() -> None:
    whole = json.dumps(GOOD).encode()
    split = whole.replace(b",", b",\n", 1)
    ids, rejects, _ = merged(parse_object([lines(whole, whole + whole, split, whole)], settings()))
    assert ids == [GOOD["requestId"]] * 2
    assert [position for position, _ in rejects] == [2, 3, 4]


def test_json_nested_to_any_depth_is_read_or_rejected() -> None:
    odd = {"inputTokenCount": 1, "inputBodyJson": {"messages": [1], "service_tier": "nested"}}
    text = json.dumps(record(input=odd, requestMetadata={"team": "nested"})).encode()
    for depth in range(sys.getrecursionlimit() - 200, sys.getrecursionlimit()):
        nested = b'{"a":' * depth + b"1" + b"}" * depth
        assert parse(text.replace(b'"nested"', nested)).rows_read == 1


TORN = gzip.compress(lines(*MANY))


@given(cut=st.integers(2, len(TORN) - 1))
def test_a_truncated_object_keeps_its_records_and_says_where_it_ends(cut: int) -> None:
    ids, rejects, _ = merged(parse_object(chunked(TORN[:cut]), settings()))
    assert ids == [f"r-{n}" for n in range(len(ids))]
    assert rejects == [(len(ids) + 1, RejectReason.TRUNCATED_GZIP)]


tokens = st.integers(0, 10_000)


@given(uncached=tokens, read=tokens, write=tokens, hourly=tokens, out=tokens)
def test_the_disjoint_buckets_add_up_to_the_providers_total(
    uncached: int, read: int, write: int, hourly: int, out: int
) -> None:
    body = {"usage": {"cacheDetails": [{"ttl": "1h", "inputTokens": hourly}]}}
    batch = parse(
        record(
            input={
                "inputTokenCount": uncached,
                "cacheReadInputTokenCount": read,
                "cacheWriteInputTokenCount": write,
            },
            output={"outputTokenCount": out, "outputBodyJson": body},
        )
    )
    assert sum(counts(batch)) == uncached + read + write + out
    assert min(counts(batch)) >= 0

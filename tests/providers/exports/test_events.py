import csv
import gzip
import io
import json
from collections import Counter
from datetime import UTC, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path

import pytest

from tensorcost.domain.cost.price import Price, PriceKey
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.pricing import price_columns
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import ModelTier, RoutingScope, ServiceTier, Source
from tensorcost.domain.spend.limits import RejectReason, to_us
from tensorcost.providers.exports.event_spec import (
    CANONICAL_FIELDS,
    CachedTokens,
    parse_assignments,
)
from tensorcost.providers.exports.events import parse_event_objects, read_events
from tests.providers.exports.files import (
    NOW,
    names,
    read_all,
    sample_and_published,
    spec,
    text_of,
    told,
)

TRACES = sample_and_published("azure_llm_trace.csv", "llm_traces/AzureLLMInferenceTrace_*.csv.gz")
AGENTS = sample_and_published("agent_events.jsonl", "llm_traces/aider_agent_events.jsonl.gz")
TRACE_MAP = {
    "timestamp": "TIMESTAMP",
    "input_tokens": "ContextTokens",
    "output_tokens": "GeneratedTokens",
}
AGENT_MAP = {
    "timestamp": "time",
    "model_id": "properties.main_model",
    "input_tokens": "properties.prompt_tokens",
    "output_tokens": "properties.completion_tokens",
    "cost": "properties.cost",
    "user": "user_id",
}


def written(folder: Path, name: str, *lines: str) -> Path:
    path = folder / name
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.mark.parametrize("path", TRACES, ids=names(TRACES))
def test_every_request_of_a_csv_trace_is_taken_with_its_exact_counts_and_times(path: Path) -> None:
    constants = {"model_id": "gpt-4", "source": "azure_openai"}
    parsed = read_all(path, spec(mapping=TRACE_MAP, constants=constants))
    rows = list(csv.DictReader(io.StringIO(text_of(path))))
    assert parsed.rejects == []
    assert parsed.rows_read == len(parsed) == len(rows)
    assert parsed.input_tokens == [int(row["ContextTokens"]) for row in rows]
    assert parsed.output_tokens == [int(row["GeneratedTokens"]) for row in rows]
    stamps = [datetime.fromisoformat(row["TIMESTAMP"][:26]).replace(tzinfo=UTC) for row in rows]
    assert parsed.ts_us == [to_us(stamp) for stamp in stamps]
    assert len(set(parsed.native_id)) == len(rows)
    [dimension] = parsed.dimensions
    assert (dimension.source, dimension.model_id) == (Source.AZURE_OPENAI, "gpt-4")


@pytest.mark.parametrize("path", AGENTS, ids=names(AGENTS))
def test_the_requests_among_agent_events_are_taken_and_the_others_named(path: Path) -> None:
    parsed = read_all(path, spec(mapping=AGENT_MAP))
    events = [json.loads(line, parse_float=Decimal) for line in text_of(path).splitlines()]
    sent = [e for e in events if e["event"] == "message_send" and e["properties"]["main_model"]]
    assert parsed.rows_read == len(events)
    assert sum(parsed.input_tokens) == sum(e["properties"]["prompt_tokens"] for e in sent)
    assert sum(parsed.output_tokens) == sum(e["properties"]["completion_tokens"] for e in sent)
    step = Decimal("0.000000001")
    costs = [Decimal(e["properties"]["cost"]).quantize(step, ROUND_HALF_EVEN) for e in sent]
    assert [Decimal(nano or 0) * step for nano in parsed.recorded_cost_nano] == costs
    assert set(parsed.recorded_currency) == {"USD"}
    assert Counter(r.reason for r in parsed.rejects) == {
        RejectReason.MISSING_FIELD: len(events) - len(sent)
    }
    assert {actor.user for actor in parsed.actors} == {e["user_id"] for e in sent}


def test_our_own_price_agrees_with_the_cost_that_the_tool_recorded_at_the_time() -> None:
    parsed = read_all(AGENTS[0], spec(mapping=AGENT_MAP, constants={"source": "openai"}))
    start = datetime(2024, 7, 18, tzinfo=UTC)
    book = PriceBook(
        Price(
            PriceKey("openai", "gpt-4o-mini", "*", RoutingScope.GLOBAL, ServiceTier.STANDARD,
                     "text", "base", kind),
            Decimal(usd), start, None, 1, "list of 2024",
        )
        for kind, usd in ((TokenKind.INPUT, "0.15"), (TokenKind.OUTPUT, "0.60"))
    )  # fmt: skip
    priced = price_columns(parsed, book).cost_list()
    mine = [
        (own, said)
        for own, said, dim in zip(priced, parsed.recorded_cost_nano, parsed.dim, strict=True)
        if parsed.dimensions[dim].model_id == "gpt-4o-mini"
    ]
    assert mine == [(110_700, 110_700)]


def test_every_canonical_field_arrives_where_it_belongs(tmp_path: Path) -> None:
    values = {
        "timestamp": "2026-11-01T10:00:00Z", "id": "evt-1", "source": "bedrock",
        "account_id": "111122223333", "region": "us-east-1",
        "model_id": "us.anthropic.claude-sonnet-4-6", "input_tokens": "10",
        "cached_tokens": "20", "cache_write_5m_tokens": "30", "cache_write_1h_tokens": "40",
        "output_tokens": "50", "cost": "1.25", "currency": "eur", "application": "support",
        "team": "care", "environment": "prod", "owner": "ana", "user": "u", "agent": "a",
        "workflow": "w", "conversation_id": "c", "session_id": "s", "request_id": "r",
        "latency_ms": "1840.5", "error_code": "ThrottlingException",
    }  # fmt: skip
    assert tuple(values) == CANONICAL_FIELDS
    path = written(tmp_path, "all.csv", ",".join(values), ",".join(values.values()))
    parsed = read_all(path, spec(family_of=lambda _: ("claude-sonnet", ModelTier.STANDARD)))
    assert parsed.rejects == []
    assert parsed.native_id == ["evt-1"]
    counts = (parsed.input_tokens, parsed.cached_tokens, parsed.cache_write_5m_tokens,
              parsed.cache_write_1h_tokens, parsed.output_tokens)  # fmt: skip
    assert counts == ([10], [20], [30], [40], [50])
    assert (parsed.recorded_cost_nano, parsed.recorded_currency) == ([1_250_000_000], ["EUR"])
    assert (parsed.request_id, parsed.conversation_id, parsed.session_id) == (["r"], ["c"], ["s"])
    assert (parsed.latency_ms, parsed.error_code) == ([1840], ["ThrottlingException"])
    [actor], [dimension] = parsed.actors, parsed.dimensions
    assert (actor.user, actor.agent, actor.workflow) == ("u", "a", "w")
    assert dimension.model_id == "anthropic.claude-sonnet-4-6"
    assert dimension.routing_scope is RoutingScope.GEO
    assert (dimension.model_family, dimension.model_tier) == ("claude-sonnet", ModelTier.STANDARD)
    assert (dimension.account_id, dimension.region) == ("111122223333", "us-east-1")
    labels = (dimension.application, dimension.team, dimension.environment, dimension.owner)
    assert labels == ("support", "care", "prod", "ana")


def test_the_columns_of_a_batch_have_one_length_even_after_rejects(tmp_path: Path) -> None:
    path = written(
        tmp_path, "mixed.csv", "timestamp,model_id,input_tokens,team",
        "2026-11-01,m,1,a", "2026-11-01,,1,a", "2026-11-01,m,x,a", "nope,m,1,a", "2026-11-02,m,2,b",
    )  # fmt: skip
    parsed = read_all(path, spec())
    lengths = {
        name: len(value)
        for name in ParsedSpendColumns
        if isinstance(value := getattr(parsed, name), list)
    }
    assert set(lengths.values()) == {2}
    assert told(parsed.rejects) == [
        (3, RejectReason.MISSING_FIELD),
        (4, RejectReason.WRONG_TYPE),
        (5, RejectReason.BAD_TIMESTAMP),
    ]


ParsedSpendColumns = (
    "ts_us", "native_id", "dim", "actor", "requests", "input_tokens", "cached_tokens",
    "cache_write_5m_tokens", "cache_write_1h_tokens", "output_tokens", "quantity_micro", "unit",
    "recorded_cost_nano", "recorded_currency", "latency_ms", "error_code", "request_id",
    "conversation_id", "session_id", "prompt_hash", "response_hash", "prefix_hashes",
)  # fmt: skip


def test_cached_tokens_inside_the_input_are_taken_out_of_it(tmp_path: Path) -> None:
    path = written(
        tmp_path, "cached.csv",
        "timestamp,model_id,input_tokens,cached_tokens,cache_write_5m_tokens,output_tokens",
        "2026-11-01,m,100,30,20,5", "2026-11-01,m,100,90,20,5",
    )  # fmt: skip
    inside = read_all(path, spec(cached=CachedTokens.INCLUDED))
    beside = read_all(path, spec(cached=CachedTokens.BESIDE))
    assert (inside.input_tokens, inside.cached_tokens) == ([50], [30])
    assert told(inside.rejects) == [(3, RejectReason.NEGATIVE_TOKENS)]
    assert beside.input_tokens == [100, 100]
    assert beside.rejects == []


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("2026-11-01,m,-1,bedrock,", RejectReason.NEGATIVE_TOKENS),
        ("2026-11-01,m,100000001,bedrock,", RejectReason.ABSURD_TOKENS),
        ("2026-11-01,m,1,bedrock,11112222333344", RejectReason.BAD_ACCOUNT),
        ("1999-11-01,m,1,bedrock,", RejectReason.TOO_OLD),
        ("2031-11-01,m,1,bedrock,", RejectReason.IN_THE_FUTURE),
        ("2026-11-01,,1,bedrock,", RejectReason.MISSING_FIELD),
        (",m,1,bedrock,", RejectReason.MISSING_FIELD),
        ("2026-11-01,m,,bedrock,", RejectReason.MISSING_FIELD),
        ("2026-11-01,m,1.5,bedrock,", RejectReason.WRONG_TYPE),
        ("2026-11-01,m,1,bedrock", RejectReason.WRONG_TYPE),
        ('2026-11-01,"m\0",1,bedrock,', RejectReason.WRONG_TYPE),
    ],
)
def test_a_bad_row_is_named_by_line_and_reason_and_the_rest_goes_on(
    tmp_path: Path, row: str, reason: str
) -> None:
    good = "2026-11-01,m,1,bedrock,111122223333"
    path = written(
        tmp_path, "b.csv", "timestamp,model_id,input_tokens,source,account_id", good, row, good
    )
    parsed = read_all(path, spec())
    assert len(parsed) == 2
    assert parsed.rows_read == 3
    assert told(parsed.rejects) == [(3, reason)]
    assert parsed.rejects[0].file == "b.csv"
    assert len(parsed.rejects[0].line_hash) == 16
    assert row not in repr(parsed.rejects)


def test_json_lines_survive_broken_ones(tmp_path: Path) -> None:
    good = '{"timestamp": 1793664000, "model_id": "m", "input_tokens": 3}'
    path = written(
        tmp_path, "e.jsonl", "not json", good, "", '["list"]', good + "x", '{"a": NaN}', good
    )
    parsed = read_all(path, spec())
    assert len(parsed) == 2
    assert told(parsed.rejects) == [(n, RejectReason.NOT_JSON) for n in (1, 4, 5, 6)]


def test_a_torn_gzip_gives_its_whole_rows_and_says_that_it_is_torn(tmp_path: Path) -> None:
    lines = [
        json.dumps({"timestamp": 1793664000 + n, "model_id": "m", "input_tokens": n * 7919 % 1000})
        for n in range(4000)
    ]
    path = tmp_path / "torn.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(lines).encode())[:-600])
    parsed = read_all(path, spec())
    assert 1000 < len(parsed) < 4000
    assert told(parsed.rejects) == [(len(parsed) + 1, RejectReason.TRUNCATED_GZIP)]


def test_a_row_without_an_id_has_the_same_one_in_every_import_of_the_file(tmp_path: Path) -> None:
    rows = ["timestamp,model_id,input_tokens", "2026-11-01,m,1", "2026-11-01,m,1"]
    path = written(tmp_path, "a.csv", *rows)
    zipped = tmp_path / "b.csv.gz"
    zipped.write_bytes(gzip.compress(path.read_bytes()))
    once, again = read_all(path, spec()).native_id, read_all(zipped, spec()).native_id
    assert once == again
    assert len(set(once)) == 2
    other = written(tmp_path, "c.csv", *rows, "2026-11-02,m,1")
    assert set(read_all(other, spec()).native_id).isdisjoint(once)


def test_rows_come_in_batches_of_the_asked_size(tmp_path: Path) -> None:
    path = written(tmp_path, "a.csv", "timestamp,model_id,input_tokens", *["2026-11-01,m,1"] * 25)
    batches = list(read_events(path, spec(), batch_rows=10))
    assert [len(batch) for batch in batches] == [10, 10, 5]
    assert sum(batch.rows_read for batch in batches) == 25
    assert len({native for batch in batches for native in batch.native_id}) == 25


def test_semicolons_quotes_and_line_breaks_in_cells_are_read(tmp_path: Path) -> None:
    path = tmp_path / "excel.csv"
    path.write_text('\ufefftimestamp;model_id;input_tokens;team\r\n'
                    '2023-11-16 18:15;m;3;"care\r\nand; more"\r\n'
                    "2023-11-16;m;x;y\r\n", newline="")  # fmt: skip
    parsed = read_all(path, spec())
    assert parsed.ts_us == [to_us(datetime(2023, 11, 16, 18, 15, tzinfo=UTC))]
    assert parsed.dimensions[0].team == "care\nand; more"
    assert told(parsed.rejects) == [(4, RejectReason.WRONG_TYPE)]


def test_images_are_taken_by_quantity_and_unit(tmp_path: Path) -> None:
    path = written(
        tmp_path, "i.jsonl",
        '{"timestamp": 1793664000, "model_id": "p", "quantity": 2.5, "unit": "output_image"}',
        '{"timestamp": 1793664000, "model_id": "p", "quantity": 2}',
        '{"timestamp": 1793664000, "model_id": "p", "quantity": -2, "unit": "output_image"}',
        '{"timestamp": 1793664000, "model_id": "p", "quantity": 9e9, "unit": "output_image"}',
    )  # fmt: skip
    parsed = read_all(path, spec())
    assert (parsed.quantity_micro, parsed.unit) == ([2_500_000], ["output_image"])
    assert [r.reason for r in parsed.rejects] == [
        RejectReason.MISSING_FIELD,
        RejectReason.WRONG_TYPE,
        RejectReason.BAD_AMOUNT,
    ]


def test_long_context_is_judged_by_the_whole_input(tmp_path: Path) -> None:
    path = written(
        tmp_path, "l.csv", "timestamp,model_id,input_tokens,cached_tokens",
        "2026-11-01,m,1000,199001", "2026-11-01,m,1000,199000",
    )  # fmt: skip
    parsed = read_all(path, spec())
    buckets = [parsed.dimensions[index].context_bucket for index in parsed.dim]
    assert buckets == ["above_200k", "above_128k"]


def test_a_mapped_column_that_the_file_does_not_have_is_an_error_that_lists_the_columns(
    tmp_path: Path,
) -> None:
    path = written(tmp_path, "a.csv", "when,model", "2026-11-01,m")
    with pytest.raises(ValidationFailed, match=r"no such column, only when, model"):
        read_all(path, spec(mapping={"timestamp": "date"}))


@pytest.mark.parametrize(
    "content", [b'[{"timestamp": 1}]', b"\xff\xfet\x00i\x00", b"\x89PNG\xff\xff\n"]
)
def test_a_file_of_another_kind_is_refused_as_a_whole(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    with pytest.raises(ValidationFailed):
        list(read_events(path, spec()))


@pytest.mark.parametrize("content", [b"", b"\n\n"])
def test_a_file_without_rows_gives_no_batch(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "file"
    path.write_bytes(content)
    assert list(read_events(path, spec())) == []


def test_unknown_fields_and_fields_said_twice_are_refused() -> None:
    with pytest.raises(ValidationFailed, match="unknown field tokens"):
        spec(mapping={"tokens": "t"})
    with pytest.raises(ValidationFailed, match="both mapped and set"):
        spec(mapping={"team": "t"}, constants={"team": "x"})


def test_assignments_of_the_command_line_are_split_at_the_first_equals_sign() -> None:
    assert parse_assignments("--set", ["team=a=b", " owner = ana "]) == {
        "team": "a=b",
        "owner": "ana",
    }
    for bad in ("team", "=x", "team="):
        with pytest.raises(ValidationFailed, match="takes field=value"):
            parse_assignments("--set", [bad])
    with pytest.raises(ValidationFailed, match="twice"):
        parse_assignments("--set", ["team=a", "team=b"])


def test_pushed_events_are_read_by_the_same_rules_and_must_carry_an_id() -> None:
    good = {"id": "e-1", "timestamp": NOW.isoformat(), "model_id": "openai/gpt-4o",
            "input_tokens": 3, "cost": 0.1}  # fmt: skip
    nameless = {key: value for key, value in good.items() if key != "id"}
    parsed = parse_event_objects(
        [good, nameless, {**good, "input_tokens": "x"}], spec(), origin="rest"
    )
    assert parsed.native_id == ["e-1"]
    assert parsed.recorded_cost_nano == [100_000_000]
    assert parsed.dimensions[0].source is Source.OPENAI_API
    assert told(parsed.rejects) == [(2, RejectReason.MISSING_FIELD), (3, RejectReason.WRONG_TYPE)]
    assert {reject.file for reject in parsed.rejects} == {"rest"}

"""Arrow columns of parsed rows: ids and request ids."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

import pyarrow as pa
import pytest

from tensorcost.activities.ingest.columns import (
    event_ids,
    reordered,
    time_order,
    to_events,
    with_batch_id,
)
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.pricing import price_columns
from tensorcost.domain.spend.identity import event_key
from tensorcost.domain.spend.parsed import ParsedSpend
from tests.support.spend import NOON, add_row, dimension, parsed_rows

UUID_TEXT = "0b7c7a52-2f0e-4a56-9f0c-00000000a1f3"


def events_of(parsed: ParsedSpend) -> pa.RecordBatch:
    return to_events(parsed, price_columns(parsed, PriceBook([])))


def events_with(request_ids: Sequence[str | None]) -> pa.RecordBatch:
    rows = parsed_rows()
    for number, request_id in enumerate(request_ids):
        add_row(rows, str(number), request_id=request_id)
    return events_of(rows)


def test_an_event_id_is_the_key_of_source_account_region_and_native_id() -> None:
    rows = parsed_rows("a")
    add_row(rows, "b", where=dimension(region="eu-west-1"))
    assert event_ids(rows) == [
        event_key("bedrock", "111122223333", "us-east-1", "a"),
        event_key("bedrock", "111122223333", "eu-west-1", "b"),
    ]


@pytest.mark.parametrize(
    "text",
    [
        UUID_TEXT.upper(),
        UUID_TEXT.replace("-", ""),
        "0b7c7a52-2f0-e4a5-69f0c-00000000a1f3",
        "0b7c7a52-2f0e-4a56-9f0c-00000000a1 3",
        "chatcmpl-1",
        "",
    ],
)
def test_a_request_id_that_is_no_plain_uuid_is_kept_as_it_is(text: str) -> None:
    events = events_of(parsed_rows("a", request_id=text))
    assert events.column("request_id").to_pylist() == [None]
    assert events.column("request_ref").to_pylist() == [text]


def test_a_request_id_that_is_a_uuid_is_kept_as_sixteen_bytes() -> None:
    events = events_of(parsed_rows("a", request_id=UUID_TEXT))
    assert events.column("request_id").to_pylist() == [UUID(UUID_TEXT).bytes]
    assert events.column("request_ref").to_pylist() == [None]


def test_the_batch_is_named_on_every_row() -> None:
    events = with_batch_id(events_of(parsed_rows("a", "b")), 2**40)
    assert events.column("batch_id").to_pylist() == [2**40, 2**40]


def test_request_ids_of_all_kinds_stay_with_their_rows() -> None:
    given = [UUID_TEXT, None, "chatcmpl-1", UUID_TEXT.replace("a1f3", "b2e4")]
    events = events_with(given)
    ids, refs = (events.column(name).to_pylist() for name in ("request_id", "request_ref"))
    assert refs == [None, None, "chatcmpl-1", None]
    assert [raw and str(UUID(bytes=raw)) for raw in ids] == [given[0], None, None, given[3]]


def test_uuids_that_are_all_there_is_keep_their_order() -> None:
    given = [UUID_TEXT, UUID_TEXT.replace("a1f3", "b2e4")]
    events = events_with(given)
    assert [str(UUID(bytes=raw)) for raw in events.column("request_id").to_pylist()] == given
    assert events.column("request_ref").to_pylist() == [None, None]


def test_texts_that_are_uuids_only_when_joined_are_kept_as_they_are() -> None:
    given = [UUID_TEXT[:-1], UUID_TEXT[-1] + UUID_TEXT]
    assert events_with(given).column("request_ref").to_pylist() == given


def test_each_kind_of_token_has_its_own_column() -> None:
    kinds = ["input", "cached", "cache_write_5m", "cache_write_1h", "output"]
    counts = {f"{kind}_tokens": number for number, kind in enumerate(kinds, start=1)}
    events = events_of(parsed_rows("a", **counts))
    assert {name: events.column(name).to_pylist() for name in counts} == {
        name: [count] for name, count in counts.items()
    }


def test_sorting_by_time_moves_whole_rows_and_keeps_the_order_of_equals() -> None:
    rows = parsed_rows()
    for number, second in enumerate([3, 1, 3, 2, 1]):
        at = NOON + timedelta(seconds=second)
        add_row(rows, str(number), at=at, input_tokens=number, error_code="x" if number else None)
    order = time_order(events_of(rows))
    assert order is not None
    ordered = reordered(events_of(rows), order)
    assert ordered.column("input_tokens").to_pylist() == [1, 4, 3, 0, 2]
    assert ordered.column("error_code").to_pylist() == ["x", "x", "x", None, "x"]
    assert ordered.column("latency_ms").null_count == 5
    assert time_order(ordered) is None

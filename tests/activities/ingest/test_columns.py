"""Arrow columns of parsed rows: ids and request ids."""

from uuid import UUID

import pyarrow as pa
import pytest

from tensorcost.activities.ingest.columns import event_ids, to_events, with_batch_id
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.pricing import price_columns
from tensorcost.domain.spend.identity import event_key
from tensorcost.domain.spend.parsed import ParsedSpend
from tests.support.spend import add_row, dimension, parsed_rows

UUID_TEXT = "0b7c7a52-2f0e-4a56-9f0c-00000000a1f3"


def events_of(parsed: ParsedSpend) -> pa.RecordBatch:
    return to_events(parsed, price_columns(parsed, PriceBook([])))


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

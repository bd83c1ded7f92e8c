"""The success envelope: rows and dictionaries come out as the same bytes."""

from datetime import UTC, datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

import asyncpg.pgproto.pgproto as driver
import orjson
import pytest
from pydantic import BaseModel

from tensorcost.gateway.envelope import created, listed, ok, row_of

ID = UUID("0190c5a2-7a60-7c1e-9d53-3c8f2b1f0a11")


class Colour(StrEnum):
    RED = "red"


class Thing(BaseModel):
    id: UUID
    value: Any


_ThingRow = row_of(Thing)


@pytest.mark.parametrize(
    "value",
    [
        None,
        True,
        -(2**63),
        1.5,
        "",
        '\u00e9 \u2028 \U0001f600 " \\ / \x00 \x1f \x7f <b>',
        Colour.RED,
        ID,
        driver.UUID(str(ID)),
        datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        datetime(2026, 1, 2, 3, 4, 5, 60, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        {"a": [1, {"b": None}], "": ""},
    ],
)
def test_a_row_is_encoded_as_its_dictionary_is(value: Any) -> None:
    for cursor in (None, "abc"):
        rows = listed([_ThingRow(ID, value)] * 2, next_cursor=cursor)
        assert rows.body == ok([{"id": ID, "value": value}] * 2, next_cursor=cursor).body
    assert rows.raw_headers == [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(rows.body)).encode()),
    ]


def test_no_rows_are_an_empty_page() -> None:
    assert orjson.loads(listed([]).body) == {"success": True, "data": [], "count": 0}


def test_one_row_is_an_object_too() -> None:
    answer = created(_ThingRow(ID, 1))
    assert orjson.loads(answer.body)["data"] == {"id": str(ID), "value": 1}
    assert answer.status_code == 201


def test_a_row_has_a_value_for_every_field() -> None:
    with pytest.raises(TypeError):
        _ThingRow(ID)

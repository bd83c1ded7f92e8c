"""Cursors lead back to their keys, and those of other lists are refused where they were given."""

from datetime import datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.cost.query_listing import EventKey
from tensorcost.domain.errors import ValidationFailed
from tensorcost.services.cursors import Key, cursor_of, key_of, position, row_id, time_and_id

numbers = st.integers(-(2**63), 2**63 - 1)
keys = st.lists(st.text(st.characters(codec="utf-8")) | numbers, max_size=5).map(tuple)


@given(keys)
def test_a_key_comes_back_from_its_cursor(key: Key) -> None:
    cursor = cursor_of(key)
    if len(cursor) <= 512:
        assert key_of(cursor, "cursor") == key


def test_an_event_key_survives_with_its_microseconds() -> None:
    key = EventKey(datetime.fromisoformat("2026-10-05T12:00:00.000001+00:00"), UUID(int=7))
    found = time_and_id(key_of(cursor_of(key.parts()), "cursor"), "cursor")
    assert found is not None
    assert EventKey(*found) == key


@pytest.mark.parametrize("cursor", ["", "x", "é", "bnVsbA", "WzEuNV0", "W251bGxd", "A" * 5_000])
def test_what_is_no_cursor_is_refused_by_the_field_it_came_in(cursor: str) -> None:
    with pytest.raises(ValidationFailed, match="not a cursor") as refused:
        key_of(cursor, "after")
    assert refused.value.field == "after"


@pytest.mark.parametrize(
    "key",
    [
        (),
        ("x", "y"),
        ("2026-10-05T00:00:00", str(UUID(int=7))),
        ("0001-01-01T00:00:00+14:00", str(UUID(int=7))),
        ("2026-10-05T00:00:00+00:00", "7"),
        (1, 2, 3),
    ],
)
def test_a_cursor_of_another_list_is_refused(key: Key) -> None:
    for read in (time_and_id, row_id, position):
        with pytest.raises(ValidationFailed, match="not a cursor"):
            read(key, "cursor")


def test_without_a_cursor_a_list_begins_at_its_beginning() -> None:
    assert key_of(None, "cursor") is None
    assert time_and_id(None, "cursor") is None
    assert row_id(None, "cursor") is None
    assert position(None, "cursor") == -1

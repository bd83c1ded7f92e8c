"""The chain of hashes, as a pure rule: any change to a sealed page shows."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.audit.chain import ChainCheck, Entry, Seal, Tampering, canonical, seal
from tensorcost.domain.ids import TenantId

TENANT = TenantId(UUID(int=9))
START = datetime(2026, 11, 1, tzinfo=UTC)


def entry(number: int, **changes: Any) -> Entry:
    made = Entry(
        tenant_id=TENANT,
        entry_id=UUID(int=number),
        at=START + timedelta(seconds=number),
        actor="user:x",
        action="fake.done",
        resource_type="thing",
        resource_id=str(number),
        detail={"n": number, "é": [1, {"b": None, "a": True}]},
        trace_id=None,
    )
    return replace(made, **changes)


def sealed(count: int) -> list[tuple[Seal, Entry]]:
    entries = [entry(number) for number in range(1, count + 1)]
    return list(zip(seal(None, entries), entries, strict=True))


def findings(page: list[tuple[Seal, Entry]]) -> list[tuple[int, Tampering]]:
    check = ChainCheck.start(TENANT)
    check.walk(page)
    return [(found.chain_no, found.kind) for found in check.findings]


@given(st.integers(0, 30), st.integers(0, 30))
def test_a_chain_sealed_in_parts_is_the_chain_sealed_at_once(first: int, second: int) -> None:
    entries = [entry(number) for number in range(first + second)]
    whole = list(seal(None, entries))
    head = list(seal(None, entries[:first]))
    tail = list(seal(head[-1] if head else None, entries[first:]))
    assert head + tail == whole
    assert findings(list(zip(whole, entries, strict=True))) == []


@given(st.integers(2, 20), st.data())
def test_a_changed_entry_is_the_one_that_is_named(count: int, data: st.DataObject) -> None:
    page = sealed(count)
    at = data.draw(st.integers(0, count - 1))
    changed: dict[str, Any] = data.draw(
        st.sampled_from(
            [
                {"actor": "user:y"},
                {"action": "other"},
                {"detail": {}},
                {"trace_id": "0" * 32},
                {"at": START},
                {"resource_id": "?"},
            ]
        )
    )
    page[at] = (page[at][0], replace(page[at][1], **changed))
    assert findings(page) == [(at + 1, Tampering.CHANGED)]


@given(st.integers(3, 20), st.data())
def test_a_missing_link_is_found_where_it_is_missing(count: int, data: st.DataObject) -> None:
    page = sealed(count)
    at = data.draw(st.integers(0, count - 2))
    del page[at]
    assert findings(page) == [(at + 1, Tampering.REMOVED)]


@given(st.integers(2, 20), st.data())
def test_swapped_entries_are_found(count: int, data: st.DataObject) -> None:
    page = sealed(count)
    at = data.draw(st.integers(0, count - 2))
    (first, one), (second, two) = page[at], page[at + 1]
    page[at], page[at + 1] = (first, two), (second, one)
    assert findings(page) == [(at + 1, Tampering.CHANGED), (at + 2, Tampering.CHANGED)]


def test_the_canonical_form_ignores_key_order_and_time_zone() -> None:
    from zoneinfo import ZoneInfo

    one = entry(1, detail={"a": 1, "b": 2})
    two = entry(1, detail={"b": 2, "a": 1}, at=one.at.astimezone(ZoneInfo("Asia/Tokyo")))
    assert canonical(one) == canonical(two)

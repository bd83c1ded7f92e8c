"""The short cut answers what graphql-core answers, byte for byte, whatever the values are."""

from datetime import UTC, datetime
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.http import process_result

from tensorcost.graphql.execution import flat
from tensorcost.graphql.execution.documents import Documents
from tensorcost.graphql.execution.engine import Engine
from tensorcost.graphql.settings import GraphqlSettings
from tests.graphql.execution.shelf import Bag, Colour, Holder, Item, Shelf, schema

ENGINE = Engine(schema, GraphqlSettings(max_cost=10**9, max_aliases=1000))

LEAVES = "name count weight ok key colour at extra"
DOCUMENTS = (
    f"{{ bag {{ items {{ {LEAVES} }} }} }}",
    "{ bag { items { a: name b: name __typename c: __typename count } } }",
    "query($no: Boolean = false) { bag { items { name @include(if: $no) count @skip(if: $no) } } }",
    "{ bag { items { ...F } } } fragment F on Item { name ...G } fragment G on Named { n: name }",
    "{ bag { items { shelf { label width } shelves { __typename label } maybe { width } } } }",
    "{ bag { items { words name } } }",
    "{ bag { items { name shout } } }",
    "{ bag { items { name slow(times: 2) } numbers } }",
    "{ bag { loose { name weight } } }",
    "{ bag { things { __typename name ... on Item { count } } } }",
    "{ must { items { count shelves { width } } loose { shelf { width } } } }",
    "{ one: bag { items { name } } two: bag { items { count } items { name } } small }",
)


class Loud(str):
    """A subclass, which is not exactly str."""


class Broken:
    name = "broken"

    @property
    def count(self) -> int:
        raise RuntimeError("no count")


def words() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.text(max_size=5),
        st.sampled_from([None, Loud("loud"), 7, True, 1.5, ["x"], ValueError("kept"), object()]),
    )


def numbers() -> st.SearchStrategy[Any]:
    return st.one_of(
        st.integers(-(2**33), 2**33),
        st.sampled_from([None, True, "8", "no", 1.0, 2.5, float("nan"), float("inf")]),
    )


def mostly(good: st.SearchStrategy[Any], odd: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 19).flatmap(lambda dice: odd if dice == 0 else good)


def shelves() -> st.SearchStrategy[Any]:
    return mostly(
        st.builds(
            Shelf,
            label=st.one_of(st.none(), st.text(max_size=3)),
            width=mostly(st.integers(0, 9), numbers()),
        ),
        st.sampled_from([None, "not a shelf"]),
    )


def items() -> st.SearchStrategy[Any]:
    lists = st.lists(shelves(), max_size=3)
    return st.builds(
        Item,
        name=mostly(st.text(max_size=4), words()),
        count=mostly(st.integers(-5, 5), numbers()),
        weight=mostly(st.one_of(st.none(), st.floats(-9, 9)), numbers()),
        ok=mostly(st.booleans(), numbers()),
        key=mostly(st.text(max_size=3), words()),
        colour=mostly(st.sampled_from(list(Colour)), words()),
        at=mostly(st.just(datetime(2026, 1, 2, tzinfo=UTC)), words()),
        extra=mostly(st.one_of(st.none(), st.just({"a": [1, None]})), words()),
        shelf=shelves(),
        shelves=mostly(lists, st.sampled_from([None, (), "text"])),
        maybe=st.one_of(st.none(), lists, lists.map(tuple)),
        words=mostly(st.lists(st.text(max_size=2), max_size=3), st.just([None])),
    )


def lists() -> st.SearchStrategy[Any]:
    return mostly(
        st.lists(mostly(items(), st.sampled_from([None, Broken(), "text"])), max_size=4),
        st.sampled_from([None, (), "text", 5]),
    )


@settings(max_examples=60, deadline=None)
@given(items=lists(), loose=lists(), data=st.data())
async def test_any_values_are_answered_as_strawberry_answers_them(
    items: Any, loose: Any, data: st.DataObject
) -> None:
    bag = Bag(items=items, loose=loose, things=items, numbers=[1, 2])
    document = data.draw(st.sampled_from(DOCUMENTS))
    variables = data.draw(st.sampled_from([{}, {"no": True}])) if "$no" in document else {}
    theirs = await schema.execute(document, variables, context_value=Holder(bag))
    for _ in range(2):
        admitted = ENGINE.admit(document, None, variables)
        assert not isinstance(admitted, list), admitted
        ours = await ENGINE.run(admitted, Holder(bag))  # type: ignore[arg-type]
        assert _bytes(ours) == _bytes(theirs)


@pytest.mark.parametrize("document", DOCUMENTS)
async def test_well_formed_rows_are_answered_as_strawberry_answers_them(document: str) -> None:
    bag = Bag(items=[_item(n) for n in range(3)], loose=[None, _item(4)], things=[], numbers=[1])
    theirs = await schema.execute(document, context_value=Holder(bag))
    admitted = ENGINE.admit(document, None, {})
    assert not isinstance(admitted, list)
    ours = await ENGINE.run(admitted, Holder(bag))  # type: ignore[arg-type]
    assert theirs.errors is None
    assert _bytes(ours) == _bytes(theirs)


async def test_plain_lists_do_take_the_short_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[flat.FlatListExecutor] = []
    original = flat.FlatListExecutor.complete_list_item_value

    def seen(self: flat.FlatListExecutor, *args: Any) -> Any:
        made.append(self)
        return original(self, *args)

    monkeypatch.setattr(flat.FlatListExecutor, "complete_list_item_value", seen)
    bag = Bag(items=[_item(1)], loose=[None, _item(2)], things=[], numbers=[])
    for document in (DOCUMENTS[0], DOCUMENTS[3], DOCUMENTS[4], DOCUMENTS[8]):
        admitted = ENGINE.admit(document, None, {})
        assert not isinstance(admitted, list)
        await ENGINE.run(admitted, Holder(bag))  # type: ignore[arg-type]
    assert made == []
    admitted = ENGINE.admit(DOCUMENTS[6], None, {})
    assert not isinstance(admitted, list)
    await ENGINE.run(admitted, Holder(bag))  # type: ignore[arg-type]
    assert made != []


def test_plans_are_kept_only_where_no_directive_can_change_the_selection() -> None:
    documents = Documents(schema._schema, GraphqlSettings())
    assert documents.prepare(DOCUMENTS[0]).plans == {}
    assert documents.prepare(DOCUMENTS[2]).plans is None


def _item(number: int) -> Item:
    return Item(
        name=f"n{number}",
        count=number,
        weight=None if number else 0.5,
        ok=True,
        key=strawberry_id(number),
        colour=Colour.BLUE,
        at=datetime(2026, 1, 2, tzinfo=UTC),
        extra={"n": number},
        shelf=Shelf(label=None, width=1) if number else None,
        shelves=[Shelf(label="s", width=2)],
        maybe=[None, Shelf(label=None, width=3)],
        words=["a", "b"],
    )


def strawberry_id(number: int) -> Any:
    return f"id-{number}"


def _bytes(result: Any) -> bytes:
    result.extensions = None
    return orjson.dumps(process_result(result), default=repr)

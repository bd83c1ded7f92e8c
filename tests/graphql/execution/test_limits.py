"""Deep, wide and costly documents are refused, and measuring them is cheap."""

from typing import Any

import pytest
import strawberry
from graphql import GraphQLSchema, build_schema, parse

from tensorcost.graphql.execution.cost import operation_cost
from tensorcost.graphql.execution.documents import Documents
from tensorcost.graphql.execution.limits import LIST_SIZE, check_shape, operations
from tensorcost.graphql.execution.sizes import listed
from tensorcost.graphql.settings import GraphqlSettings

SCHEMA: GraphQLSchema = build_schema("""
    interface Named { name: String }
    type Leaf implements Named { name: String children: [Leaf!]! parent: Leaf }
    type Edge { cursor: String node: Leaf }
    type Page { edges: [Edge!]! nodes: [Leaf!]! total: Int pageInfo: Leaf }
    union Thing = Leaf | Page
    type Query { page(first: Int!): Page leaf: Leaf things: [Thing!]! many(first: Int): [Leaf!]! }
""")


@strawberry.type
class Row:
    name: str
    parts: list["Row"] = listed(3)


@strawberry.type
class Table:
    rows: list[Row] = listed(100, by_limit=True)
    total: Row


@strawberry.type
class Query:
    table: Table

    @strawberry.field
    def cut(self, limit: int | None = None) -> Table:
        raise NotImplementedError


KNOWN_SIZES: GraphQLSchema = strawberry.Schema(Query)._schema


def cost(text: str, schema: GraphQLSchema = SCHEMA, **variables: Any) -> int:
    document = parse(text)
    (operation,) = operations(document)
    return operation_cost(schema, document, operation, variables)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ leaf { name } }", 1),
        ("{ leaf { name parent { name } } }", 2),
        ("{ leaf { children { name } } }", 1 + LIST_SIZE),
        ("{ page(first: 50) { total } }", 1),
        ("{ page(first: 50) { edges { cursor } } }", 1 + 50),
        ("{ page(first: 50) { edges { cursor node { name } } pageInfo { name } } }", 1 + 100 + 1),
        ("{ page(first: 5) { nodes { children { name } } } }", 1 + 5 * (1 + LIST_SIZE)),
        ("{ many(first: 7) { name } }", 7),
        ("{ things { ... on Leaf { name parent { name } } } }", LIST_SIZE * 2),
        ("{ page(first: 3) { ...F } } fragment F on Page { edges { node { name } } }", 1 + 6),
        ("{ a: leaf { name } b: leaf { name } }", 2),
        ("query ($n: Int = 4) { many(first: $n) { name } }", 4),
        ("{ __schema { types { name fields { name } } } }", 0),
        ("{ leaf { unknown { name } } }", 1),
    ],
)
def test_cost_counts_the_objects_an_operation_may_answer_with(text: str, expected: int) -> None:
    assert cost(text) == expected


def test_the_cost_follows_the_variables() -> None:
    text = "query ($n: Int!) { page(first: $n) { edges { node { name } } } }"
    assert cost(text, n=10) == 21
    assert cost(text, n=100) == 201
    assert cost(text, n="many") == 1 + 2 * LIST_SIZE


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{ cut { rows { name } } }", 1 + 100),
        ("{ cut(limit: 7) { rows { name } } }", 1 + 7),
        ("{ cut(limit: 1000) { rows { parts { name } } } }", 1 + 1000 * 4),
        ("query ($n: Int) { cut(limit: $n) { rows { name } } }", 1 + 100),
        ("query ($n: Int = 5) { cut(limit: $n) { rows { name } } }", 1 + 5),
        ("{ cut(limit: 9) { total { parts { parts { name } } } } }", 1 + 1 + 3 * 4),
        ("{ cut(limit: 2) { ...F } } fragment F on Table { rows { name } }", 1 + 2),
        ("{ table { rows { parts { name } } } }", 1 + 100 * 4),
    ],
)
def test_lists_of_a_known_size_count_with_it_and_cut_ones_with_their_limit(
    text: str, expected: int
) -> None:
    assert cost(text, KNOWN_SIZES) == expected


def test_depth_is_counted_through_fragments() -> None:
    deep = (
        "{ leaf { ...A } } fragment A on Leaf { parent { ...B } } "
        "fragment B on Leaf { parent { name } }"
    )
    assert check_shape(parse(deep), max_depth=3, max_aliases=0) == []
    assert len(check_shape(parse(deep), max_depth=2, max_aliases=0)) == 1


def test_aliases_are_counted_as_often_as_they_are_answered() -> None:
    text = "{ leaf { ...A ...A } } fragment A on Leaf { x: name y: name }"
    assert check_shape(parse(text), max_depth=9, max_aliases=4) == []
    assert "4 aliases" in check_shape(parse(text), max_depth=9, max_aliases=3)[0].message


def test_fragments_that_double_at_each_level_are_measured_in_linear_time() -> None:
    levels = 60
    parts = [
        f"fragment F{n} on Leaf {{ a: parent {{ name }} ...F{n + 1} ...F{n + 1} }}"
        for n in range(levels)
    ]
    text = "{ leaf { ...F0 } } " + " ".join(parts) + f" fragment F{levels} on Leaf {{ name }}"
    errors = check_shape(parse(text), max_depth=9, max_aliases=1000)
    assert "aliases" in errors[0].message
    assert cost(text) >= 2**levels


def test_fragment_cycles_do_not_hang() -> None:
    text = "{ leaf { ...A } } fragment A on Leaf { name ...B } fragment B on Leaf { name ...A }"
    assert check_shape(parse(text), max_depth=9, max_aliases=9) == []
    assert cost(text) == 1


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{ leaf {", "Syntax Error"),
        ("{" + "leaf { name } " * 3_000 + "}", "contains more than 4000 tokens"),
        ("{ leaf " + "{ parent " * 1_900, "nested too deeply"),
        ("{ leaf { nothing } }", "Cannot query field 'nothing'"),
        ("{ leaf " + "{ parent " * 20 + "{ name }" + "}" * 20 + "}", "deeper than 12 levels"),
        ("{" + " ".join(f"a{n}: __typename" for n in range(31)) + "}", "31 aliases"),
    ],
)
def test_a_document_that_is_refused_says_why(text: str, reason: str) -> None:
    prepared = Documents(SCHEMA, GraphqlSettings()).prepare(text)
    assert reason in prepared.errors[0].message


def test_documents_are_kept_up_to_the_limit_and_the_oldest_is_forgotten() -> None:
    documents = Documents(SCHEMA, GraphqlSettings(documents=2))
    first = documents.prepare("{ leaf { name } }")
    assert documents.prepare("{ leaf { name } }") is first
    documents.prepare("{ __typename }")
    documents.prepare("{ leaf { __typename } }")
    assert documents.prepare("{ leaf { name } }") is not first


def test_introspection_and_suggestions_can_be_switched_off() -> None:
    closed = Documents(SCHEMA, GraphqlSettings(introspection=False))
    assert "introspection" in closed.prepare("{ __schema { types { name } } }").errors[0].message
    assert "Did you mean" not in closed.prepare("{ lea { name } }").errors[0].message
    opened = Documents(SCHEMA, GraphqlSettings())
    assert opened.prepare("{ __schema { types { name } } }").errors == []
    assert "Did you mean" in opened.prepare("{ lea { name } }").errors[0].message

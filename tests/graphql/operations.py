"""The smallest valid operation for every root field, written from the schema."""

import json
from typing import Any

from graphql import (
    GraphQLEnumType,
    GraphQLField,
    GraphQLInputObjectType,
    GraphQLSchema,
    get_named_type,
    is_leaf_type,
    is_list_type,
    is_non_null_type,
    is_required_argument,
    is_required_input_field,
)

SAMPLES = {
    "ID": "00000000-0000-7000-8000-000000000001",
    "Int": 1,
    "Count": 1,
    "String": "x",
    "Boolean": True,
    "Moment": "2026-01-01",
    "Date": "2026-01-01",
}
BY_NAME = {"accountId": "111122223333", "hash": "00" * 32, "key": "mcp-write-tools-enabled"}


def smallest(schema: GraphQLSchema, kind: str, name: str, field: GraphQLField) -> str:
    """An operation that asks for ``name`` with its required arguments."""
    arguments = ", ".join(
        f"{argument}: {_literal(schema, argument, found.type)}"
        for argument, found in field.args.items()
        if is_required_argument(found) or argument in ("id", "connectionId", "memberId", "enabled")
    )
    selection = (
        ""
        if is_leaf_type(get_named_type(field.type))
        else (
            " { __typename ... on Problem { code message } }"
            if _has_problems(field)
            else " { __typename }"
        )
    )
    return f"{kind} {{ {name}{f'({arguments})' if arguments else ''}{selection} }}"


def _has_problems(field: GraphQLField) -> bool:
    named: Any = get_named_type(field.type)
    return any(member.name.endswith("Problem") for member in getattr(named, "types", ()))


def _literal(schema: GraphQLSchema, name: str, kind: Any) -> str:
    if is_non_null_type(kind):
        return _literal(schema, name, kind.of_type)
    if is_list_type(kind):
        return "[]"
    if isinstance(kind, GraphQLEnumType):
        return next(iter(kind.values))
    if isinstance(kind, GraphQLInputObjectType):
        parts = [
            f"{part}: {_literal(schema, part, found.type)}"
            for part, found in kind.fields.items()
            if is_required_input_field(found)
        ]
        return "{" + ", ".join(parts) + "}"
    return json.dumps(BY_NAME.get(name, SAMPLES[kind.name]))

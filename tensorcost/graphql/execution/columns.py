"""Completing a list of objects column by column, where that is plainly the same thing.

A completer takes the values of one position over all rows and returns what goes into the
answer, or raises NotPlain; then the caller takes graphql-core's road for the whole list. So a
completer never has to report an error, it only has to notice that there would be one, or
anything else that it does not know for certain.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import Enum
from math import isfinite
from operator import attrgetter
from types import NoneType
from typing import Any, Final
from uuid import UUID

from graphql import (
    GraphQLBoolean,
    GraphQLFloat,
    GraphQLID,
    GraphQLInt,
    GraphQLLeafType,
    GraphQLString,
)
from graphql.type.scalars import GRAPHQL_MAX_INT, GRAPHQL_MIN_INT

Completer = Callable[[Sequence[Any]], list[Any]]

_CUSTOM: Final[frozenset[type]] = frozenset(
    {str, int, float, bool, bytes, dict, list, date, datetime, Decimal, UUID}
)
"""Types of values that a custom scalar may serialize here: never awaitable, never an error."""


class NotPlain(Exception):
    """Something that only graphql-core's own road can complete or report."""


def required(inner: Completer) -> Completer:
    """Non-null: a null is graphql-core's to report."""

    def complete(values: Sequence[Any]) -> list[Any]:
        if _has_null(values):
            raise NotPlain
        return inner(values)

    return complete


def nullable(inner: Completer) -> Completer:
    def complete(values: Sequence[Any]) -> list[Any]:
        if not _has_null(values):
            return inner(values)
        present = iter(inner([value for value in values if value is not None]))
        return [None if value is None else next(present) for value in values]

    return complete


def leaf(kind: GraphQLLeafType) -> Completer:
    """Values of a scalar or enum; the built-in scalars only in their own Python type.

    A scalar's serializer may bring a completer of its own as its attribute ``column``.
    """
    plain = _BUILT_IN.get(kind.name)
    if plain is not None and _BUILT_IN_TYPES[kind.name] is kind:
        return plain
    coerce = kind.coerce_output_value
    whole: Completer | None = getattr(coerce, "column", None)
    if whole is not None:
        return whole

    def complete(values: Sequence[Any]) -> list[Any]:
        kinds = set(map(type, values))
        enums = len(kinds) == 1 and issubclass(next(iter(kinds)), Enum)
        if not enums and not kinds <= _CUSTOM:
            raise NotPlain
        try:
            if enums:
                known = {member: coerce(member) for member in set(values)}
                completed = [known[value] for value in values]
            else:
                completed = [coerce(value) for value in values]
        except Exception as error:  # whatever it is, graphql-core meets it again and reports it
            raise NotPlain from error
        if _has_null(completed):
            raise NotPlain
        return completed

    return complete


def rows_of(items: Completer) -> Completer:
    """Lists, completed as one column of all their items and cut apart again."""

    def complete(values: Sequence[Any]) -> list[Any]:
        if not set(map(type, values)) <= {list, tuple}:
            raise NotPlain
        completed = items([item for value in values for item in value])
        ends = iter(completed)
        return [[next(ends) for _ in value] for value in values]

    return complete


@dataclass(frozen=True, slots=True)
class Column:
    """One response key of an object: an attribute with its completer, or ``__typename``."""

    name: str
    attribute: str
    completer: Completer | None


def objects(kind: type | None, type_name: str, columns: Sequence[Column]) -> Completer:
    """Objects whose fields are plain attributes; of exactly ``kind`` where one is asked."""
    names = tuple(column.name for column in columns)
    readers = [
        (None if column.completer is None else attrgetter(column.attribute), column.completer)
        for column in columns
    ]

    def complete(values: Sequence[Any]) -> list[Any]:
        if kind is not None and not set(map(type, values)) <= {kind}:
            raise NotPlain
        done = []
        for read, completer in readers:
            if read is None or completer is None:
                done.append([type_name] * len(values))
            else:
                done.append(completer(_read(read, values)))
        return [dict(zip(names, row, strict=True)) for row in zip(*done, strict=True)]

    return complete


def _has_null(values: Sequence[Any]) -> bool:
    return NoneType in set(map(type, values))


def _read(read: Callable[[Any], Any], values: Sequence[Any]) -> list[Any]:
    try:
        return list(map(read, values))
    except Exception as error:  # a property may raise anything, and does so again for the report
        raise NotPlain from error


def _only(kind: type) -> Completer:
    def complete(values: Sequence[Any]) -> list[Any]:
        if values and set(map(type, values)) != {kind}:
            raise NotPlain
        return list(values)

    return complete


_only_int = _only(int)
_only_float = _only(float)


def whole_numbers(least: int, most: int) -> Completer:
    """Plain integers between the two."""

    def complete(values: Sequence[Any]) -> list[Any]:
        completed = _only_int(values)
        if completed and (min(completed) < least or max(completed) > most):
            raise NotPlain
        return completed

    return complete


def _float(values: Sequence[Any]) -> list[Any]:
    completed = _only_float(values)
    if not all(map(isfinite, completed)):
        raise NotPlain
    return completed


def _id(values: Sequence[Any]) -> list[Any]:
    kinds = set(map(type, values))
    if kinds not in ({str}, {UUID}) and kinds:
        raise NotPlain
    return list(values)  # the encoder writes a UUID as graphql-core's text of it


_BUILT_IN: Final[dict[str, Completer]] = {
    "String": _only(str),
    "ID": _id,
    "Boolean": _only(bool),
    "Int": whole_numbers(GRAPHQL_MIN_INT, GRAPHQL_MAX_INT),
    "Float": _float,
}
_BUILT_IN_TYPES: Final[dict[str, GraphQLLeafType]] = {
    kind.name: kind for kind in (GraphQLString, GraphQLID, GraphQLBoolean, GraphQLInt, GraphQLFloat)
}

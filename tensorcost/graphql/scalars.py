"""Scalars of our own: money and counts without floats, time in UTC."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Final, NewType

import strawberry
from strawberry.types.scalar import ScalarDefinition

from tensorcost.domain.money import format_nano, nano_from_decimal
from tensorcost.graphql.execution.columns import whole_numbers

Money = NewType("Money", int)
"""Nano-units of a currency in Python, a decimal string in answers."""
Count = NewType("Count", int)
"""A whole number that may pass 2^31; a JSON number."""
BigInt = NewType("BigInt", int)
"""A whole number of any size, as a string."""
Rate = NewType("Rate", Decimal)
"""An exact decimal, as a string."""
Quantity = NewType("Quantity", int)
"""Millionths of a unit in Python, a decimal string in answers."""
Moment = NewType("Moment", str)
"""A date or a time, as the services read them."""

_SAFE: Final = 2**53 - 1


def _count(value: object) -> int:
    if type(value) is not int or not -_SAFE <= value <= _SAFE:
        raise ValueError("a whole number between -(2^53 - 1) and 2^53 - 1")
    return value


# Checked as a column at once where a list of objects is completed by columns.
_count.column = whole_numbers(-_SAFE, _SAFE)  # type: ignore[attr-defined]


def _money(value: object) -> int:
    if not isinstance(value, str):
        raise ValueError('money is a decimal string, such as "12.34"')
    return nano_from_decimal(Decimal(value))


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError("a date (2026-01-31) or a timestamp with an offset, as a string")
    return value


def _utc(value: datetime) -> datetime:
    """The moment in UTC. The encoder writes it with ``Z``, faster than Python can."""
    if value.tzinfo is UTC:
        return value
    if value.tzinfo is None:
        raise ValueError("a naive datetime has no place in an answer")
    return value.astimezone(UTC)


def _moment(value: object) -> datetime:
    parsed = datetime.fromisoformat(_text(value))
    if parsed.tzinfo is None:
        raise ValueError("a timestamp needs an offset, such as 2026-01-31T12:00:00Z")
    return parsed.astimezone(UTC)


SCALARS: Final[dict[object, ScalarDefinition]] = {
    Money: strawberry.scalar(
        name="Money",
        description="An exact amount as a decimal string with nine places, such as "
        '"12.340000000". US dollars unless a currency stands beside it.',
        serialize=format_nano,
        parse_value=_money,
    ),
    Count: strawberry.scalar(
        name="Count",
        description="A whole number up to 2^53 - 1.",
        serialize=_count,
        parse_value=_count,
    ),
    BigInt: strawberry.scalar(
        name="BigInt",
        description="A whole number of any size, as a string.",
        serialize=str,
        parse_value=lambda value: int(_text(value)),
    ),
    Rate: strawberry.scalar(
        name="Rate",
        description="An exact decimal as a string.",
        serialize=lambda value: format(value, "f"),
        parse_value=lambda value: Decimal(_text(value)),
    ),
    Quantity: strawberry.scalar(
        name="Quantity",
        description="An exact amount of something with six places, as a string.",
        serialize=lambda value: format(Decimal(value).scaleb(-6), "f"),
        parse_value=lambda value: int(Decimal(_text(value)).scaleb(6)),
    ),
    Moment: strawberry.scalar(
        name="Moment",
        description="A date (2026-01-31, its first instant in UTC) or a timestamp with an offset.",
        serialize=str,
        parse_value=_text,
    ),
    datetime: strawberry.scalar(
        name="DateTime",
        description="A time in UTC, RFC 3339 with `Z`.",
        serialize=_utc,
        parse_value=_moment,
    ),
}

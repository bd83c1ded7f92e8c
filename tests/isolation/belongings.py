"""What belongs to one tenant and to nobody else, read from its rows, and found again in answers."""

import re
from base64 import urlsafe_b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any
from uuid import UUID

from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.money import format_nano
from tests.isolation.catalogue import Catalogue

SHORTEST_TEXT = 6
SMALLEST_NUMBER = 100_000
"""Smaller counts, and shorter words, turn up anywhere by chance."""
_VOCABULARY = frozenset(EventType)
"""Words of the product itself."""
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ][\d:.+Z-]+)?")
_OPAQUE = re.compile(r"[A-Za-z0-9_-]{16,}")
_NUMBER = re.compile(r"(?<![\w.])-?\d+(?:\.\d+)?(?![\w])")


@dataclass(frozen=True)
class Belongings:
    """``texts`` are ids, names and hashes; ``numbers`` amounts, prices and counts."""

    texts: frozenset[str]
    numbers: frozenset[Decimal]

    def in_answer(self, answer: str, sent: Iterable[str] = ()) -> list[str]:
        """Those that stand in ``answer``, opaque ids and cursors opened, but were not sent."""
        given, plain = _read("\n".join(sent)), _read(answer)
        texts = {text for text in self.texts if text in plain and text not in given}
        numbers = self.numbers & _numbers(plain) - _numbers(given)
        return sorted(texts) + sorted(str(number) for number in numbers)


async def belongings_of(catalogue: Catalogue, owner: UUID, others: Iterable[UUID]) -> Belongings:
    """What stands in the rows of ``owner`` and in those of none of ``others``."""
    texts, numbers = await _held_by(catalogue, owner)
    for other in others:
        shared_texts, shared_numbers = await _held_by(catalogue, other)
        texts -= shared_texts
        numbers -= shared_numbers
    return Belongings(frozenset(texts), frozenset(numbers))


async def _held_by(catalogue: Catalogue, tenant: UUID) -> tuple[set[str], set[Decimal]]:
    texts, numbers = set[str](), set[Decimal]()
    tables = await catalogue.everything(tenant)
    people = await catalogue.connection.fetch(
        "SELECT u.email, u.display_name FROM app.app_user u "
        "JOIN app.membership m USING (user_id) WHERE m.tenant_id = $1",
        tenant,
    )
    for row in (*(row for rows in tables.values() for row in rows), *map(dict, people)):
        for column, value in _leaves(row):
            if isinstance(value, str):
                texts |= _spellings(value)
            elif abs(value) >= SMALLEST_NUMBER:
                numbers |= {Decimal(str(value))}
                numbers |= {Decimal(format_nano(value))} if column.endswith("_nano") else set()
    return texts, numbers


def _leaves(row: Mapping[str, Any]) -> Iterable[tuple[str, Any]]:
    for name, value in row.items():
        if isinstance(value, dict):
            yield from _leaves(value)
        elif isinstance(value, list):
            yield from _leaves({f"{name}.{place}": one for place, one in enumerate(value)})
        elif value is not None and not isinstance(value, bool):
            yield name, value


def _spellings(value: str) -> set[str]:
    """The ways in which a text may be written down; none for times and short words."""
    if value.startswith("\\x"):
        value = value[2:]
    if len(value) < SHORTEST_TEXT or _TIME.fullmatch(value) or value in _VOCABULARY:
        return set()
    try:
        return {value, UUID(value).hex}
    except ValueError:
        return {value}


def _read(text: str) -> str:
    return "\n".join((text, *_opened(text)))


def _opened(answer: str) -> Iterable[str]:
    """Global ids and cursors say in base64 what they stand for."""
    for found in _OPAQUE.findall(answer):
        try:
            yield urlsafe_b64decode(found + "=" * (-len(found) % 4)).decode()
        except ValueError:
            continue


def _numbers(text: str) -> set[Decimal]:
    return {Decimal(found) for found in _NUMBER.findall(text)}

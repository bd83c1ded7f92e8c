"""Keyset pages: one row more than asked for is read, to know whether there is a next page."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic, Self, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows in order, and whether more follow."""

    rows: tuple[T, ...]
    has_more: bool

    @classmethod
    def cut(cls, rows: Sequence[T], limit: int) -> Self:
        """A page of ``limit`` out of at most ``limit`` + 1 rows that were read."""
        return cls(tuple(rows[:limit]), len(rows) > limit)

"""Lists as relay connections: forward only, a required and capped ``first``, keyset cursors.

A cursor holds the sort key of its row, so a page costs the same wherever it is, and rows
that come or go meanwhile are neither skipped nor shown twice.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, Generic, TypeVar, cast
from uuid import UUID

import strawberry

from tensorcost.domain.errors import ValidationFailed
from tensorcost.services import cursors
from tensorcost.services.cursors import Key, cursor_of, key_of

MAX_FIRST: Final = 200
AFTER: Final = "after"
"""The argument that refusals name."""
T = TypeVar("T")
R = TypeVar("R")


@strawberry.type
class PageInfo:
    has_next_page: bool
    has_previous_page: bool
    start_cursor: str | None
    end_cursor: str | None


@strawberry.type
class Edge(Generic[T]):
    cursor: str
    node: T


@strawberry.type
class Connection(Generic[T]):
    edges: list[Edge[T]]
    nodes: list[T]
    page_info: PageInfo


@dataclass(frozen=True, slots=True)
class Page:
    """What a list was asked for. Read ``limit`` rows after ``after``: one more than is shown."""

    first: int
    after: Key | None

    @property
    def limit(self) -> int:
        return self.first + 1

    def after_time(self) -> tuple[datetime, UUID] | None:
        """The key of a list that is sorted by time and id."""
        return cursors.time_and_id(self.after, AFTER)

    def after_id(self) -> UUID | None:
        """The key of a list that is sorted by id."""
        return cursors.row_id(self.after, AFTER)

    def after_number(self) -> int:
        """The key of a list that is sorted by a number; -1 before the first."""
        return cursors.position(self.after, AFTER)


def page_of(first: int, after: str | None) -> Page:
    """The checked request; ValidationFailed outside 1 … MAX_FIRST or for a foreign cursor."""
    if not 1 <= first <= MAX_FIRST:
        raise ValidationFailed(f"'first' must be between 1 and {MAX_FIRST}", field="first")
    return Page(first, key_of(after, AFTER))


def connection(
    rows: Sequence[R], page: Page, *, node: Callable[[R], T], key: Callable[[R], Key]
) -> Connection[T]:
    """The page of ``rows``, of which there is one more than asked for where a next page is.

    Nodes, edges and cursors are made when they are asked for: most clients select only some.
    """
    return cast("Connection[T]", _Rows(rows, page, node, key))


class _Rows(Generic[R, T]):
    """What a Connection's fields are read from."""

    def __init__(
        self,
        rows: Sequence[R],
        page: Page,
        node: Callable[[R], T],
        key: Callable[[R], Key],
    ) -> None:
        self._rows = rows[: page.first]
        self._has_more = len(rows) > page.first
        self._page = page
        self._node = node
        self._key = key

    @cached_property
    def nodes(self) -> list[T]:
        return [self._node(row) for row in self._rows]

    @cached_property
    def edges(self) -> list["_Row[R, T]"]:
        rows = zip(self._rows, self.nodes, strict=True)
        return [_Row(row, node, self._key) for row, node in rows]

    @property
    def page_info(self) -> PageInfo:
        rows = self._rows
        return PageInfo(
            has_next_page=self._has_more,
            has_previous_page=self._page.after is not None,
            start_cursor=cursor_of(self._key(rows[0])) if rows else None,
            end_cursor=cursor_of(self._key(rows[-1])) if rows else None,
        )


@dataclass(slots=True)
class _Row(Generic[R, T]):
    """What an Edge's fields are read from."""

    _row: R
    node: T
    _key: Callable[[R], Key]

    @property
    def cursor(self) -> str:
        return cursor_of(self._key(self._row))


def time_key(at: datetime, unique: UUID) -> Key:
    """The key of a row in a list that is sorted by time and id."""
    return at.isoformat(), str(unique)

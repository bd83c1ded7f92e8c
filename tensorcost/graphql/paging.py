"""Lists as relay connections: forward only, a required and capped ``first``, keyset cursors.

A cursor holds the sort key of its row, so a page costs the same wherever it is, and rows
that come or go meanwhile are neither skipped nor shown twice.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Final, Generic, TypeVar, cast
from uuid import UUID

import orjson
import strawberry

from tensorcost.domain.errors import ValidationFailed

MAX_FIRST: Final = 200
_MAX_CURSOR: Final = 512
T = TypeVar("T")
R = TypeVar("R")
Key = tuple[str | int, ...]


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
        if self.after is None:
            return None
        try:
            at, unique = self.after
            return datetime.fromisoformat(str(at)), UUID(str(unique))
        except ValueError:
            raise _foreign() from None

    def after_id(self) -> UUID | None:
        """The key of a list that is sorted by id."""
        if self.after is None:
            return None
        try:
            (unique,) = self.after
            return UUID(str(unique))
        except ValueError:
            raise _foreign() from None

    def after_number(self) -> int:
        """The key of a list that is sorted by a number; -1 before the first."""
        if self.after is None:
            return -1
        if len(self.after) != 1 or type(self.after[0]) is not int:
            raise _foreign()
        return self.after[0]


def page_of(first: int, after: str | None) -> Page:
    """The checked request; ValidationFailed outside 1 … MAX_FIRST or for a foreign cursor."""
    if not 1 <= first <= MAX_FIRST:
        raise ValidationFailed(f"'first' must be between 1 and {MAX_FIRST}", field="first")
    return Page(first, None if after is None else _key_of(after))


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
            start_cursor=_cursor_of(self._key(rows[0])) if rows else None,
            end_cursor=_cursor_of(self._key(rows[-1])) if rows else None,
        )


@dataclass(slots=True)
class _Row(Generic[R, T]):
    """What an Edge's fields are read from."""

    _row: R
    node: T
    _key: Callable[[R], Key]

    @property
    def cursor(self) -> str:
        return _cursor_of(self._key(self._row))


def time_key(at: datetime, unique: UUID) -> Key:
    """The key of a row in a list that is sorted by time and id."""
    return at.isoformat(), str(unique)


def _cursor_of(key: Key) -> str:
    return urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


def _key_of(cursor: str) -> Key:
    try:
        raw = orjson.loads(urlsafe_b64decode(cursor[:_MAX_CURSOR] + "=" * (-len(cursor) % 4)))
    except (ValueError, UnicodeEncodeError):
        raw = None
    if not isinstance(raw, list) or not all(type(part) in (str, int) for part in raw):
        raise _foreign()
    return tuple(raw)


def _foreign() -> ValidationFailed:
    return ValidationFailed("not a cursor that this list handed out", field="after")

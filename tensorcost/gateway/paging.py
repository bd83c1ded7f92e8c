"""Keyset paging of the routes: ``?limit=`` and an opaque ``?cursor=``."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypeVar
from uuid import UUID

from fastapi import Depends, Query

from tensorcost.services import cursors
from tensorcost.services.cursors import MAX_CURSOR, Key, cursor_of, key_of

T = TypeVar("T")
DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
CURSOR: Final = "cursor"
"""The parameter that refusals name."""


@dataclass(frozen=True, slots=True)
class Page:
    """What a list route was asked for: at most ``limit`` rows after ``after``."""

    limit: int
    after: Key | None


async def _page(
    limit: Annotated[
        int, Query(ge=1, le=MAX_LIMIT, description="Items in one answer.")
    ] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None, Query(max_length=MAX_CURSOR, description="`next_cursor` of the page before.")
    ] = None,
) -> Page:
    return Page(limit, key_of(cursor, CURSOR))


Paging = Annotated[Page, Depends(_page)]
"""A handler's parameter: ``page: Paging`` reads ``?limit=`` and ``?cursor=``."""


def next_cursor(rows: Sequence[T], page: Page, key: Callable[[T], Key]) -> str | None:
    """The cursor after ``rows``, or None when the page was not full."""
    return cursor_of(key(rows[-1])) if len(rows) >= page.limit else None


def time_and_id(page: Page) -> tuple[datetime, UUID] | None:
    """``page.after`` of a list ordered by (time, id); ValidationFailed when it is another's."""
    return cursors.time_and_id(page.after, CURSOR)

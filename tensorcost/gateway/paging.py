"""Keyset paging: an opaque cursor holds the last row's sort key, never an offset."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Final, TypeVar
from uuid import UUID

import orjson
from fastapi import Depends, Query

from tensorcost.domain.clock import require_utc
from tensorcost.domain.errors import ValidationFailed

T = TypeVar("T")
DEFAULT_LIMIT: Final = 100
MAX_LIMIT: Final = 1000
_MAX_CURSOR: Final = 512
Key = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Page:
    """What a list route was asked for: at most ``limit`` rows after ``after``."""

    limit: int
    after: Key | None


def cursor_of(*key: str | int) -> str:
    """The opaque form of a row's sort key. Times go in as RFC 3339 text, ids as text."""
    return urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


def key_of(cursor: str, parts: int | None = None) -> Key:
    """The sort key in ``cursor``; ValidationFailed when it is not one of ours."""
    try:
        raw = orjson.loads(urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, UnicodeEncodeError):
        raw = None
    shaped = isinstance(raw, list) and all(type(part) in (str, int) for part in raw)
    if not shaped or (parts is not None and len(raw) != parts):
        raise ValidationFailed("not a cursor that this list handed out", field="cursor")
    return tuple(raw)


async def _page(
    limit: Annotated[
        int, Query(ge=1, le=MAX_LIMIT, description="Items in one answer.")
    ] = DEFAULT_LIMIT,
    cursor: Annotated[
        str | None, Query(max_length=_MAX_CURSOR, description="`next_cursor` of the page before.")
    ] = None,
) -> Page:
    return Page(limit, key_of(cursor) if cursor is not None else None)


Paging = Annotated[Page, Depends(_page)]
"""A handler's parameter: ``page: Paging`` reads ``?limit=`` and ``?cursor=``."""


def next_cursor(rows: Sequence[T], page: Page, key: Callable[[T], Key]) -> str | None:
    """The cursor after ``rows``, or None when the page was not full."""
    return cursor_of(*key(rows[-1])) if len(rows) >= page.limit else None


def time_and_id(page: Page) -> tuple[datetime, UUID] | None:
    """``page.after`` of a list ordered by (time, id); ValidationFailed when it is another's."""
    if page.after is None:
        return None
    try:
        moment, row_id = page.after
        return require_utc(datetime.fromisoformat(str(moment))), UUID(str(row_id))
    except ValueError as error:
        raise ValidationFailed("not a cursor that this list handed out", field="cursor") from error

"""Opaque cursors of keyset paging: each holds its row's sort key, never an offset.

Whoever reads one names the ``field`` in which the caller gave it: a refusal points there.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from tensorcost.domain.clock import require_utc
from tensorcost.domain.errors import ValidationFailed

MAX_CURSOR: Final = 512
"""Characters of the longest cursor."""
Key = tuple[str | int, ...]


def cursor_of(key: Key) -> str:
    """The opaque form of a row's sort key. Times go in as RFC 3339 text, ids as text."""
    return urlsafe_b64encode(orjson.dumps(key)).rstrip(b"=").decode()


def key_of(cursor: str | None, field: str) -> Key | None:
    """The sort key after which a list goes on; ValidationFailed for no cursor of ours."""
    if cursor is None:
        return None
    try:
        raw = orjson.loads(urlsafe_b64decode(cursor[:MAX_CURSOR] + "=" * (-len(cursor) % 4)))
    except (ValueError, UnicodeEncodeError):
        raw = None
    if not isinstance(raw, list) or not all(type(part) in (str, int) for part in raw):
        raise foreign_cursor(field)
    return tuple(raw)


def time_and_id(after: Key | None, field: str) -> tuple[datetime, UUID] | None:
    """The key of a list ordered by time and id; ValidationFailed when it is another list's."""
    if after is None:
        return None
    try:
        moment, row_id = after
        return require_utc(datetime.fromisoformat(str(moment))), UUID(str(row_id))
    except (ValueError, OverflowError):  # the first and last hours of the calendar have no UTC
        raise foreign_cursor(field) from None


def row_id(after: Key | None, field: str) -> UUID | None:
    """The same of a list ordered by id."""
    if after is None:
        return None
    try:
        (unique,) = after
        return UUID(str(unique))
    except ValueError:
        raise foreign_cursor(field) from None


def position(after: Key | None, field: str) -> int:
    """The same of a list ordered by position; -1 before the first."""
    if after is None:
        return -1
    if len(after) != 1 or type(after[0]) is not int:
        raise foreign_cursor(field)
    return after[0]


def foreign_cursor(field: str) -> ValidationFailed:
    return ValidationFailed("not a cursor that this list handed out", field=field)

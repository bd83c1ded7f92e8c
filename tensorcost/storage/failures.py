"""What a driver's error means to a caller, where it means anything."""

from typing import Final

from sqlalchemy.exc import DBAPIError, TimeoutError

from tensorcost.domain.errors import DomainError, Unavailable, ValidationFailed

_DATA: Final = "22"
"""Class of SQLSTATEs for values that a column cannot hold, such as text with a NUL."""
_AWAY: Final = ("08", "53", "57")
"""Connection lost, out of resources, shutting down."""
_TRY_AGAIN: Final = ("40",)
"""Deadlock or serialization failure."""


def as_domain_error(error: Exception) -> DomainError | None:
    """The expected failure behind a database error; None for a mistake of ours."""
    if isinstance(error, TimeoutError):
        return Unavailable("the database is busy; try again")
    if not isinstance(error, DBAPIError):
        return None
    state = getattr(error.orig, "sqlstate", None) or ""
    if state.startswith(_DATA):
        return ValidationFailed("a value holds characters or a size that cannot be stored")
    if state.startswith(_TRY_AGAIN):
        return Unavailable("another change came between; try again")
    if state.startswith(_AWAY) or error.connection_invalidated:
        return Unavailable("the database cannot be reached")
    return None

"""Reading GraphQL answers in tests."""

from collections.abc import Iterator, Mapping
from typing import Any


def ids_in(found: Any) -> Iterator[tuple[str, str]]:
    """Types and ids of every object of an answer that asked for ``__typename`` and ``id``."""
    if isinstance(found, Mapping):
        if "id" in found:
            yield found["__typename"], found["id"]
        for value in found.values():
            yield from ids_in(value)
    elif isinstance(found, list):
        for value in found:
            yield from ids_in(value)

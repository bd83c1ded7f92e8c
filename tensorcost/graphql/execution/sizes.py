"""How many items a list of the schema has, where more is known than ``limits.LIST_SIZE``."""

from dataclasses import dataclass
from typing import Any, Final

import strawberry
from graphql import GraphQLField

CURRENCIES: Final = 3
"""Of one month or bill: dollars, the currency of the bill, and one to spare."""
_KEY: Final = "list_size"
_DEFINITION: Final = "strawberry-definition"


@dataclass(frozen=True, slots=True)
class Size:
    """``items`` at most; with ``by_limit`` only where the field above has no ``limit``."""

    items: int
    by_limit: bool = False


def listed(items: int, description: str | None = None, *, by_limit: bool = False) -> Any:
    """A field that is a list of a known size: of a closed set, or of a default ``limit``."""
    return strawberry.field(
        description=description, metadata={_KEY: Size(items, by_limit=by_limit)}
    )


def size_of(definition: GraphQLField) -> Size | None:
    """What ``listed`` said of the field; None where its size is not known."""
    declared = definition.extensions.get(_DEFINITION)
    found = getattr(declared, "metadata", {}).get(_KEY)
    return found if isinstance(found, Size) else None

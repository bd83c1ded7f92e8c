"""What the GraphQL face is built from; runtime hands it over."""

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class GraphqlServices:
    """The use cases behind the schema."""

    events: Any

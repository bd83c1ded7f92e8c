"""The price maps that ship with TensorCost, oldest first, each effective from its own date.

Each file holds what is new or priced differently since the file before, so all of them are
imported. A map's date is the day on which it was read, not the provider's day of change:
between two maps a price may have changed earlier than we say.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from importlib.resources import files
from typing import Any

from tensorcost.providers.price_catalogue.litellm import (
    ImportTerms,
    PriceImport,
    PriceMap,
    parse_price_map,
)


@dataclass(frozen=True, slots=True)
class BuiltinMap:
    source: str
    licence: str
    effective_from: datetime
    models: PriceMap
    listed_before: frozenset[str]
    """Keys of the earlier maps: a name they hold is not free for another deployment."""
    content: bytes
    """The file as shipped, for the content hash of the import."""

    def parse(self, version: int) -> PriceImport:
        """Prices of this map as import number ``version``."""
        terms = ImportTerms(self.effective_from, version, self.source)
        return parse_price_map(self.models, terms, also_listed=self.listed_before)


def builtin_maps() -> tuple[BuiltinMap, ...]:
    """Every shipped map, to be imported in this order."""
    folder = files("tensorcost.providers.price_catalogue") / "data"
    names = sorted(entry.name for entry in folder.iterdir() if entry.name.endswith(".json"))
    maps: list[BuiltinMap] = []
    before: frozenset[str] = frozenset()
    for name in names:
        content = (folder / name).read_bytes()
        decoded: dict[str, Any] = json.loads(content, parse_float=Decimal)
        about, models = decoded["about"], decoded["models"]
        effective = datetime.fromisoformat(about["effective_from"])
        maps.append(
            BuiltinMap(about["source"], about["licence"], effective, models, before, content)
        )
        before |= models.keys()
    return tuple(maps)

"""Which price regions a source region belongs to, from the narrowest to ``*``.

Profiles of a geography (``us.``, ``eu.`` …) are sold at a price per geography, and the same
model costs differently in two of them. Such prices carry ``us-*`` or ``eu-*`` as region.
"""

import re
from functools import lru_cache
from typing import Final

from tensorcost.domain.cost.price import ANY_REGION

_AWS: Final = re.compile(r"([a-z]+(?:-[a-z]+)?)-[a-z]+-\d+")
_GOOGLE: Final = re.compile(r"([a-z]+)-[a-z]+\d+")
_AZURE_US: Final = frozenset(
    {
        "centralus",
        "eastus",
        "eastus2",
        "northcentralus",
        "southcentralus",
        "westcentralus",
        "westus",
        "westus2",
        "westus3",
    }
)
_AZURE_EU: Final = frozenset(
    {
        "francecentral",
        "francesouth",
        "germanynorth",
        "germanywestcentral",
        "italynorth",
        "northeurope",
        "polandcentral",
        "spaincentral",
        "swedencentral",
        "westeurope",
    }
)


@lru_cache(maxsize=1024)
def region_candidates(region: str) -> tuple[str, ...]:
    """Price regions to look in, in order: the region, its geography where known, ``*``."""
    found = geography(region)
    if not region or region == ANY_REGION:
        return (ANY_REGION,)
    return (region, ANY_REGION) if found is None else (region, found, ANY_REGION)


def geography(region: str) -> str | None:
    """``us-*`` for us-east-1 and eastus2, ``us-gov-*`` for us-gov-west-1; None if not known."""
    if match := _AWS.fullmatch(region) or _GOOGLE.fullmatch(region):
        return f"{match.group(1)}-*"
    name = region.lower()
    if name in _AZURE_US:
        return "us-*"
    return "eu-*" if name in _AZURE_EU else None

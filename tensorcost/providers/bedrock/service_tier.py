"""Bedrock's and the vendors' names of service tiers, as ours."""

from typing import Final

from tensorcost.domain.spend.facts import ServiceTier

_NAMES: Final = {
    "default": ServiceTier.STANDARD,
    "standard": ServiceTier.STANDARD,
    "standard_only": ServiceTier.STANDARD,
    "auto": ServiceTier.STANDARD,
    "on_demand": ServiceTier.STANDARD,
    "priority": ServiceTier.PRIORITY,
    "flex": ServiceTier.FLEX,
    "batch": ServiceTier.BATCH,
    "reserved": ServiceTier.RESERVED,
}
LATENCY_OPTIMISED: Final = "optimized"


def tier_of(named: str | None, fallback: ServiceTier = ServiceTier.STANDARD) -> ServiceTier:
    """The tier of a name; ``fallback`` when none is given, UNKNOWN for a name not listed."""
    if not named:
        return fallback
    return _NAMES.get(named.lower(), ServiceTier.UNKNOWN)

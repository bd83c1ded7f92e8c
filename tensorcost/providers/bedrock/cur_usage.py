"""What a bill line is for: model, token kind, routing, tier and scale, from its usage type.

Two vocabularies stand side by side. Models that AWS sells itself have usage types such as
``USE1-Claude4.6Sonnet-input-tokens-batch``; models sold through the Marketplace have
``USE1-MP:USE1_InputTokenCount_Global-Units`` under an opaque product code, so they are told by
usage type and product name, never by service name. A usage type that names no known model
keeps its cost in scope without one.
"""

import re
from dataclasses import dataclass, replace
from typing import Final

from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.providers.bedrock.cur_models import EDITION, model_of_name
from tensorcost.providers.bedrock.cur_regions import split_region

BEDROCK: Final = "bedrock"
GPU: Final = "ec2"
OUT_OF_SCOPE: Final = ""
TOKENS: Final = "tokens"

_THOUSAND, _MILLION = 1_000, 1_000_000
_TOKEN_UNIT: Final = re.compile(r"(\d+)?\s*(k|m|thousand|million)?\s*tokens?", re.IGNORECASE)
_SCALES: Final = {"": 1, "k": _THOUSAND, "thousand": _THOUSAND, "m": _MILLION, "million": _MILLION}
_NATIVE: Final = re.compile(
    r"(?P<model>.+?)-(?P<modality>(?:text|speech|image|video|audio)-)?"
    r"(?P<kind>cache-read|cache-write|input|output)(?=-)(?P<rest>(?:-[a-z0-9]+)*)",
    re.IGNORECASE,
)
_WORDS: Final = re.compile(r"\d+[a-zA-Z]?(?![a-z])|[A-Z]+(?![a-z])|[A-Z]?[a-z]+")
_GPU_USAGE: Final = re.compile(
    r"[A-Za-z]+:(?:p\d|g\d|gr\d|trn\d|inf\d|dl\d|vt\d)[a-z0-9-]*\.[a-z0-9]+"
)


@dataclass(frozen=True, slots=True)
class UsageClass:
    """What a usage type says. ``provider`` is empty for lines outside AI spend.

    ``scale`` is what one unit of the usage amount stands for, in ``unit``.
    """

    provider: str = OUT_OF_SCOPE
    model_id: str = ""
    token_kind: TokenKind | None = None
    routing_scope: RoutingScope = RoutingScope.IN_REGION
    service_tier: ServiceTier = ServiceTier.STANDARD
    region: str = ""
    scale: int = 1
    unit: str = ""

    @property
    def in_scope(self) -> bool:
        return self.provider != OUT_OF_SCOPE


def classify_usage(product_code: str, usage_type: str, product: str, unit: str) -> UsageClass:
    """Classify one combination of product code, usage type, product name and pricing unit."""
    region, body = split_region(usage_type)
    found = UsageClass(region=region, unit=unit.lower())
    is_edition = EDITION in product.lower()
    if body.startswith("MP:"):
        found = _marketplace(found, body, unit)
        if not is_edition and found.token_kind is None and not _is_bedrock(product_code):
            return UsageClass(region=region, unit=unit.lower())
        return replace(found, provider=BEDROCK, model_id=model_of_name(product))
    if _is_bedrock(product_code) or is_edition:
        found = replace(_native(found, body, unit), provider=BEDROCK)
        if is_edition and not found.model_id:
            found = replace(found, model_id=model_of_name(product))
        return found
    if product_code == "AmazonEC2" and _GPU_USAGE.fullmatch(body):
        return replace(found, provider=GPU)
    return found


def _is_bedrock(product_code: str) -> bool:
    return product_code.startswith("AmazonBedrock")


def _native(found: UsageClass, body: str, unit: str) -> UsageClass:
    parts = _NATIVE.fullmatch(body)
    if parts is None:
        words = _words_of(body)
        return replace(found, model_id=_named_at_head(body), service_tier=_tier(words))
    words = _words_of(parts["kind"] + parts["rest"])
    found = replace(
        found,
        model_id="" if {"custom", "model"} <= words else _named(parts),
        routing_scope=_routing(words),
        service_tier=_tier(words),
    )
    return _with_quantity(found, _token_kind(words), _token_scale(unit, default=_THOUSAND))


def _named(parts: re.Match[str]) -> str:
    """A modality before the token kind may belong to the model's name, or be no part of it."""
    modality = (parts["modality"] or "").rstrip("-")
    whole = model_of_name(f"{parts['model']}-{modality}") if modality else ""
    return whole or model_of_name(parts["model"])


def _marketplace(found: UsageClass, body: str, unit: str) -> UsageClass:
    core = body.removeprefix("MP:").removesuffix("-Units")
    head, _, rest = core.partition("_")
    words = _words_of(rest if rest and head.isupper() else core)
    found = replace(found, routing_scope=_routing(words), service_tier=_tier(words))
    return _with_quantity(found, _token_kind(words), _token_scale(unit, default=_MILLION))


def _with_quantity(found: UsageClass, kind: TokenKind | None, scale: int | None) -> UsageClass:
    """Tokens only where the pricing unit can be scaled to tokens; else the unit as billed."""
    if kind is None or scale is None:
        return found
    return replace(found, token_kind=kind, scale=scale, unit=TOKENS)


def _token_scale(unit: str, *, default: int) -> int | None:
    """Tokens a unit stands for; ``default`` where the bill does not name the unit."""
    if unit.lower() in ("", "units", "unit"):
        return default
    parts = _TOKEN_UNIT.fullmatch(unit.strip())
    if parts is None:
        return None
    return int(parts[1] or 1) * _SCALES[(parts[2] or "").lower()]


def _words_of(text: str) -> frozenset[str]:
    return frozenset(word.lower() for word in _WORDS.findall(text))


def _token_kind(words: frozenset[str]) -> TokenKind | None:
    """The kind of token; None for reservations by rate (``InputTPM``) and what is no token."""
    if not words & {"token", "tokens"}:
        return None
    if "cache" in words:
        if "read" in words:
            return TokenKind.CACHED
        return TokenKind.CACHE_WRITE_1H if "1h" in words else TokenKind.CACHE_WRITE_5M
    if "output" in words:
        return TokenKind.OUTPUT
    return TokenKind.INPUT if "input" in words else None


def _routing(words: frozenset[str]) -> RoutingScope:
    """Geographic profiles are billed as their source region and mostly carry no mark."""
    if "global" in words:
        return RoutingScope.GLOBAL
    return RoutingScope.GEO if words & {"geo", "cross"} else RoutingScope.IN_REGION


_TIER_WORDS: Final = (
    ("batch", ServiceTier.BATCH),
    ("flex", ServiceTier.FLEX),
    ("priority", ServiceTier.PRIORITY),
    ("reserved", ServiceTier.RESERVED),
    ("provisioned", ServiceTier.PROVISIONED),
    ("provisionedthroughput", ServiceTier.PROVISIONED),
    ("optimized", ServiceTier.UNKNOWN),
)


def _tier(words: frozenset[str]) -> ServiceTier:
    for word, tier in _TIER_WORDS:
        if word in words:
            return tier
    is_unit = "model" in words and bool(words & {"unit", "units"})
    return ServiceTier.PROVISIONED if is_unit else ServiceTier.STANDARD


def _named_at_head(body: str) -> str:
    """The model that the longest run of leading dash-separated parts names, or empty."""
    parts = body.split("-")
    for end in range(len(parts), 0, -1):
        head = "-".join(parts[:end])
        found = model_of_name(head)
        if found and found != head.lower():
            return found
    return ""

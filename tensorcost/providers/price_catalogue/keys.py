"""Where a LiteLLM model key sells: provider, model id, regions and routing scopes.

LiteLLM names one thing in many ways (``bedrock/us-east-1/…``, ``us.anthropic…``,
``azure/eu/…``, ``vertex_ai/…``). Where it states no scope, this table says which scopes the
figure is taken for:

- Bedrock without prefix: in-region; ``us.`` and the like: geographic; ``global.``: global.
- Azure ``azure/us/`` and ``azure/eu/``: data zones; ``azure/global/``: global; without: in-region,
  and global too where the map has no figure of its own for the global deployment.
- Vertex: in-region and global; Claude from 4.5 on only global, since regional costs more.
- Everything else has one endpoint: global.
"""

import re
from collections.abc import Container
from dataclasses import dataclass
from typing import Final

from tensorcost.domain.cost.model_names import GEO_REGIONS, bedrock_name
from tensorcost.domain.cost.price import ANY_REGION
from tensorcost.domain.spend.facts import RoutingScope

_PROVIDERS: Final = {
    "bedrock": "bedrock",
    "bedrock_converse": "bedrock",
    "openai": "openai",
    "text-completion-openai": "openai",
    "azure": "azure_openai",
    "azure_text": "azure_openai",
    "anthropic": "anthropic",
}
_REGION: Final = re.compile(r"[a-z]{2}(?:-gov)?-[a-z]+-\d")
_VARIANT: Final = re.compile(r"\d+-x-\d+|max-x-max|hd|standard|low|medium|high|auto")
_COMMITMENT: Final = re.compile(r"\d+-month-commitment")
_BEDROCK_ROUTES: Final = frozenset({"invoke", "converse"})
_AZURE_ZONES: Final = {"us": "us-*", "eu": "eu-*"}
_AZURE_GLOBAL: Final = ("global", "global-standard")
_CLAUDE_WITH_REGIONAL_PREMIUM: Final = re.compile(r"claude-(?:opus|sonnet|haiku)-(?:4-[5-9]|[5-9])")
_EVERYWHERE: Final[tuple[str, ...]] = (ANY_REGION,)


@dataclass(frozen=True, slots=True)
class Listing:
    """One place where the entry's prices hold. ``rank`` 0 is the plainest way to name it."""

    provider: str
    model_id: str
    scope: RoutingScope
    regions: tuple[str, ...] = _EVERYWHERE
    rank: int = 0


@dataclass(frozen=True, slots=True)
class NotAModel:
    reason: str


def listings_of(
    key: str, litellm_provider: str, all_keys: Container[str]
) -> tuple[Listing, ...] | NotAModel:
    """Where the prices under ``key`` hold, or why they are not taken."""
    if not litellm_provider or " " in litellm_provider:
        return NotAModel("not a model")
    provider = our_provider(litellm_provider)
    parts = key.split("/")
    if any(_VARIANT.fullmatch(part) for part in parts[:-1]):
        return NotAModel("price by size or quality of an image")
    if provider == "bedrock":
        return _bedrock(parts)
    if provider == "azure_openai":
        return _azure(parts, all_keys)
    if provider == "vertex":
        return _vertex(parts)
    plain = parts[1:] if len(parts) > 1 and parts[0] == litellm_provider else parts
    return (Listing(provider, "/".join(plain), RoutingScope.GLOBAL, rank=_dropped(parts, plain)),)


def our_provider(litellm_provider: str) -> str:
    """Name of the price list: ``azure`` is ``azure_openai``, any ``vertex_ai…`` is ``vertex``."""
    if litellm_provider.startswith("vertex_ai"):
        return "vertex"
    return _PROVIDERS.get(litellm_provider, litellm_provider)


def _bedrock(parts: list[str]) -> tuple[Listing, ...] | NotAModel:
    rest = parts[1:] if parts[0] == "bedrock" else parts
    if any(_COMMITMENT.fullmatch(part) for part in rest):
        return NotAModel("price per hour of a commitment")
    regions = _EVERYWHERE
    if len(rest) > 1 and _REGION.fullmatch(rest[0]):
        regions, rest = (rest[0],), rest[1:]
    if len(rest) > 1 and rest[0] in _BEDROCK_ROUTES:
        rest = rest[1:]
    if len(rest) > 1:
        return NotAModel("unknown form of Bedrock key")
    name = bedrock_name(rest[0])
    if name.geography and regions == _EVERYWHERE:
        regions = GEO_REGIONS[name.geography]
    rank = _dropped(parts, rest) + (name.model_id != rest[0])
    return (Listing("bedrock", name.model_id, name.scope, regions, rank),)


def _azure(parts: list[str], all_keys: Container[str]) -> tuple[Listing, ...]:
    rest = parts[1:] if parts[0] in ("azure", "azure_text") else parts
    if len(rest) > 1 and rest[0] in _AZURE_ZONES:
        zone = (_AZURE_ZONES[rest[0]],)
        return (Listing("azure_openai", "/".join(rest[1:]), RoutingScope.GEO, zone),)
    if len(rest) > 1 and rest[0] in _AZURE_GLOBAL:
        model, rank = "/".join(rest[1:]), _AZURE_GLOBAL.index(rest[0])
        return (Listing("azure_openai", model, RoutingScope.GLOBAL, rank=rank),)
    model = "/".join(rest)
    here = Listing("azure_openai", model, RoutingScope.IN_REGION)
    if any(f"azure/{name}/{model}" in all_keys for name in _AZURE_GLOBAL):
        return (here,)
    return (here, Listing("azure_openai", model, RoutingScope.GLOBAL))


def _vertex(parts: list[str]) -> tuple[Listing, ...]:
    rest = parts[1:] if parts[0] == "vertex_ai" else parts
    model, rank = "/".join(rest), _dropped(parts, rest)
    everywhere = Listing("vertex", model, RoutingScope.GLOBAL, rank=rank)
    if _CLAUDE_WITH_REGIONAL_PREMIUM.match(model):
        return (everywhere,)
    return (everywhere, Listing("vertex", model, RoutingScope.IN_REGION, rank=rank))


def _dropped(parts: list[str], kept: list[str]) -> int:
    return len(parts) - len(kept)

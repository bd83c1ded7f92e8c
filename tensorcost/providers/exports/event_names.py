"""Which API sold a call and under which model id, from what a file says about it."""

from typing import Final, NamedTuple

from tensorcost.domain.cost.model_names import bedrock_name
from tensorcost.domain.spend.facts import UNKNOWN, RoutingScope, ServiceTier, Source

_SOURCES: Final = {
    **{source.value: source for source in Source},
    "openai": Source.OPENAI_API,
    "anthropic": Source.ANTHROPIC_API,
    "azure": Source.AZURE_OPENAI,
    "vertex_ai": Source.VERTEX,
    "bedrock_converse": Source.BEDROCK,
}
_PROVIDERS: Final = {
    Source.BEDROCK: "bedrock",
    Source.AZURE_OPENAI: "azure_openai",
    Source.VERTEX: "vertex",
    Source.OPENAI_API: "openai",
    Source.ANTHROPIC_API: "anthropic",
    Source.GPU_AGENT: "gpu",
}
_PREFIXES: Final = {
    Source.BEDROCK: ("bedrock/", "bedrock_converse/"),
    Source.AZURE_OPENAI: ("azure/",),
    Source.VERTEX: ("vertex_ai/",),
    Source.OPENAI_API: ("openai/",),
    Source.ANTHROPIC_API: ("anthropic/",),
}
_TIERS: Final = {
    **{tier.value: tier for tier in ServiceTier},
    "default": ServiceTier.STANDARD,
    "on_demand": ServiceTier.STANDARD,
}


class CallName(NamedTuple):
    source: Source
    provider: str
    model_id: str
    scope: RoutingScope
    profile_arn: str


def call_name(source: str, provider: str, model: str, scope: RoutingScope | None) -> CallName:
    """Resolve source and model.

    Without a source, the widespread form ``provider/model`` names it; a bare model id does
    not: several sellers have it at different prices, so such a row stays unpriced.
    """
    if source:
        found = _SOURCES.get(source.lower(), Source.OTHER)
        seller = provider or _PROVIDERS.get(found, source.lower())
    else:
        head, slash, _ = model.partition("/")
        found = _SOURCES.get(head, Source.OTHER) if slash else Source.OTHER
        seller = provider or _PROVIDERS.get(found, head if slash else UNKNOWN)
    prefixes = _PREFIXES.get(found, (f"{seller}/",))
    for prefix in prefixes:
        model = model.removeprefix(prefix)
    if found is not Source.BEDROCK:
        return CallName(found, seller, model, scope or _scope_of(found), UNKNOWN)
    name = bedrock_name(model)
    profile = model if ":inference-profile/" in model else UNKNOWN
    return CallName(found, seller, name.model_id, scope or name.scope, profile)


def tier_of(text: str) -> ServiceTier:
    """The tier of a provider's name for it; a name we do not know is UNKNOWN, not standard."""
    if not text:
        return ServiceTier.STANDARD
    return _TIERS.get(text.lower(), ServiceTier.UNKNOWN)


def _scope_of(source: Source) -> RoutingScope:
    """Azure and Vertex sell by region where nothing else is said; the others have one endpoint."""
    if source in (Source.AZURE_OPENAI, Source.VERTEX):
        return RoutingScope.IN_REGION
    return RoutingScope.GLOBAL

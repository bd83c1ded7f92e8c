"""The forms in which a caller may name a Bedrock model, reduced to the foundation model.

Log records, metric dimensions and bill lines all carry the name *as the caller wrote it*:
a foundation id, a geographic or global profile id, or one of several ARNs.
"""

import re
from dataclasses import dataclass
from typing import Final

from tensorcost.domain.spend.facts import UNKNOWN, ModelTier, RoutingScope, ServiceTier
from tensorcost.providers.bedrock.model_family import TEXT, family_and_tier, modality
from tensorcost.providers.bedrock.profiles import EMPTY_DIRECTORY, ProfileDirectory

GEO_PREFIXES: Final = frozenset(
    {"us", "eu", "apac", "jp", "au", "ca", "sa", "me", "mx", "in", "us-gov"}
)
_VENDORS: Final = frozenset(
    {
        "ai21", "amazon", "anthropic", "cohere", "deepseek", "google", "luma", "meta", "minimax",
        "mistral", "moonshot", "moonshotai", "nvidia", "openai", "qwen", "stability",
        "twelvelabs", "writer", "xai", "zai",
    }
)  # fmt: skip
_ROUTING_HEAD: Final = re.compile(r"([a-z-]{2,6})\.(?=[a-z0-9-]+\.)")
_CONTEXT_SUFFIX: Final = re.compile(r"(.+:\d+):(?:\d+k?|mm)")
_OPAQUE_PROFILE_ID: Final = re.compile(r"[a-z0-9]{12}")


@dataclass(frozen=True, slots=True)
class ResolvedModel:
    """A model name made comparable.

    ``model_id`` is the foundation id where it is known, else the name as written (an ARN that
    only the control plane can explain): such a row stays unpriced and is shown by that name.
    ``profile_tags`` are the tags of an application profile.
    """

    raw: str
    model_id: str
    family: str = UNKNOWN
    tier: ModelTier = ModelTier.UNKNOWN
    routing_scope: RoutingScope = RoutingScope.IN_REGION
    profile_arn: str = UNKNOWN
    service_tier: ServiceTier = ServiceTier.STANDARD
    modality: str = TEXT
    is_resolved: bool = True
    unknown_prefix: str = UNKNOWN
    """A routing prefix that is not on the list; taken as geographic, to be reported."""
    profile_tags: tuple[tuple[str, str], ...] = ()


def resolve_model(raw: str, directory: ProfileDirectory = EMPTY_DIRECTORY) -> ResolvedModel:
    """Resolve any form of model name. Never fails: what is opaque comes back unresolved."""
    if raw.startswith("arn:"):
        return _resolve_arn(raw, directory)
    if _OPAQUE_PROFILE_ID.fullmatch(raw) and (entry := directory.find(raw)):
        return _from_directory(raw, entry.arn, directory)
    return _resolve_id(raw)


def _resolve_arn(raw: str, directory: ProfileDirectory) -> ResolvedModel:
    kind, _, name = raw.split(":", 5)[-1].partition("/")
    if kind == "foundation-model":
        return _resolve_id(name, raw=raw)
    if kind == "inference-profile" and "." in name:
        return _resolve_id(name, raw=raw, profile_arn=raw)
    if directory.find(raw):
        return _from_directory(raw, raw, directory)
    profile = raw if kind.endswith("inference-profile") else UNKNOWN
    tier = ServiceTier.PROVISIONED if kind == "provisioned-model" else ServiceTier.STANDARD
    return ResolvedModel(raw, raw, profile_arn=profile, service_tier=tier, is_resolved=False)


def _from_directory(raw: str, arn: str, directory: ProfileDirectory) -> ResolvedModel:
    entry = directory.find(arn)
    if entry is None:
        raise LookupError(arn)
    base = _resolve_id(entry.model_id)
    return ResolvedModel(
        raw,
        base.model_id,
        family=base.family,
        tier=base.tier,
        routing_scope=entry.routing_scope,
        profile_arn=entry.arn,
        service_tier=entry.service_tier,
        modality=base.modality,
        profile_tags=entry.tags,
    )


def _resolve_id(name: str, *, raw: str = "", profile_arn: str = UNKNOWN) -> ResolvedModel:
    model_id, routing, unknown = name, RoutingScope.IN_REGION, UNKNOWN
    head = _ROUTING_HEAD.match(name)
    if head and head[1] not in _VENDORS:
        model_id = name[head.end() :]
        routing = RoutingScope.GLOBAL if head[1] == "global" else RoutingScope.GEO
        unknown = UNKNOWN if head[1] in GEO_PREFIXES | {"global"} else head[1]
    if suffixed := _CONTEXT_SUFFIX.fullmatch(model_id):
        model_id = suffixed[1]
    family, tier = family_and_tier(model_id)
    return ResolvedModel(
        raw or name,
        model_id,
        family=family,
        tier=tier,
        routing_scope=routing,
        profile_arn=profile_arn,
        modality=modality(model_id),
        is_resolved="." in model_id,
        unknown_prefix=unknown,
    )

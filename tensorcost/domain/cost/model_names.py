"""Names under which Bedrock sells a model: a foundation id, with or without a routing prefix."""

import re
from dataclasses import dataclass
from typing import Final

from tensorcost.domain.cost.regions import region_candidates
from tensorcost.domain.spend.facts import RoutingScope

GEO_REGIONS: Final[dict[str, tuple[str, ...]]] = {
    "us": ("us-*", "ca-*"),
    "us-gov": ("us-gov-*",),
    "eu": ("eu-*",),
    "apac": ("ap-*",),
    "jp": ("ap-northeast-1", "ap-northeast-3"),
    "au": ("ap-southeast-2", "ap-southeast-4", "ap-southeast-6"),
    "ca": ("ca-*",),
    "in": ("ap-south-1", "ap-south-2"),
    "me": ("me-*",),
    "mx": ("mx-*",),
    "sa": ("sa-*",),
}
"""Source regions from which a geographic profile is called, as price regions."""

GLOBAL_PREFIX: Final = "global"
_HEAD: Final = re.compile(r"([a-z-]{2,6})\.(?=[a-z0-9-]+\.)")
_CONTEXT_SUFFIX: Final = re.compile(r"(.+:\d+):(?:\d+k?|mm)")
_ARN_MODEL: Final = re.compile(
    r"arn:[a-z-]+:bedrock:[^:]*:[^:]*:(?:foundation-model|inference-profile)/"
)


@dataclass(frozen=True, slots=True)
class BedrockName:
    model_id: str
    scope: RoutingScope
    geography: str = ""
    """Key of GEO_REGIONS where the scope is GEO."""


def bedrock_key(model_id: str, scope: RoutingScope, region: str) -> str:
    """The name under which a price map sells the model so to calls from ``region``, a source
    region or a geography such as ``us-*``; empty where no prefix says it."""
    if scope is RoutingScope.IN_REGION:
        return model_id
    if scope is RoutingScope.GLOBAL:
        return f"{GLOBAL_PREFIX}.{model_id}"
    for prefix, regions in GEO_REGIONS.items():
        if any(candidate in regions for candidate in region_candidates(region)):
            return f"{prefix}.{model_id}"
    return ""


def bedrock_name(raw: str) -> BedrockName:
    """Split a model name as a caller writes it. What is opaque comes back as it was."""
    name = _ARN_MODEL.sub("", raw, count=1)
    scope, geography = RoutingScope.IN_REGION, ""
    if head := _HEAD.match(name):
        if head[1] == GLOBAL_PREFIX:
            scope, name = RoutingScope.GLOBAL, name[head.end() :]
        elif head[1] in GEO_REGIONS:
            scope, geography, name = RoutingScope.GEO, head[1], name[head.end() :]
    if suffixed := _CONTEXT_SUFFIX.fullmatch(name):
        name = suffixed[1]
    return BedrockName(name, scope, geography)

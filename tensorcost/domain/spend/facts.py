"""What a spend row says about itself: source, grain and its dimension values."""

from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from hashlib import blake2b

from tensorcost.domain.ids import ActorId, DimensionId


class Source(StrEnum):
    """Where the spend was incurred; the breakdown of ``/v1/cost/by-source``."""

    BEDROCK = "bedrock"
    AZURE_OPENAI = "azure_openai"
    VERTEX = "vertex"
    OPENAI_API = "openai_api"
    ANTHROPIC_API = "anthropic_api"
    GPU_AGENT = "gpu_agent"
    OTHER = "other"


class Grain(IntEnum):
    """Finer grain wins for attribution; the smaller number is the finer grain."""

    REQUEST = 1
    METRIC = 2
    BILL = 3


class RoutingScope(StrEnum):
    IN_REGION = "in_region"
    GEO = "geo"
    GLOBAL = "global"


class ServiceTier(StrEnum):
    STANDARD = "standard"
    BATCH = "batch"
    FLEX = "flex"
    PRIORITY = "priority"
    RESERVED = "reserved"
    PROVISIONED = "provisioned"
    UNKNOWN = "unknown"
    """Named by the source, not by us: such a row is unpriced, never priced as standard."""


class ModelTier(StrEnum):
    FLAGSHIP = "flagship"
    STANDARD = "standard"
    EFFICIENT = "efficient"
    EMBEDDING = "embedding"
    UNKNOWN = "unknown"


UNKNOWN = ""
"""A dimension value that the source does not give. Never NULL, so that keys stay total."""


@dataclass(frozen=True, slots=True)
class Dimension:
    """The repeating values of a spend row, stored once a combination (decisions 9)."""

    source: Source
    provider: str
    account_id: str
    usage_account_id: str
    region: str
    routing_scope: RoutingScope
    model_id: str
    model_family: str = UNKNOWN
    model_tier: ModelTier = ModelTier.UNKNOWN
    service_tier: ServiceTier = ServiceTier.STANDARD
    modality: str = "text"
    context_bucket: str = "base"
    """``base`` or ``above_200k`` and the like: the highest threshold the request exceeds."""
    operation: str = UNKNOWN
    profile_arn: str = UNKNOWN
    application: str = UNKNOWN
    team: str = UNKNOWN
    environment: str = UNKNOWN
    owner: str = UNKNOWN
    tags: tuple[tuple[str, str], ...] = field(default=())
    """Allow-listed free tags, sorted by key."""

    def stable_id(self) -> DimensionId:
        """Signed 64-bit BLAKE2b of the length-prefixed values; collisions are checked at insert."""
        values = [*_texts(self), *(part for tag in self.tags for part in tag)]
        return DimensionId(_signed64(values))

    def cell_id(self) -> int:
        """Signed 64-bit id of (account, region, model): the cell in which one grain counts."""
        return _signed64([self.usage_account_id, self.region, self.model_id])


def _texts(dimension: Dimension) -> list[str]:
    return [
        dimension.source,
        dimension.provider,
        dimension.account_id,
        dimension.usage_account_id,
        dimension.region,
        dimension.routing_scope,
        dimension.model_id,
        dimension.model_family,
        dimension.model_tier,
        dimension.service_tier,
        dimension.modality,
        dimension.context_bucket,
        dimension.operation,
        dimension.profile_arn,
        dimension.application,
        dimension.team,
        dimension.environment,
        dimension.owner,
    ]


@dataclass(frozen=True, slots=True)
class Actor:
    """Who or what made the call. All empty means that the source names nobody."""

    user: str = UNKNOWN
    agent: str = UNKNOWN
    workflow: str = UNKNOWN

    def stable_id(self) -> ActorId:
        """Signed 64-bit BLAKE2b; 0 when nobody is named."""
        if not (self.user or self.agent or self.workflow):
            return ActorId(0)
        return ActorId(_signed64([self.user, self.agent, self.workflow]))


def _signed64(values: list[str]) -> int:
    digest = blake2b(digest_size=8)
    for value in values:
        raw = value.encode()
        digest.update(len(raw).to_bytes(4, "big"))
        digest.update(raw)
    return int.from_bytes(digest.digest(), "big", signed=True)

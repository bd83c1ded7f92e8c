"""What Bedrock's control plane says about opaque ids: application profiles, provisioned models."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tensorcost.domain.spend.facts import RoutingScope, ServiceTier


@dataclass(frozen=True, slots=True)
class ProfileEntry:
    """One application inference profile or provisioned throughput, resolved.

    ``model_id`` is the foundation model id; ``tags`` are the cost-allocation tags as AWS
    gives them, empty where the role may not list them.
    """

    arn: str
    model_id: str
    routing_scope: RoutingScope
    tags: tuple[tuple[str, str], ...] = ()
    name: str = ""
    service_tier: ServiceTier = ServiceTier.STANDARD


@dataclass(frozen=True, slots=True)
class ProfileDirectory:
    """Look-up by ARN, or by bare id where the caller wrote no ARN."""

    by_arn: Mapping[str, ProfileEntry] = field(default_factory=dict)
    by_id: Mapping[str, ProfileEntry] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[ProfileEntry]) -> "ProfileDirectory":
        """Index ``entries``; a bare id that two accounts share resolves to neither."""
        by_arn: dict[str, ProfileEntry] = {}
        by_id: dict[str, ProfileEntry] = {}
        shared: set[str] = set()
        for entry in entries:
            by_arn[entry.arn] = entry
            bare = entry.arn.rsplit("/", 1)[-1]
            if by_id.setdefault(bare, entry).arn != entry.arn:
                shared.add(bare)
        for bare in shared:
            del by_id[bare]
        return cls(by_arn, by_id)

    def find(self, reference: str) -> ProfileEntry | None:
        """The entry of an ARN or bare id, or None."""
        return self.by_arn.get(reference) or self.by_id.get(reference)


EMPTY_DIRECTORY = ProfileDirectory()


def routing_of_models(model_arns: Iterable[str], own_region: str) -> RoutingScope:
    """Routing scope of a profile from the regions of its models' ARNs.

    A global profile lists a model ARN without a region; several regions, or one that is not
    the profile's own, mean a geographic profile.
    """
    regions = {arn.split(":")[3] for arn in model_arns if arn.count(":") >= 5}
    if "" in regions:
        return RoutingScope.GLOBAL
    if regions - {own_region}:
        return RoutingScope.GEO
    return RoutingScope.IN_REGION

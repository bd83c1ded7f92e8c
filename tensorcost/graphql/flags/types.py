"""A feature flag as it is for the caller."""

import strawberry

from tensorcost.domain.tenancy.flags import FlagReason, FlagValue

strawberry.enum(FlagReason, name="FlagReason")


@strawberry.type
class FeatureFlag:
    key: str
    enabled: bool
    reason: FlagReason
    description: str

    @classmethod
    def from_domain(cls, found: FlagValue) -> "FeatureFlag":
        return cls(
            key=found.key,
            enabled=found.enabled,
            reason=found.reason,
            description=found.description,
        )

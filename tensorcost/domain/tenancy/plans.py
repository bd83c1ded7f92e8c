"""What a plan allows."""

from typing import Final

from tensorcost.domain.identity.principal import Plan

REQUESTS_PER_MINUTE: Final[dict[Plan, int]] = {
    Plan.STARTER: 1_000,
    Plan.GROWTH: 1_000,
    Plan.ENTERPRISE: 10_000,
}

"""Feature flags and plans: every flag there is, and how its value is found (A9).

Order: kill switch, the user's override, the tenant's override, plan, default. Entitlements are
what a plan includes; an override is a rollout and may open a flag before its plan does.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.ids import UserId

_GROWTH: Final = frozenset({Plan.GROWTH, Plan.ENTERPRISE})
_ENTERPRISE: Final = frozenset({Plan.ENTERPRISE})


class FlagReason(StrEnum):
    STATIC = "STATIC"
    """The plan includes it."""
    DEFAULT = "DEFAULT"
    """Nothing said otherwise."""
    TARGETING_MATCH = "TARGETING_MATCH"
    """An override for this tenant or user."""
    DISABLED = "DISABLED"
    """The operator's kill switch."""
    ERROR = "ERROR"
    """The flag is not known; the value is false."""


@dataclass(frozen=True, slots=True)
class Flag:
    key: str
    description: str
    default: bool = False
    plans: frozenset[Plan] = frozenset()
    """Plans that include the flag."""


@dataclass(frozen=True, slots=True)
class FlagValue:
    key: str
    enabled: bool
    reason: FlagReason
    description: str


@dataclass(frozen=True, slots=True)
class FlagOverride:
    """``user_id`` None: for the whole tenant."""

    key: str
    enabled: bool
    user_id: UserId | None = None


FLAGS: Final[Mapping[str, Flag]] = {
    flag.key: flag
    for flag in (
        Flag(
            "ml-enabled", "Machine-learning detectors beside the statistical ones.", plans=_GROWTH
        ),
        Flag("mcp-write-tools-enabled", "Write tools over MCP, where granted."),
        Flag("bedrock-recommenders-enabled", "Recommenders for Amazon Bedrock.", default=True),
        Flag("azure-openai-recommenders-enabled", "Recommenders for Azure OpenAI."),
        Flag("vertex-recommenders-enabled", "Recommenders for Vertex AI."),
        Flag("openai-recommenders-enabled", "Recommenders for the OpenAI API."),
        Flag("anthropic-recommenders-enabled", "Recommenders for the Anthropic API."),
        Flag("enforcement-enabled", "Actions on cloud resources, with approval.", plans=_GROWTH),
        Flag("embed-enabled", "Signed widgets in other applications.", plans=_GROWTH),
        Flag("customer-kms-enabled", "Encryption at rest with an own KMS key.", plans=_ENTERPRISE),
        Flag("custom-domain-enabled", "The console under an own domain.", plans=_ENTERPRISE),
        Flag("request-metadata-capture", "Request metadata of invocation logs.", default=True),
    )
}


def evaluate(
    key: str,
    *,
    plan: Plan,
    user_id: UserId | None,
    overrides: Iterable[FlagOverride],
    killed: frozenset[str],
) -> FlagValue:
    """The flag's value for a user of a tenant on ``plan``. An unknown flag is off, reason ERROR."""
    flag = FLAGS.get(key)
    if flag is None:
        return FlagValue(key, False, FlagReason.ERROR, "not a known flag")
    if key in killed:
        return FlagValue(key, False, FlagReason.DISABLED, flag.description)
    mine = {found.user_id: found.enabled for found in overrides if found.key == key}
    for target in (user_id, None):
        if target in mine:
            return FlagValue(key, mine[target], FlagReason.TARGETING_MATCH, flag.description)
    if plan in flag.plans:
        return FlagValue(key, True, FlagReason.STATIC, flag.description)
    return FlagValue(key, flag.default, FlagReason.DEFAULT, flag.description)


def evaluate_all(
    *,
    plan: Plan,
    user_id: UserId | None,
    overrides: Iterable[FlagOverride],
    killed: frozenset[str],
) -> list[FlagValue]:
    """Every known flag, in the order of the table."""
    known = list(overrides)
    return [
        evaluate(key, plan=plan, user_id=user_id, overrides=known, killed=killed) for key in FLAGS
    ]

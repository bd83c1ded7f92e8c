"""What one round of probing found out: plain facts, judged by ``diagnosis``.

A provider's adapter fills these; nothing here knows how the calls were made.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Self

from tensorcost.domain.integration.states import ConnectionMode

UNSET_BACKEND: Final = "000000000000"
"""The template's default of TensorCostBackendAccountId: nobody."""


class ErrorKind(StrEnum):
    """What a failed call means, whatever its service calls it."""

    NETWORK = "network"
    BACKEND_CREDENTIALS = "backend_credentials"
    THROTTLED = "throttled"
    SERVER = "server"
    REGION_DISABLED = "region_disabled"
    EXPLICIT_DENY = "explicit_deny"
    KMS_DENIED = "kms_denied"
    DENIED = "denied"
    NOT_IN_ORGANIZATION = "not_in_organization"
    NOT_FOUND = "not_found"
    WRONG_REGION = "wrong_region"
    INVALID = "invalid"
    CHANGED = "changed"
    """What was being read was replaced meanwhile: begin again."""
    NOT_ALLOWED = "not_allowed"
    """Refused by ourselves: the account is not on the connection's list."""
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class CallFailure:
    """A call that failed. ``message`` is at most 1 kB, foreign account ids masked."""

    kind: ErrorKind
    service: str
    operation: str
    code: str
    account: str
    region: str
    message: str
    status: int = 0


class Probe(StrEnum):
    """The calls of a round, in the order in which they are made."""

    BACKEND_IDENTITY = "backend_identity"
    ASSUME_ROLE = "assume_role"
    EXTERNAL_ID_REQUIRED = "external_id_required"
    CLOUDWATCH = "cloudwatch_sample"
    LOGGING_CONFIGURATION = "logging_configuration"
    LOG_GROUP = "log_group"
    LOG_BUCKET = "log_bucket"
    OTHER_REGIONS = "other_regions"
    ORGANIZATION = "organization_accounts"
    MEMBER_ROLE = "member_role"
    CUR_BUCKET = "cur_bucket"


class Fact(StrEnum):
    """Keys of ``ProbeResult.facts``. Values are text; numbers are written in decimal."""

    ACCOUNT = "account"
    INVOCATIONS = "invocations"
    """Sum of the Invocations metric over the looked-at window."""
    LOGGED = "logged"
    """Log events or objects seen in the same window; capped, so at least this many."""
    LOGGING = "logging"
    """``on`` or ``off``, by the logging configuration of the region."""
    LOG_GROUP = "log_group"
    BUCKET = "bucket"
    FOUND_IN = "found_in"
    """Regions, joined by commas, where the log group or a logging configuration was found."""
    MANAGEMENT = "management_account"
    MEMBERS = "members"
    ROLE = "role"
    WITHOUT_EXTERNAL_ID = "assumed_without_external_id"
    WINDOW = "window"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """One call of the round and how it went. A skipped one was not made."""

    probe: Probe
    ok: bool
    account: str = ""
    region: str = ""
    failure: CallFailure | None = None
    facts: Mapping[Fact, str] = field(default_factory=dict)
    skipped: str = ""
    """Why it was not made; empty when it was."""

    @classmethod
    def not_made(cls, probe: Probe, why: str) -> Self:
        return cls(probe, True, skipped=why)

    def fact(self, key: Fact) -> str:
        return self.facts.get(key, "")

    def number(self, key: Fact) -> int | None:
        """A numeric fact, None where it was not found out."""
        text = self.facts.get(key, "")
        return int(text) if text.isdigit() else None


@dataclass(frozen=True, slots=True)
class ProbedConnection:
    """What the diagnosis must know of the connection beside the facts."""

    mode: ConnectionMode
    role_arn: str
    account_id: str
    home_region: str
    backend_account_id: str
    organization_role_name: str = "OrganizationAccountAccessRole"
    cur_bucket: str = ""
    log_group_arn: str = ""
    log_bucket: str = ""
    external_id: str = ""
    role_path_prefix: str = ""

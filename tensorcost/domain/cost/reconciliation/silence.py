"""Why a place says nothing: the probable cause of billed or counted calls without logs (N15)."""

from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from tensorcost.domain.integration import log_remedies


class Logging(StrEnum):
    """Model invocation logging of one account and region, as Bedrock's settings show it."""

    ON = "on"
    OFF = "off"
    UNKNOWN = "unknown"


class SilenceCause(StrEnum):
    ROLE_MISSING = "member_role_missing"
    ACCOUNT_NOT_READ = "account_not_read"
    EXPORT_MISSING = "export_not_delivered"
    BATCH_ONLY = "batch_only"
    LOGS_ELSEWHERE = "logs_in_another_region"
    LOGGING_OFF = "logging_off"
    LOGS_EXPIRED = "logs_expired"
    LOGS_LOST = "logs_not_arriving"
    UNKNOWN = "unknown"


REMEDIES: Final[dict[SilenceCause, str]] = {
    SilenceCause.ROLE_MISSING: "Deploy the member role in this account: without it only the "
    "payer's bill is known.",
    SilenceCause.ACCOUNT_NOT_READ: "The account is suspended, has left the organisation, or is "
    "not on the connection's list: only the payer's bill is known of it.",
    SilenceCause.EXPORT_MISSING: "Calls are counted, but no bill names them yet: compare the "
    "export's bucket and prefix with the connection's settings.",
    SilenceCause.BATCH_ONLY: log_remedies.BATCH_JOBS,
    SilenceCause.LOGS_ELSEWHERE: log_remedies.switch_on_in(),
    SilenceCause.LOGGING_OFF: log_remedies.SWITCH_ON,
    SilenceCause.LOGS_EXPIRED: log_remedies.LOGS_DELETED,
    SilenceCause.LOGS_LOST: "Logging is on, but nothing arrives: compare its destination with "
    "the connection's, and look at Bedrock's delivery failure metrics.",
    SilenceCause.UNKNOWN: "Grant bedrock:GetModelInvocationLoggingConfiguration: without it "
    "nobody can say whether these calls are logged.",
}


@dataclass(frozen=True, slots=True)
class KeptLogs:
    """How far back a place's logs went when they were first read."""

    retention_days: int
    connected_on: date
    since: date
    """Events of days before this one had been deleted by then."""

    @property
    def seen(self) -> str:
        return (
            f"the log group keeps {self.retention_days} days and was connected on "
            f"{self.connected_on}: events before {self.since} had been deleted by then"
        )


@dataclass(frozen=True, slots=True)
class PlaceFacts:
    """What is known of one account and region over a window."""

    billed_nano: int
    """Billed usage, nano-USD."""
    batch_nano: int
    """Part of it that batch jobs cost."""
    logged_requests: int
    metered_requests: int
    """Calls that CloudWatch counted."""
    logging: Logging
    log_regions: frozenset[str]
    """Other regions of the account from which logs arrive."""
    is_role_missing: bool
    is_bill_delivered: bool
    """A bill covers the window."""
    is_not_read: bool = False
    """The account is left out: suspended, gone, or not on the connection's list."""
    are_logs_gone: bool = False
    """All days of the window lie before what the place's logs still held when first read."""


def silence_cause(facts: PlaceFacts) -> SilenceCause | None:
    """The most probable cause, or None for a place that is not silent.

    A missing role hides everything else, so that its zero is never the truth. Otherwise a
    place is silent where calls are known that no bill covers, or that no log names.
    """
    if facts.is_role_missing and not facts.logged_requests:
        return SilenceCause.ROLE_MISSING
    if max(facts.billed_nano, facts.metered_requests, facts.logged_requests) <= 0:
        return None
    if not facts.is_bill_delivered:
        return SilenceCause.EXPORT_MISSING
    if facts.logged_requests:
        return None
    return _unlogged_cause(facts)


def _unlogged_cause(facts: PlaceFacts) -> SilenceCause:
    if facts.is_not_read:
        return SilenceCause.ACCOUNT_NOT_READ
    if 0 < facts.billed_nano <= facts.batch_nano:
        return SilenceCause.BATCH_ONLY
    if facts.logging is Logging.ON and facts.are_logs_gone:
        return SilenceCause.LOGS_EXPIRED
    if facts.logging is Logging.ON:
        return SilenceCause.LOGS_LOST
    if facts.log_regions:
        return SilenceCause.LOGS_ELSEWHERE
    return SilenceCause.LOGGING_OFF if facts.logging is Logging.OFF else SilenceCause.UNKNOWN

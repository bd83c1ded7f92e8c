"""The closed sets of the integration context, spelled as they stand in the database."""

from enum import StrEnum
from typing import Final


class ConnectionMode(StrEnum):
    SINGLE_ACCOUNT = "SingleAccount"
    ORGANIZATION = "Organization"


class ConnectionState(StrEnum):
    PENDING = "pending"
    VALIDATING = "validating"
    CONNECTED = "connected"
    FAILED = "failed"
    CANCELLED = "cancelled"
    REMOVED = "removed"


class RunKind(StrEnum):
    VALIDATE = "validate"
    BACKFILL = "backfill"
    SYNC = "sync"


class RunState(StrEnum):
    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"


class StepState(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    RETRYING = "retrying"
    """The last attempt failed and another one follows."""
    COMPLETED = "completed"
    FAILED = "failed"
    SKIPPED = "skipped"


OPEN_STEPS: Final = (StepState.PENDING, StepState.RUNNING, StepState.RETRYING)


class Coverage(StrEnum):
    """What became of one account: never silence (B7)."""

    UNKNOWN = "unknown"
    COVERED = "covered"
    ROLE_MISSING = "role_missing"
    DENIED = "denied"
    SKIPPED = "skipped"
    ERROR = "error"


class SourceKind(StrEnum):
    """The ways in which one connection is read, each of which may be missing (B6)."""

    PROFILES = "inference_profiles"
    METRICS = "cloudwatch_metrics"
    LOGS_S3 = "invocation_logs_s3"
    LOGS_CLOUDWATCH = "invocation_logs_cloudwatch"
    BILL = "cost_and_usage_report"


LOG_SOURCES: Final = (SourceKind.LOGS_S3, SourceKind.LOGS_CLOUDWATCH)


class FindingState(StrEnum):
    OPEN = "open"
    RESOLVED = "resolved"


class OnboardingPhase(StrEnum):
    """The ``State`` search attribute of a ConnectionOnboarding run."""

    VALIDATING = "validating"
    DISCOVERING = "discovering"
    WAITING_FOR_RETRY = "waiting_for_retry"
    CONNECTED = "connected"
    FAILED = "failed"
    CANCELLED = "cancelled"

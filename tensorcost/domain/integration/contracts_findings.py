"""Findings: what is wrong or missing on a connection, why, and what to do about it."""

from datetime import datetime
from enum import StrEnum
from uuid import UUID

from pydantic import BaseModel, ConfigDict

from tensorcost.domain.ids import ConnectionId
from tensorcost.domain.integration.states import FindingState


class Severity(StrEnum):
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class RankedCause(BaseModel):
    """One possible cause with its own remedy; ``likelihood`` is 0 to 1, for ordering only."""

    model_config = ConfigDict(frozen=True)

    code: str
    title: str
    remedy: str
    likelihood: float = 0.0


class NewFinding(BaseModel):
    """A finding as judged now. ``subject`` tells two of the same code apart (account, region)."""

    model_config = ConfigDict(frozen=True)

    code: str
    severity: Severity
    title: str
    remedy: str
    subject: str = ""
    causes: tuple[RankedCause, ...] = ()
    evidence: dict[str, str] = {}


class Finding(BaseModel):
    """A finding as stored, with the time it was first and last seen."""

    model_config = ConfigDict(frozen=True)

    finding_id: UUID
    connection_id: ConnectionId
    code: str
    severity: Severity
    subject: str
    title: str
    remedy: str
    causes: tuple[RankedCause, ...]
    evidence: dict[str, str]
    state: FindingState
    first_seen_at: datetime
    last_seen_at: datetime

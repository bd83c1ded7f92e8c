"""What is wrong or missing on a connection, why, and what to do about it."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from tensorcost.domain.integration import contracts_findings as domain
from tensorcost.domain.integration.contracts_findings import Severity
from tensorcost.domain.integration.states import FindingState
from tensorcost.graphql.ids import Node, global_id
from tensorcost.graphql.integration.runs import CONNECTION

FINDING = "Finding"


@strawberry.type(description="One possible cause with its own remedy, the likeliest first.")
class RankedCause:
    code: str
    title: str
    remedy: str
    likelihood: float


@strawberry.type
class Finding(Node):
    connection_id: strawberry.ID
    code: str
    severity: Severity
    subject: str
    title: str
    remedy: str
    causes: list[RankedCause]
    evidence: JSON
    state: FindingState
    first_seen_at: datetime
    last_seen_at: datetime

    @classmethod
    def from_domain(cls, found: domain.Finding) -> "Finding":
        return cls(
            id=global_id(FINDING, found.finding_id),
            connection_id=global_id(CONNECTION, found.connection_id),
            code=found.code,
            severity=found.severity,
            subject=found.subject,
            title=found.title,
            remedy=found.remedy,
            causes=[RankedCause(**cause.model_dump()) for cause in found.causes],
            evidence=JSON(found.evidence),
            state=found.state,
            first_seen_at=found.first_seen_at,
            last_seen_at=found.last_seen_at,
        )

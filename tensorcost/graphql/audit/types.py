"""Entries of the audit trail, and the proof that nobody touched them."""

from datetime import datetime

import strawberry
from strawberry.scalars import JSON

from tensorcost.domain.audit.chain import Entry, Tampering
from tensorcost.graphql.ids import Node, global_id
from tensorcost.graphql.scalars import Count
from tensorcost.services.audit import ChainReport

strawberry.enum(Tampering, name="Tampering")

AUDIT_ENTRY = "AuditEntry"


@strawberry.type
class AuditEntry(Node):
    at: datetime
    actor: str
    action: str
    resource_type: str
    resource_id: str
    detail: JSON
    trace_id: str | None

    @classmethod
    def from_domain(cls, found: Entry) -> "AuditEntry":
        return cls(
            id=global_id(AUDIT_ENTRY, found.entry_id),
            at=found.at,
            actor=found.actor,
            action=found.action,
            resource_type=found.resource_type,
            resource_id=found.resource_id,
            detail=JSON(found.detail),
            trace_id=found.trace_id,
        )


@strawberry.type(description="Where the chain of hashes does not hold.")
class AuditChainFinding:
    chain_no: Count
    entry_id: str | None
    kind: Tampering


@strawberry.type(description="Keep chainNo and hash elsewhere: with them a cut shows too.")
class AuditChainReport:
    intact: bool
    sealed: Count
    unsealed: Count
    chain_no: Count
    hash: str
    findings: list[AuditChainFinding]

    @classmethod
    def from_domain(cls, found: ChainReport) -> "AuditChainReport":
        return cls(
            intact=found.intact,
            sealed=Count(found.sealed),
            unsealed=Count(found.unsealed),
            chain_no=Count(found.head.chain_no),
            hash=found.head.hash.hex(),
            findings=[
                AuditChainFinding(
                    chain_no=Count(one.chain_no),
                    entry_id=None if one.entry_id is None else str(one.entry_id),
                    kind=one.kind,
                )
                for one in found.findings
            ],
        )

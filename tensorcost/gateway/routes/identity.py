"""The audit trail and its verification (A11)."""

from datetime import datetime
from typing import Annotated, Any, Final
from uuid import UUID

from fastapi import APIRouter, Query
from pydantic import AwareDatetime, BaseModel, Field

from tensorcost.domain.audit.chain import ChainHead, Entry
from tensorcost.domain.errors import ValidationFailed
from tensorcost.gateway.envelope import Bytes, Envelope, listed, ok, row_of
from tensorcost.gateway.paging import Paging, next_cursor, time_and_id
from tensorcost.gateway.scoped import Caller, api
from tensorcost.services.audit import AuditService
from tensorcost.services.authorise import serves
from tensorcost.storage.audit import AuditFilter


class AuditEntryOut(BaseModel):
    id: UUID
    at: datetime
    actor: str = Field(examples=["user:0190c5a2-7a60-7c1e-9d53-3c8f2b1f0a11"])
    action: str = Field(examples=["member.role_changed"])
    resource_type: str
    resource_id: str
    detail: dict[str, Any]
    trace_id: str | None


_AuditEntryRow: Final = row_of(AuditEntryOut)


class ChainFindingOut(BaseModel):
    chain_no: int
    entry_id: UUID | None
    kind: str


class ChainOut(BaseModel):
    intact: bool
    sealed: int = Field(description="Entries in the chain.")
    unsealed: int = Field(description="Entries older than five minutes outside of it.")
    head_no: int
    head_hash: str = Field(description="Keep it: a later check against it shows a cut-off chain.")
    findings: list[ChainFindingOut]


def router(audit: AuditService) -> APIRouter:
    """``/v1/identity``."""
    routes = api("/v1/identity", "identity")

    @routes.get("/audit", response_model=Envelope[list[AuditEntryOut]])
    @serves(AuditService.list)
    async def list_audit_entries(
        caller: Caller,
        page: Paging,
        action: Annotated[str | None, Query(max_length=100, description="A prefix.")] = None,
        actor: Annotated[str | None, Query(max_length=200)] = None,
        since: AwareDatetime | None = None,
        until: AwareDatetime | None = None,
    ) -> Bytes:
        """The audit trail, newest first."""
        wanted = AuditFilter(action=action, actor=actor, since=since, until=until)
        rows = await audit.list(caller, wanted, limit=page.limit, after=time_and_id(page))
        return listed(
            [_entry_row(row) for row in rows],
            next_cursor=next_cursor(
                rows, page, lambda row: (row.at.isoformat(), str(row.entry_id))
            ),
        )

    @routes.get("/audit/verification", response_model=Envelope[ChainOut])
    @serves(AuditService.verify)
    async def verify_audit_chain(
        caller: Caller,
        head_no: Annotated[int | None, Query(ge=1)] = None,
        head_hash: Annotated[str | None, Query(pattern="^[0-9a-f]{64}$")] = None,
    ) -> Bytes:
        """Recompute the trail's chain of hashes; with an earlier head, prove nothing was cut."""
        if (head_no is None) != (head_hash is None):
            raise ValidationFailed("give head_no and head_hash together", field="head_no")
        remembered = None
        if head_no is not None and head_hash is not None:
            remembered = ChainHead(head_no, bytes.fromhex(head_hash))
        report = await audit.verify(caller, remembered)
        return ok(
            {
                "intact": report.intact,
                "sealed": report.sealed,
                "unsealed": report.unsealed,
                "head_no": report.head.chain_no,
                "head_hash": report.head.hash.hex(),
                "findings": list(report.findings),
            }
        )

    return routes


def _entry_row(entry: Entry) -> object:
    return _AuditEntryRow(
        str(entry.entry_id),  # of the driver's type: a third of what encoding it takes
        entry.at,
        entry.actor,
        entry.action,
        entry.resource_type,
        entry.resource_id,
        entry.detail,
        entry.trace_id,
    )

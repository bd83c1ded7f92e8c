"""The append-only audit ledger: entries now, their chain of hashes a second later (A11)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from opentelemetry import trace

from tensorcost.domain.audit.chain import Entry, Seal
from tensorcost.domain.audit.trace import current_trace
from tensorcost.domain.ids import TenantId
from tensorcost.storage.session import Database, TenantTx, Tx

_RECORD = """
    INSERT INTO app.audit_entry
        (tenant_id, actor, action, resource_type, resource_id, detail, trace_id)
    SELECT :tenant, :actor, :action, :type, :id, d.detail::jsonb, :trace
    FROM unnest(CAST(:details AS text[])) WITH ORDINALITY AS d (detail, n) ORDER BY d.n
"""
_ENTRY = """
    e.entry_id, e.at, e.actor, e.action, e.resource_type, e.resource_id, e.detail, e.trace_id
"""


async def record(
    tx: TenantTx,
    *,
    actor: str,
    action: str,
    resource_type: str,
    resource_id: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """Append one entry in the caller's transaction.

    ``actor`` is ``user:<id>``, ``service:<name>`` or ``system:<part>`` (see ``actor_of``);
    ``action`` is a dotted verb such as ``member.invited``. ``detail`` is JSON-ready and holds
    no secret and no prompt text.
    """
    await record_for(
        tx,
        tx.tenant_id,
        actor=actor,
        action=action,
        resource_type=resource_type,
        resource_id=resource_id,
        detail=detail,
    )


async def was_recorded(tx: TenantTx, action: str, resource_id: str, since: datetime) -> bool:
    """Whether an entry of this action and resource was appended at ``since`` or later."""
    return bool(
        await tx.scalar(
            "SELECT EXISTS (SELECT FROM app.audit_entry WHERE tenant_id = :tenant "
            "AND at >= :since AND action = :action AND resource_id = :id)",
            tenant=tx.tenant_id,
            since=since,
            action=action,
            id=resource_id,
        )
    )


async def record_for(
    tx: Tx,
    tenant_id: TenantId,
    *,
    actor: str,
    action: str,
    resource_type: str,
    resource_id: str = "",
    detail: Mapping[str, Any] | None = None,
) -> None:
    """``record`` for a platform transaction, which is bound to no tenant."""
    await tx.run(
        _RECORD,
        tenant=tenant_id,
        actor=actor,
        action=action,
        type=resource_type,
        id=resource_id,
        details=[_json(detail or {})],
        trace=trace_id_now(),
    )


async def record_each(
    tx: TenantTx,
    *,
    actor: str,
    action: str,
    resource_type: str,
    resource_id: str,
    details: Sequence[Mapping[str, Any]],
) -> None:
    """``record`` for several entries that differ in their details alone, in their order."""
    await tx.run(
        _RECORD,
        tenant=tx.tenant_id,
        actor=actor,
        action=action,
        type=resource_type,
        id=resource_id,
        details=[_json(detail) for detail in details],
        trace=trace_id_now(),
    )


def trace_id_now() -> str | None:
    """The trace id of the current span, else the one that a face set, else None."""
    context = trace.get_current_span().get_span_context()
    return f"{context.trace_id:032x}" if context.is_valid else current_trace.get()


@dataclass(frozen=True, slots=True)
class AuditFilter:
    """What to list: entries of an action prefix, an actor, a time range (half-open)."""

    action: str | None = None
    actor: str | None = None
    since: datetime | None = None
    until: datetime | None = None


async def list_entries(
    tx: TenantTx, wanted: AuditFilter, *, limit: int, after: tuple[datetime, UUID] | None
) -> Sequence[Entry]:
    """Newest first; ``after`` is the (at, entry_id) of the last entry of the page before."""
    clauses, params = ["true"], dict[str, Any](limit=limit)
    for name, clause, value in (
        ("action", "starts_with(e.action, :action)", wanted.action),
        ("actor", "e.actor = :actor", wanted.actor),
        ("since", "e.at >= :since", wanted.since),
        ("until", "e.at < :until", wanted.until),
    ):
        if value is not None:
            clauses.append(clause)
            params[name] = value
    if after is not None:
        clauses.append("(e.at, e.entry_id) < (:after_at, :after_id)")
        params["after_at"], params["after_id"] = after
    rows = await tx.all(
        f"SELECT {_ENTRY} FROM app.audit_entry e WHERE {' AND '.join(clauses)}"
        " ORDER BY e.at DESC, e.entry_id DESC LIMIT :limit",
        **params,
    )
    return [_entry(tx.tenant_id, row) for row in rows]


async def find_entry(tx: TenantTx, entry_id: UUID) -> Entry | None:
    row = await tx.first(
        f"SELECT {_ENTRY} FROM app.audit_entry e WHERE e.entry_id = :id", id=entry_id
    )
    return None if row is None else _entry(tx.tenant_id, row)


async def tenants_to_seal(database: Database, lookback: timedelta | None) -> Sequence[TenantId]:
    """Tenants with entries of the last ``lookback`` (None: of all time) outside of the chain."""
    async with database.untenanted() as tx:
        rows = await tx.all(
            "SELECT t AS tenant_id FROM app.tenants_to_seal(CAST(:lookback AS interval)) t",
            lookback=lookback,
        )
    return [TenantId(row.tenant_id) for row in rows]


async def lock_chain(tx: TenantTx) -> Seal | None:
    """Make this transaction the only sealer of the tenant; the chain's last seal."""
    await tx.run(
        "SELECT pg_advisory_xact_lock(hashtextextended('audit-seal:' || :tenant, 0))",
        tenant=str(tx.tenant_id),
    )
    row = await tx.first(
        "SELECT chain_no, entry_id, previous_hash, hash FROM app.audit_seal"
        " ORDER BY chain_no DESC LIMIT 1"
    )
    return None if row is None else _seal(row)


async def unsealed(tx: TenantTx, *, lookback: timedelta | None, limit: int) -> Sequence[Entry]:
    """Entries outside of the chain, oldest first."""
    rows = await tx.all(
        f"SELECT {_ENTRY} FROM app.audit_entry e"
        " WHERE (CAST(:lookback AS interval) IS NULL"
        "        OR e.at > clock_timestamp() - CAST(:lookback AS interval))"
        " AND NOT EXISTS (SELECT FROM app.audit_seal s"
        "   WHERE s.tenant_id = e.tenant_id AND s.entry_id = e.entry_id)"
        " ORDER BY e.at, e.entry_id LIMIT :limit",
        lookback=lookback,
        limit=limit,
    )
    return [_entry(tx.tenant_id, row) for row in rows]


async def append_seals(tx: TenantTx, seals: Sequence[Seal]) -> None:
    await tx.run_many(
        "INSERT INTO app.audit_seal (tenant_id, chain_no, entry_id, previous_hash, hash)"
        " VALUES (:tenant, :chain_no, :entry_id, :previous_hash, :hash)",
        [
            {
                "tenant": tx.tenant_id,
                "chain_no": seal.chain_no,
                "entry_id": seal.entry_id,
                "previous_hash": seal.previous_hash,
                "hash": seal.hash,
            }
            for seal in seals
        ],
    )


async def sealed_page(
    tx: TenantTx, *, after: int, limit: int
) -> Sequence[tuple[Seal, Entry | None]]:
    """Seals after ``chain_no`` with their entries; None where the entry is gone."""
    rows = await tx.all(
        f"SELECT s.chain_no, s.entry_id AS sealed_id, s.previous_hash, s.hash, {_ENTRY}"
        " FROM app.audit_seal s LEFT JOIN app.audit_entry e"
        "   ON e.tenant_id = s.tenant_id AND e.entry_id = s.entry_id"
        " WHERE s.chain_no > :after ORDER BY s.chain_no LIMIT :limit",
        after=after,
        limit=limit,
    )
    return [
        (
            Seal(row.chain_no, row.sealed_id, bytes(row.previous_hash), bytes(row.hash)),
            None if row.entry_id is None else _entry(tx.tenant_id, row),
        )
        for row in rows
    ]


async def count_unsealed_before(tx: TenantTx, moment: datetime) -> int:
    """Entries older than ``moment`` that no seal covers."""
    found = await tx.scalar(
        "SELECT count(*) FROM app.audit_entry e WHERE e.at < :moment"
        " AND NOT EXISTS (SELECT FROM app.audit_seal s"
        "   WHERE s.tenant_id = e.tenant_id AND s.entry_id = e.entry_id)",
        moment=moment,
    )
    return int(found)


def _json(detail: Mapping[str, Any]) -> str:
    return orjson.dumps(dict(detail), default=str).decode()


def _entry(tenant_id: TenantId, row: Any) -> Entry:
    return Entry(
        tenant_id=tenant_id,
        entry_id=row.entry_id,
        at=row.at,
        actor=row.actor,
        action=row.action,
        resource_type=row.resource_type,
        resource_id=row.resource_id,
        detail=row.detail,
        trace_id=row.trace_id,
    )


def _seal(row: Any) -> Seal:
    return Seal(row.chain_no, row.entry_id, bytes(row.previous_hash), bytes(row.hash))

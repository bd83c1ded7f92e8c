"""Ids of pushed events, kept 35 days: a repeat is found even under another timestamp."""

from dataclasses import dataclass
from hashlib import blake2b

import pyarrow as pa

from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.events import CONTENT

KEEP_DAYS = 35


@dataclass(frozen=True, slots=True)
class Verdict:
    fresh: list[bool]
    """One value a row: True where the id was not seen before."""
    conflicts: frozenset[bytes]
    """Ids seen before with other content."""


async def first_seen(tx: TenantTx, events: pa.RecordBatch) -> Verdict:
    """Record the ids of ``events`` (unique in the batch) and tell which are new."""
    ids: list[bytes] = events.column("event_id").to_pylist()
    hashes = _content_hashes(events)
    driver = await tx.driver()
    rows = await driver.fetch(
        "INSERT INTO ai.event_seen (event_id, content_hash) "
        "SELECT encode(v.id, 'hex')::uuid, v.hash FROM unnest($1::bytea[], $2::bytea[]) "
        "AS v (id, hash) ORDER BY v.id ON CONFLICT DO NOTHING RETURNING event_id",
        ids,
        hashes,
    )
    new = {row[0].bytes for row in rows}
    if len(new) == len(ids):
        return Verdict([True] * len(ids), frozenset())
    stored = await driver.fetch(
        "SELECT event_id, content_hash FROM ai.event_seen WHERE tenant_id = $1 AND event_id = "
        "ANY(SELECT encode(v, 'hex')::uuid FROM unnest($2::bytea[]) v)",
        tx.tenant_id,
        [event_id for event_id in ids if event_id not in new],
    )
    known = {row[0].bytes: row[1] for row in stored}
    conflicts = frozenset(
        event_id
        for event_id, digest in zip(ids, hashes, strict=True)
        if event_id not in new and known[event_id] != digest
    )
    return Verdict([event_id in new for event_id in ids], conflicts)


async def forget_old(tx: TenantTx) -> int:
    """Drop ids older than ``KEEP_DAYS``; how many went."""
    return await tx.run(
        "DELETE FROM ai.event_seen WHERE tenant_id = :tenant "
        f"AND seen_at < clock_timestamp() - interval '{KEEP_DAYS} days'",
        tenant=tx.tenant_id,
    )


def _content_hashes(events: pa.RecordBatch) -> list[bytes]:
    columns = [events.column(name).to_pylist() for name in CONTENT]
    return [
        blake2b(repr(row).encode(), digest_size=8).digest() for row in zip(*columns, strict=True)
    ]

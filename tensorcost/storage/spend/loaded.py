"""What given objects and deliveries brought, for the summary of an import."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Row

from tensorcost.storage.cost_queries.members import billed_model
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import ObjectRef, Origin

_SUMS: Final = """
    sum(r.requests)::bigint AS requests, sum(r.input_tokens)::bigint AS input_tokens,
    sum(r.cached_tokens)::bigint AS cached_tokens,
    sum(r.cache_write_5m_tokens)::bigint AS cache_write_5m_tokens,
    sum(r.cache_write_1h_tokens)::bigint AS cache_write_1h_tokens,
    sum(r.output_tokens)::bigint AS output_tokens, sum(r.cost_nano)::bigint AS cost_nano,
    sum(r.unpriced_requests)::bigint AS unpriced_requests,
    sum(r.unpriced_tokens)::bigint AS unpriced_tokens
"""
_BATCHES: Final = """
    SELECT DISTINCT o.batch_id FROM ai.ingest_object o
    JOIN unnest(CAST(:keys AS text[]), CAST(:etags AS text[])) AS w (key, etag)
        ON w.key = o.object_key AND w.etag = o.etag
    WHERE o.tenant_id = :tenant AND o.origin = :origin
"""


async def spend_of_objects(
    tx: TenantTx, origin: Origin, refs: Sequence[ObjectRef], *, by: str
) -> Sequence[Row[Any]]:
    """Sums of the objects' rows by ``model`` or by ``day``; first column is the key."""
    key = {"model": "d.model_id", "day": "r.day::text"}[by]
    return await tx.all(
        f"SELECT {key} AS key, {_SUMS} FROM ai.spend_delta r "
        "JOIN ai.dimension d ON d.tenant_id = r.tenant_id AND d.dim_id = r.dim_id "
        f"WHERE r.tenant_id = :tenant AND r.batch_id IN ({_BATCHES}) GROUP BY 1 ORDER BY 1",
        tenant=tx.tenant_id,
        origin=origin.name,
        keys=[ref.key for ref in refs],
        etags=[ref.etag for ref in refs],
    )


async def bill_of_deliveries(
    tx: TenantTx, origin: Origin, exports: Sequence[tuple[str, str]], *, by: str
) -> Sequence[Row[Any]]:
    """Billed amounts of the deliveries by ``model`` or ``day``, currency and scope."""
    key = {"model": billed_model("b"), "day": "b.day::text"}[by]
    return await tx.all(
        f"SELECT {key} AS key, b.currency, b.in_scope, sum(b.lines)::bigint AS lines, "
        "sum(b.unblended_nano)::bigint AS unblended_nano "
        "FROM ai.bill_daily b "
        "JOIN ai.bill_delivery v ON v.tenant_id = b.tenant_id AND v.delivery_id = b.delivery_id "
        "JOIN ai.dimension d ON d.tenant_id = b.tenant_id AND d.dim_id = b.dim_id "
        "JOIN unnest(CAST(:names AS text[]), CAST(:etags AS text[])) AS w (name, etag) "
        "ON w.name = v.export_name AND w.etag = v.manifest_etag "
        "WHERE b.tenant_id = :tenant AND v.origin = :origin GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
        tenant=tx.tenant_id,
        origin=origin.name,
        names=[name for name, _ in exports],
        etags=[etag for _, etag in exports],
    )

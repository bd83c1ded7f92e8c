"""The price catalogue at rest: immutable versions, a tenant's overrides beside them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from tensorcost.domain.cost.price import Price, PriceKey, price_kind
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.storage.session import TenantTx, Tx

PRICE_COLUMNS: Final = (
    "version_id, provider, model_id, region, routing_scope, service_tier, modality, "
    "context_bucket, unit_kind, usd_per_million, valid_from, valid_to, source"
)
_ARRAYS: Final = (
    "unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], "
    "$8::text[], $9::numeric[], $10::timestamptz[], $11::timestamptz[], $12::text[])"
)


@dataclass(frozen=True, slots=True)
class PriceRecord:
    """What an import is recorded as; the same content and date again is the same version."""

    source: str
    content_hash: bytes
    effective_from: datetime
    imported_by: str = ""
    """As the audit trail names them."""


async def price_state(tx: TenantTx) -> tuple[int, int]:
    """Newest (list version, override version): equal pairs mean an equal book."""
    row = await tx.first(
        "SELECT (SELECT coalesce(max(version_id), 0) FROM ai.price_version) AS listed, "
        "(SELECT coalesce(max(version_id), 0) FROM ai.price_override_version "
        "WHERE tenant_id = :tenant) AS own",
        tenant=tx.tenant_id,
    )
    assert row is not None
    return int(row.listed), int(row.own)


async def read_prices(tx: TenantTx) -> tuple[list[Price], list[Price]]:
    """The global list and the tenant's overrides."""
    listed = await tx.all(f"SELECT {PRICE_COLUMNS} FROM ai.price")
    own = await tx.all(
        f"SELECT {PRICE_COLUMNS} FROM ai.price_override WHERE tenant_id = :tenant",
        tenant=tx.tenant_id,
    )
    return [price_of_row(row) for row in listed], [price_of_row(row) for row in own]


async def begin_list_version(tx: Tx, imported: PriceRecord) -> tuple[int, bool]:
    """(version, is new) of an import into the global list; needs the platform role."""
    return await _begin(tx, "ai.price_version", "", {}, imported)


async def begin_override_version(tx: TenantTx, imported: PriceRecord) -> tuple[int, bool]:
    """(version, is new) of an import into the tenant's overrides."""
    return await _begin(
        tx, "ai.price_override_version", "tenant_id, ", {"tenant": tx.tenant_id}, imported
    )


async def add_list_prices(tx: Tx, prices: Sequence[Price]) -> None:
    """Append prices of one new version to the global list."""
    driver = await tx.driver()
    await driver.execute(
        f"INSERT INTO ai.price ({PRICE_COLUMNS}) SELECT $13::int, * FROM {_ARRAYS}",
        *_arrays(prices),
        prices[0].version,
    )


async def add_override_prices(tx: TenantTx, prices: Sequence[Price]) -> None:
    """Append prices of one new version to the tenant's overrides."""
    driver = await tx.driver()
    await driver.execute(
        f"INSERT INTO ai.price_override (tenant_id, {PRICE_COLUMNS}) "
        f"SELECT $14::uuid, $13::int, * FROM {_ARRAYS}",
        *_arrays(prices),
        prices[0].version,
        tx.tenant_id,
    )


async def _begin(
    tx: Tx, table: str, column: str, scope: dict[str, TenantId], imported: PriceRecord
) -> tuple[int, bool]:
    value = ":tenant, " if scope else ""
    where = "tenant_id = :tenant AND " if scope else ""
    params: dict[str, Any] = {
        **scope,
        "source": imported.source,
        "hash": imported.content_hash,
        "since": imported.effective_from,
        "by": imported.imported_by,
    }
    new = await tx.scalar(
        f"INSERT INTO {table} ({column}source, content_hash, effective_from, imported_by) "
        f"VALUES ({value}:source, :hash, :since, :by) ON CONFLICT DO NOTHING RETURNING version_id",
        **params,
    )
    if new is not None:
        return int(new), True
    known = await tx.scalar(
        f"SELECT version_id FROM {table} WHERE {where}content_hash = :hash "
        "AND effective_from = :since",
        **{name: value for name, value in params.items() if name not in ("source", "by")},
    )
    return int(known), False


def _arrays(prices: Iterable[Price]) -> list[list[Any]]:
    rows = [
        (
            p.key.provider,
            p.key.model_id,
            p.key.region,
            p.key.routing_scope.value,
            p.key.service_tier.value,
            p.key.modality,
            p.key.context_bucket,
            p.key.kind.value,
            p.usd_per_million,
            p.valid_from,
            p.valid_to,
            p.source,
        )
        for p in prices
    ]
    return [list(column) for column in zip(*rows, strict=True)]


def price_of_row(row: Row[Any]) -> Price:
    """A price from a row of ``PRICE_COLUMNS``."""
    return Price(
        key=PriceKey(
            provider=row.provider,
            model_id=row.model_id,
            region=row.region,
            routing_scope=RoutingScope(row.routing_scope),
            service_tier=ServiceTier(row.service_tier),
            modality=row.modality,
            context_bucket=row.context_bucket,
            kind=price_kind(row.unit_kind),
        ),
        usd_per_million=row.usd_per_million,
        valid_from=row.valid_from,
        valid_to=row.valid_to,
        version=row.version_id,
        source=row.source,
    )

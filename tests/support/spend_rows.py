"""Spend rows written as the ingest writes them: events, rollups, deltas, cells and bills."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

from tensorcost.domain.cost.query_window import midnight
from tensorcost.domain.cost.rollup import MEASURE_NAMES, RollupMeasures
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Actor, Dimension, Grain
from tensorcost.storage.session import Database, TenantTx
from tensorcost.storage.spend.dimensions import ensure_actors, ensure_dimensions

NOBODY = Actor()


@dataclass(frozen=True)
class Use:
    """One spend event. ``cost_nano`` None means unpriced."""

    at: datetime
    where: Dimension
    cost_nano: int | None = 1_000_000_000
    who: Actor = NOBODY
    grain: Grain = Grain.REQUEST
    requests: int = 1
    input_tokens: int = 100
    cached_tokens: int = 0
    output_tokens: int = 10
    price_version: int = 1
    event_id: UUID = field(default_factory=uuid4)
    columns: dict[str, Any] = field(default_factory=dict)

    @property
    def tokens(self) -> int:
        return self.input_tokens + self.cached_tokens + self.output_tokens

    def measures(self) -> RollupMeasures:
        unpriced = self.cost_nano is None
        return RollupMeasures(
            requests=self.requests,
            input_tokens=self.input_tokens,
            cached_tokens=self.cached_tokens,
            output_tokens=self.output_tokens,
            cost_nano=self.cost_nano or 0,
            unpriced_requests=self.requests if unpriced else 0,
            unpriced_tokens=self.tokens if unpriced else 0,
        )


@dataclass(frozen=True)
class Billed:
    """The lines of one day, dimension and category of a bill."""

    day: date
    where: Dimension
    unblended_nano: int = 1_000_000_000
    category: str = "Usage"
    in_scope: bool = True
    currency: str = "USD"
    item: str = ""
    """Line item type."""


async def add_uses(
    db: Database, tenant: TenantId, uses: Sequence[Use], known_at: datetime | None = None
) -> int:
    """Load ``uses`` as one batch, known at ``known_at`` (now when None). Returns the batch."""
    async with db.tenant(tenant) as tx:
        for day in sorted({use.at.astimezone(UTC).date() for use in uses}):
            await tx.scalar("SELECT ai.ensure_spend_partition(:day)", day=day)
    async with db.tenant(tenant) as tx:
        await ensure_dimensions(tx, {use.where for use in uses})
        await ensure_actors(tx, {use.who for use in uses})
        batch: int = await tx.scalar(
            "INSERT INTO ai.ingest_batch (tenant_id, origin, known_at) "
            "VALUES (:tenant, 'test', coalesce(:known, clock_timestamp())) RETURNING batch_id",
            tenant=tenant,
            known=known_at,
        )
        for use in uses:
            await _add_event(tx, batch, use)
        await _add_rollups(tx, batch, uses)
    return batch


async def add_bill(
    db: Database,
    tenant: TenantId,
    lines: Sequence[Billed],
    *,
    period: date | None = None,
    export_name: str = "export",
    known_at: datetime | None = None,
) -> UUID:
    """Load a delivery of one month and make it the current one. Returns its id."""
    delivery = uuid4()
    month = (period or lines[0].day).replace(day=1)
    async with db.tenant(tenant) as tx:
        await ensure_dimensions(tx, {line.where for line in lines})
        await tx.run(
            "UPDATE ai.bill_delivery SET state = 'superseded' WHERE tenant_id = :tenant "
            "AND export_name = :name AND period = :period",
            tenant=tenant,
            name=export_name,
            period=month,
        )
        await tx.run(
            "INSERT INTO ai.bill_delivery (tenant_id, delivery_id, origin, export_name, period, "
            "manifest_key, manifest_etag, state, known_at) VALUES (:tenant, :id, 'test', :name, "
            ":period, 'manifest.json', :etag, 'current', coalesce(:known, clock_timestamp()))",
            tenant=tenant,
            id=delivery,
            name=export_name,
            period=month,
            etag=str(delivery),
            known=known_at,
        )
        for line in lines:
            await _add_bill_day(tx, delivery, line)
        await tx.run(
            "INSERT INTO ai.bill_period (tenant_id, origin, export_name, period, "
            "current_delivery_id) VALUES (:tenant, 'test', :name, :period, :id) "
            "ON CONFLICT (tenant_id, origin, export_name, period) "
            "DO UPDATE SET current_delivery_id = excluded.current_delivery_id",
            tenant=tenant,
            name=export_name,
            period=month,
            id=delivery,
        )
    return delivery


async def _add_event(tx: TenantTx, batch: int, use: Use) -> None:
    values: dict[str, Any] = {
        "tenant_id": tx.tenant_id,
        "ts": use.at,
        "event_id": use.event_id,
        "dim_id": use.where.stable_id(),
        "actor_id": use.who.stable_id(),
        "batch_id": batch,
        "grain": int(use.grain),
        "requests": use.requests,
        "input_tokens": use.input_tokens,
        "cached_tokens": use.cached_tokens,
        "output_tokens": use.output_tokens,
        "cost_nano": use.cost_nano,
        "price_version": None if use.cost_nano is None else use.price_version,
        **use.columns,
    }
    names = ", ".join(values)
    marks = ", ".join(f":{name}" for name in values)
    await tx.run(f"INSERT INTO ai.spend_event ({names}) VALUES ({marks})", **values)


async def _add_bill_day(tx: TenantTx, delivery: UUID, line: Billed) -> None:
    await tx.run(
        "INSERT INTO ai.bill_daily (tenant_id, delivery_id, day, dim_id, charge_category, "
        "in_scope, currency, line_item_type, lines, unblended_nano, amortized_nano, net_nano) "
        "VALUES (:tenant, :delivery, :day, :dim, :category, :scope, :currency, :item, 1, :nano, "
        ":nano, :nano)",
        tenant=tx.tenant_id,
        delivery=delivery,
        day=line.day,
        dim=line.where.stable_id(),
        category=line.category,
        scope=line.in_scope,
        currency=line.currency,
        item=line.item,
        nano=line.unblended_nano,
    )


async def _add_rollups(tx: TenantTx, batch: int, uses: Sequence[Use]) -> None:
    hours: dict[tuple[Any, ...], RollupMeasures] = defaultdict(RollupMeasures)
    days: dict[tuple[Any, ...], RollupMeasures] = defaultdict(RollupMeasures)
    cells: set[tuple[date, int, int]] = set()
    for use in uses:
        moment = use.at.astimezone(UTC)
        key = (use.where.stable_id(), use.who.stable_id(), int(use.grain))
        hours[(moment.replace(minute=0, second=0, microsecond=0), *key)] += use.measures()
        days[(moment.date(), *key)] += use.measures()
        cells.add((moment.date(), use.where.cell_id(), int(use.grain)))
    key_names = "dim_id, actor_id, grain"
    await tx.run_many(_upsert("spend_hourly", f"hour, {key_names}"), _rows(tx, "hour", hours))
    await tx.run_many(_upsert("spend_daily", f"day, {key_names}"), _rows(tx, "day", days))
    deltas = [{**row, "batch_id": batch} for row in _rows(tx, "day", days)]
    await tx.run_many(_insert("spend_delta", f"day, {key_names}, batch_id"), deltas)
    await tx.run_many(
        "INSERT INTO ai.spend_cell (tenant_id, day, cell_id, grain) "
        "VALUES (:tenant_id, :day, :cell, :grain) ON CONFLICT DO NOTHING",
        [
            {"tenant_id": tx.tenant_id, "day": day, "cell": cell, "grain": grain}
            for day, cell, grain in sorted(cells)
        ],
    )


def _insert(table: str, key: str) -> str:
    names = f"tenant_id, {key}, {', '.join(MEASURE_NAMES)}"
    marks = ", ".join(f":{name}" for name in names.split(", "))
    return f"INSERT INTO ai.{table} AS r ({names}) VALUES ({marks})"


def _upsert(table: str, key: str) -> str:
    added = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in MEASURE_NAMES)
    return f"{_insert(table, key)} ON CONFLICT (tenant_id, {key}) DO UPDATE SET {added}"


def _rows(
    tx: TenantTx, period: str, sums: dict[tuple[Any, ...], RollupMeasures]
) -> list[dict[str, Any]]:
    names = (period, "dim_id", "actor_id", "grain")
    return [
        {"tenant_id": tx.tenant_id, **dict(zip(names, key, strict=True)), **asdict(measures)}
        for key, measures in sorted(sums.items())
    ]


def at(day: date, hour: int = 12) -> datetime:
    """An hour of a UTC day."""
    return midnight(day).replace(hour=hour)

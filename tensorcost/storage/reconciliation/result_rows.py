"""One day's result as rows of its tables."""

import json
from collections.abc import Iterable, Mapping
from datetime import date
from typing import Any, Final
from uuid import UUID

from tensorcost.domain.cost.reconciliation.facts import DayResult
from tensorcost.storage.reconciliation.chosen import AMOUNTS
from tensorcost.storage.session import TenantTx

_CELL: Final = ("account_id", "region", "model_id", "currency")
_STAGES: Final[Mapping[str, tuple[str, ...]]] = {
    "reconciled_daily": ("dim_id", "actor_id", "grain", "share", "currency", *AMOUNTS),
    "reconciled_cell": (
        *_CELL,
        "grain",
        "requests",
        "logged_tokens",
        "billed_tokens",
        "lines",
        "estimate_nano",
        *(f"billed_{name}" for name in AMOUNTS),
        *(f"attributed_{name}" for name in AMOUNTS),
    ),
    "reconciled_gap": (*_CELL, "gap_class", *AMOUNTS, "evidence"),
    "reconciled_unpriced": (
        "dim_id",
        "actor_id",
        "grain",
        "unpriced_requests",
        "unpriced_tokens",
    ),
}
"""Columns that vary within one day of a version, by table."""
_SHARES: Final = (
    "INSERT INTO ai.reconciled_share (tenant_id, day, reconciliation_id, share, currency, "
    f"{', '.join(AMOUNTS)}) SELECT $1, $2, $3, share, currency, "
    f"{', '.join(f'sum({name})' for name in AMOUNTS)} FROM reconciled_daily_stage "
    "GROUP BY share, currency"
)
_CLASSES: Final = (
    "INSERT INTO ai.reconciled_class (tenant_id, day, reconciliation_id, gap_class, currency, "
    f"{', '.join(AMOUNTS)}) SELECT $1, $2, $3, gap_class, currency, "
    f"{', '.join(f'sum({name})' for name in AMOUNTS)} FROM reconciled_gap_stage "
    "GROUP BY gap_class, currency"
)


async def add_rows(tx: TenantTx, reconciliation_id: UUID, day: date, result: DayResult) -> None:
    """Add the allocations, the places and their gaps of one day, the sums of them, and what is
    unpriced in it."""
    driver = await tx.driver()
    key = (tx.tenant_id, day, reconciliation_id)
    await _fill(driver, "reconciled_daily", key, _allocation_rows(result))
    await driver.execute(_SHARES, *key)
    await _fill(driver, "reconciled_cell", key, _cell_rows(result))
    await _fill(driver, "reconciled_gap", key, _gap_rows(result))
    await driver.execute(_CLASSES, *key)
    if result.unpriced:
        await _fill(driver, "reconciled_unpriced", key, result.unpriced)


async def _fill(driver: Any, table: str, key: tuple[Any, ...], rows: Iterable[Any]) -> None:
    """COPY into a temporary table, INSERT from there: row security refuses a COPY of its own."""
    columns = _STAGES[table]
    names, stage = ", ".join(columns), f"{table}_stage"
    kept = ", ".join("evidence::text" if name == "evidence" else name for name in columns)
    given = ", ".join("evidence::jsonb" if name == "evidence" else name for name in columns)
    await driver.execute(
        f"CREATE TEMP TABLE IF NOT EXISTS {stage} ON COMMIT DROP AS "
        f"SELECT {kept} FROM ai.{table} WITH NO DATA"
    )
    await driver.execute(f"TRUNCATE {stage}")
    await driver.copy_records_to_table(stage, records=rows, columns=columns)
    await driver.execute(
        f"INSERT INTO ai.{table} (tenant_id, day, reconciliation_id, {names}) "
        f"SELECT $1, $2, $3, {given} FROM {stage}",
        *key,
    )


def _allocation_rows(result: DayResult) -> Iterable[tuple[Any, ...]]:
    for *key, money in result.allocations:
        yield (*key, *money)


def _cell_rows(result: DayResult) -> Iterable[tuple[Any, ...]]:
    for one in result.cells:
        yield (
            *one.cell,
            one.currency,
            None if one.grain is None else one.grain.value,
            one.requests,
            one.logged_tokens,
            one.billed_tokens,
            one.lines,
            one.estimate_nano,
            *one.billed,
            *one.attributed,
        )


def _gap_rows(result: DayResult) -> Iterable[tuple[Any, ...]]:
    for one in result.gaps:
        # A sum of quantities may pass 64 bits, where orjson ends.
        evidence = json.dumps(dict(one.evidence))
        yield (*one.cell, one.currency, one.gap_class.value, *one.money, evidence)

"""Fingerprints of what a month's days would be reconciled from, without reading the rows out.

A day's rows are summed up by Postgres: their number, and two sums of seeded 64-bit hashes of
every column that ``read_day_inputs`` reads, so that their order does not matter.
"""

from collections.abc import Collection, Iterable
from datetime import date
from hashlib import blake2b
from typing import Final
from uuid import UUID

from tensorcost.storage.reconciliation.inputs import (
    BILLED_COLUMNS,
    LOGGED_COLUMNS,
)
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.bill_extents import accounts_on, read_sold

_DIGEST_SIZE: Final = 16
_NO_ROWS: Final = (0, 0, 0)
Sums = dict[date, tuple[int, int, int]]
"""Number of rows and both sums by day; days without a row are absent."""


def _sums(columns: Iterable[str], table: str, where: str) -> str:
    """``hash_record_extended`` tells NULL and columns apart; sums beyond 64 bits are numeric."""
    row = f"ROW({', '.join(columns)})"
    hashes = ", ".join(f"sum(hash_record_extended({row}, {seed}))" for seed in (0, 1))
    return (
        f"SELECT day, count(*), {hashes} FROM {table} "
        f"WHERE tenant_id = $1 AND day >= $2 AND day < $3{where} GROUP BY day"
    )


_BILLED: Final = _sums(BILLED_COLUMNS, "ai.bill_daily", " AND delivery_id = ANY($4::uuid[])")
_LOGGED: Final = _sums(LOGGED_COLUMNS, "ai.spend_daily", "")


async def read_logged_sums(tx: TenantTx, first_day: date, end_day: date) -> Sums:
    """What the daily rollup says of the days ``[first_day, end_day)``."""
    return await _read(tx, _LOGGED, first_day, end_day)


async def read_day_hashes(
    tx: TenantTx,
    logged: Sums,
    *,
    first_day: date,
    end_day: date,
    deliveries: Collection[UUID],
    beside: Collection[str],
) -> dict[date, bytes]:
    """128 bits by day of ``[first_day, end_day)`` of everything that its result follows from.

    ``beside`` names what is not in the rows: prices and rules.
    """
    billed = await _read(tx, _BILLED, first_day, end_day, list(deliveries))
    sold = await read_sold(tx, deliveries)
    days = [date.fromordinal(n) for n in range(first_day.toordinal(), end_day.toordinal())]
    return {
        day: _hash(
            [
                *beside,
                repr([(source, accounts_on(sold, source, day)) for source in sorted(sold)]),
                repr((billed.get(day, _NO_ROWS), logged.get(day, _NO_ROWS))),
            ]
        )
        for day in days
    }


async def _read(tx: TenantTx, sql: str, *values: object) -> Sums:
    driver = await tx.driver()
    rows = await driver.fetch(sql, tx.tenant_id, *values)
    return {day: (count, int(first), int(second)) for day, count, first, second in rows}


def _hash(parts: Iterable[str]) -> bytes:
    digest = blake2b(digest_size=_DIGEST_SIZE)
    for part in parts:
        raw = part.encode()
        digest.update(len(raw).to_bytes(4, "big") + raw)
    return digest.digest()

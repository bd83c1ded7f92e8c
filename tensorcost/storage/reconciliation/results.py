"""Versions of a month's reconciliation: a day whose result changed is written anew, whole.

All of a version happens in one transaction, from ``lock_period`` to ``close_version``. Rows are
never changed or deleted, so that former versions can still be asked for; only the mark of the
day's current version moves, and what the current one is known to follow from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Final
from uuid import UUID

import uuid_utils.compat as uuids

from tensorcost.domain.cost.reconciliation.closing import Cause
from tensorcost.domain.cost.reconciliation.content import RULES
from tensorcost.domain.cost.reconciliation.facts import DayResult
from tensorcost.storage.reconciliation.due import LATE_BATCHES
from tensorcost.storage.reconciliation.result_rows import add_rows
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.bill_extents import SOLD

_CURRENT: Final = (
    "SELECT day, content_hash FROM ai.reconciled_day WHERE tenant_id = :tenant "
    "AND day >= :period AND day < (CAST(:period AS date) + interval '1 month') AND is_current"
)
_INPUTS: Final = (
    "SELECT day, input_hash FROM ai.reconciled_day WHERE tenant_id = :tenant "
    "AND day >= :period AND day < (CAST(:period AS date) + interval '1 month') AND is_current "
    "AND input_hash IS NOT NULL"
)
_REMEMBER: Final = (
    "UPDATE ai.reconciled_day d SET input_hash = v.input_hash "
    "FROM unnest($2::date[], $3::bytea[]) AS v (day, input_hash) "
    "WHERE d.tenant_id = $1 AND d.day = v.day AND d.is_current"
)
_SEEN: Final = LATE_BATCHES.format(
    since="clock_timestamp()", period=":period", closed_until=":closed_until"
)
_ACCOUNTS: Final = f"""
    INSERT INTO ai.reconciled_account (tenant_id, reconciliation_id, source, account_id,
        first_day, last_day)
    SELECT :tenant, CAST(:id AS uuid), s.* FROM ({SOLD}) s WHERE s.first_day IS NOT NULL
"""


@dataclass(slots=True)
class OpenVersion:
    """A version being written; it exists once ``close_version`` and the transaction succeed."""

    reconciliation_id: UUID
    period: date
    version: int
    """1 for the month's first."""
    closed_until: date
    deliveries: tuple[UUID, ...]
    requested_by: str
    late_batches: list[int]
    causes: tuple[Cause, ...] = ()
    """What was seen to differ from the version before."""
    days_changed: int = field(default=0)


async def lock_period(tx: TenantTx, period: date) -> None:
    """Wait until nobody else reconciles this month; held to the end of the transaction."""
    await tx.run(
        "SELECT pg_advisory_xact_lock(hashtextextended(:key, 17))",
        key=f"reconciliation/{tx.tenant_id}/{period}",
    )


async def current_hashes(tx: TenantTx, period: date) -> dict[date, bytes]:
    """The content hash of each reconciled day of the month. An equal one needs no writing."""
    rows = await tx.all(_CURRENT, tenant=tx.tenant_id, period=period)
    return {row.day: row.content_hash for row in rows}


async def current_inputs(tx: TenantTx, period: date) -> dict[date, bytes]:
    """What each reconciled day of the month followed from, where that is known."""
    rows = await tx.all(_INPUTS, tenant=tx.tenant_id, period=period)
    return {row.day: row.input_hash for row in rows}


async def remember_inputs(tx: TenantTx, hashes: Mapping[date, bytes | None]) -> None:
    """Keep what the current results of these days follow from; None where it is not certain."""
    if hashes:
        driver = await tx.driver()
        await driver.execute(_REMEMBER, tx.tenant_id, list(hashes), list(hashes.values()))


async def open_version(
    tx: TenantTx,
    period: date,
    closed_until: date,
    deliveries: Sequence[UUID],
    requested_by: str,
    causes: Sequence[Cause] = (),
) -> OpenVersion:
    """Begin the month's next version, by today's rules. Call it under ``lock_period``, before
    reading inputs.

    ``deliveries`` are those that the inputs come from; usage that is committed after this call
    makes the month due again, whether or not the inputs had it.
    """
    newest = await tx.scalar(
        "SELECT max(version) FROM ai.reconciliation WHERE tenant_id = :tenant AND period = :period",
        tenant=tx.tenant_id,
        period=period,
    )
    seen = await tx.all(_SEEN, tenant=tx.tenant_id, period=period, closed_until=closed_until)
    return OpenVersion(
        reconciliation_id=uuids.uuid7(),
        period=period,
        version=(newest or 0) + 1,
        closed_until=closed_until,
        deliveries=tuple(sorted(deliveries)),
        requested_by=requested_by,
        late_batches=sorted(row.batch_id for row in seen),
        causes=tuple(causes),
    )


async def write_day(
    tx: TenantTx, version: OpenVersion, day: date, result: DayResult, content_hash: bytes
) -> None:
    """Make ``result`` the current one of ``day``, once a version and day.

    A day whose rows have all gone is written with an empty result.
    """
    driver = await tx.driver()
    await driver.execute(
        "UPDATE ai.reconciled_day SET is_current = false "
        "WHERE tenant_id = $1 AND day = $2 AND is_current",
        tx.tenant_id,
        day,
    )
    await driver.execute(
        "INSERT INTO ai.reconciled_day (tenant_id, day, reconciliation_id, period, content_hash, "
        "estimate_nano) VALUES ($1, $2, $3, $4, $5, $6)",
        tx.tenant_id,
        day,
        version.reconciliation_id,
        version.period,
        content_hash,
        sum(cell.estimate_nano for cell in result.cells),
    )
    await add_rows(tx, version.reconciliation_id, day, result)
    version.days_changed += 1


async def close_version(tx: TenantTx, version: OpenVersion, *, days: int) -> None:
    """Record the version over ``days`` days, of which those written changed, and whose it is."""
    await tx.run(
        "INSERT INTO ai.reconciliation (tenant_id, reconciliation_id, period, version, "
        "closed_until, deliveries, late_batches, requested_by, days, days_changed, rules, causes) "
        "VALUES (:tenant, :id, :period, :version, :closed_until, :deliveries, :late, :by, :days, "
        ":changed, :rules, :causes)",
        tenant=tx.tenant_id,
        id=version.reconciliation_id,
        period=version.period,
        version=version.version,
        closed_until=version.closed_until,
        deliveries=list(version.deliveries),
        late=version.late_batches,
        by=version.requested_by,
        days=days,
        changed=version.days_changed,
        rules=RULES,
        causes=[cause.value for cause in version.causes],
    )
    await tx.run(
        _ACCOUNTS,
        tenant=tx.tenant_id,
        id=version.reconciliation_id,
        deliveries=list(version.deliveries),
    )

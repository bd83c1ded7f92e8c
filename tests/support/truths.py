"""One tenant's whole state: what two roads through equal worlds must agree on.

Nothing in it is an id or a time of a run, so that a disturbed tenant's truths equal those of an
undisturbed one. ``Usage`` is the part that needs no workflow server.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from tensorcost.domain.cost.contracts import RECONCILE, reconcile_workflow_id
from tensorcost.domain.cost.reconciliation.facts import Money
from tensorcost.domain.cost.rollup import MEASURE_NAMES, RollupMeasures
from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.states import OPEN_STEPS
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.temporal import SearchAttribute
from tensorcost.domain.tenancy.onboarding_contracts import CUSTOMER_ONBOARDING
from tensorcost.storage.reconciliation.chosen import money_of, sums
from tensorcost.storage.reconciliation.due import read_periods_due
from tensorcost.storage.session import Database, TenantTx

_TOKENS: Final = (
    "input_tokens + cached_tokens + cache_write_5m_tokens + cache_write_1h_tokens + output_tokens"
)
_MEASURED: Final = {
    **{name: f"coalesce(sum({name}), 0)" for name in MEASURE_NAMES},
    "unpriced_requests": "coalesce(sum(requests) FILTER (WHERE cost_nano IS NULL), 0)",
    "unpriced_tokens": f"coalesce(sum({_TOKENS}) FILTER (WHERE cost_nano IS NULL), 0)",
    "error_requests": "coalesce(sum(requests) FILTER (WHERE error_code IS NOT NULL), 0)",
    "latency_ms_sum": "coalesce(sum(latency_ms), 0)",
    "latency_count": "count(latency_ms)",
}
"""Each measure of the rollups, from the events themselves."""
_FROM_EVENTS: Final = ", ".join(f"{sql}::bigint AS {name}" for name, sql in _MEASURED.items())
_FROM_ROLLUP: Final = ", ".join(f"sum({name})::bigint AS {name}" for name in MEASURE_NAMES)
_HOUR: Final = "date_trunc('hour', ts, 'UTC')"
_DAY: Final = "(ts AT TIME ZONE 'UTC')::date"
_BY: Final = "dim_id, actor_id, grain"


def _differing(table: str, moment: str, column: str) -> str:
    """Count of the keys whose sums in ``table`` are not those of the events, either way round."""
    told = f"SELECT {column}, {_BY}, {_FROM_ROLLUP} FROM ai.{table} GROUP BY {column}, {_BY}"
    real = f"SELECT {moment}, {_BY}, {_FROM_EVENTS} FROM ai.spend_event GROUP BY {moment}, {_BY}"
    return f"SELECT count(*) FROM (({told} EXCEPT {real}) UNION ALL ({real} EXCEPT {told})) d"


_DIFFERING: Final = {
    "hourly": _differing("spend_hourly", _HOUR, "hour"),
    "daily": _differing("spend_daily", _DAY, "day"),
    "delta": _differing("spend_delta", _DAY, "day"),
}
_EVENTS: Final = f"""
    SELECT grain, count(*) AS n, {_FROM_EVENTS},
           md5(string_agg(concat_ws(',', ts, event_id, {_BY}, requests, input_tokens,
               cached_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens,
               coalesce(cost_nano, -1)), ';' ORDER BY ts, event_id)) AS digest
    FROM ai.spend_event GROUP BY grain
"""
_TWICE: Final = "SELECT count(*) - count(DISTINCT event_id) FROM ai.spend_event"
_LINES: Final = """
    SELECT l.delivery_id, v.period, l.currency, l.unblended_nano, l.amortized_nano,
           coalesce(l.net_nano, l.unblended_nano) AS net_nano,
           greatest(v.period, least((l.usage_start AT TIME ZONE 'UTC')::date,
               (v.period + interval '1 month')::date - 1)) AS day
    FROM ai.bill_line l JOIN ai.bill_delivery v USING (tenant_id, delivery_id)
"""
_BILLED: Final = f"""
    SELECT p.period, b.currency, {sums("", alias="b")}
    FROM ai.bill_period p JOIN ({_LINES}) b ON b.delivery_id = p.current_delivery_id
    WHERE p.counted GROUP BY 1, 2
"""
_CLOSED: Final = f"""
    SELECT r.period, b.currency, {sums("", alias="b")}
    FROM (
        SELECT DISTINCT ON (period) * FROM ai.reconciliation ORDER BY period, version DESC
    ) r JOIN ({_LINES}) b ON b.delivery_id = ANY(r.deliveries) AND b.day < r.closed_until
    GROUP BY 1, 2
"""
_RECONCILED: Final = f"""
    SELECT d.period, s.currency, {sums("", alias="s")}
    FROM ai.reconciled_day d JOIN ai.{{table}} s USING (tenant_id, day, reconciliation_id)
    WHERE d.is_current GROUP BY 1, 2
"""
_DAYS: Final = """
    SELECT md5(string_agg(concat_ws(',', day, encode(content_hash, 'hex')), ';' ORDER BY day))
    FROM ai.reconciled_day WHERE is_current
"""

Months = Mapping[tuple[date, str], Money]
"""By first day of the billing month and currency."""


@dataclass(frozen=True)
class Usage:
    """What was read, and whether its sums are its own."""

    rows: Mapping[Grain, int]
    totals: Mapping[Grain, RollupMeasures]
    digests: Mapping[Grain, str]
    """Of every row's moment, id, place, counts and cost, in order."""
    twice: int
    """Rows whose event id another row has too."""
    differing: Mapping[str, int]
    """Keys of the hourly and daily rollups and of the deltas whose sums the events have not."""

    def assert_consistent(self) -> None:
        assert self.twice == 0, "a row stands twice"
        assert not any(self.differing.values()), f"sums that the events have not: {self.differing}"


@dataclass(frozen=True)
class Truths:
    """What one tenant knows once its work is done."""

    usage: Usage
    billed: Months
    """Every line of the bills that count."""
    closed: Months
    """Their lines of the days that are reconciled."""
    reconciled: Months
    """What the reconciliation made of them, over every row and share."""
    shares: Months
    """The same from the sums by share."""
    days: str
    """Digest of every reconciled day's content."""
    due: int
    """Months whose reconciliation does not know the newest bill or usage."""
    open_steps: int
    failed_steps: int
    """Of work, as the open ones: what a probe met is no debt."""
    open_workflows: tuple[str, ...]
    """Types of the tenant's workflows that have not closed, but for the one that waits for the
    customer's first recommendation."""

    def assert_consistent(self) -> None:
        """Every sum is the sum of its parts, and nothing is left undone. Failed steps are not
        judged: whoever disturbed a run knows whether any may be."""
        self.usage.assert_consistent()
        assert self.reconciled == self.shares == self.closed, "reconciled money is not the bill's"
        assert self.closed.keys() <= self.billed.keys()
        assert (self.due, self.open_steps, self.open_workflows) == (0, 0, ())


async def read_usage(db: Database, tenant_id: TenantId) -> Usage:
    """The tenant's events, their sums, and how far the rollups agree."""
    async with db.tenant(tenant_id) as tx:
        return await _usage(tx)


async def read_truths(
    db: Database, client: Client, tenant_id: TenantId, within: timedelta = timedelta(seconds=60)
) -> Truths:
    """The tenant's state once no workflow of its is open, or as it is ``within`` that time."""
    still_open = await _settled(client, tenant_id, within)
    async with db.tenant(tenant_id) as tx:
        return Truths(
            usage=await _usage(tx),
            billed=await _months(tx, _BILLED),
            closed=await _months(tx, _CLOSED),
            reconciled=await _months(tx, _RECONCILED.format(table="reconciled_daily")),
            shares=await _months(tx, _RECONCILED.format(table="reconciled_share")),
            days=await tx.scalar(_DAYS) or "",
            due=len(await read_periods_due(tx, datetime.now(UTC))),
            open_steps=await _steps(tx, [state.value for state in OPEN_STEPS]),
            failed_steps=await _steps(tx, ["failed"]),
            open_workflows=still_open,
        )


async def _usage(tx: TenantTx) -> Usage:
    found = {Grain(row.grain): row for row in await tx.all(_EVENTS)}
    return Usage(
        rows={grain: row.n for grain, row in found.items()},
        totals={
            grain: RollupMeasures(*(getattr(row, name) for name in MEASURE_NAMES))
            for grain, row in found.items()
        },
        digests={grain: row.digest for grain, row in found.items()},
        twice=await tx.scalar(_TWICE),
        differing={name: await tx.scalar(sql) for name, sql in _DIFFERING.items()},
    )


async def _months(tx: TenantTx, sql: str) -> Months:
    return {(row.period, row.currency): money_of(row) for row in await tx.all(sql)}


async def _steps(tx: TenantTx, states: list[str]) -> int:
    found: int = await tx.scalar(
        "SELECT count(*) FROM app.sync_step WHERE state = ANY(:states) AND source <> 'probe'",
        states=states,
    )
    return found


async def _settled(client: Client, tenant_id: TenantId, within: timedelta) -> tuple[str, ...]:
    """Types of the workflows that are open at the end of the wait."""
    end = asyncio.get_running_loop().time() + within.total_seconds()
    while True:
        found = await _open_workflows(client, tenant_id)
        if not found or asyncio.get_running_loop().time() > end:
            return found
        await asyncio.sleep(0.1)


async def _open_workflows(client: Client, tenant_id: TenantId) -> tuple[str, ...]:
    query = (
        f"{SearchAttribute.TENANT_ID.value} = '{tenant_id}' AND ExecutionStatus = 'Running' "
        f"AND WorkflowType != '{CUSTOMER_ONBOARDING}'"
    )
    found = [run.workflow_type async for run in client.list_workflows(query)]
    # The list lags behind; the one that others start at their end is asked for by its name.
    if not found and await _is_reconciling(client, tenant_id):
        found = [RECONCILE]
    return tuple(sorted(found))


async def _is_reconciling(client: Client, tenant_id: TenantId) -> bool:
    try:
        run = await client.get_workflow_handle(reconcile_workflow_id(tenant_id)).describe()
    except RPCError as error:
        if error.status is not RPCStatusCode.NOT_FOUND:
            raise
        return False
    return run.status is WorkflowExecutionStatus.RUNNING

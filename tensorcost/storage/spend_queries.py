"""Pages of single spend events, read from the raw partitions by their key.

Without filters a page is a range of the primary key. With filters the hourly rollup says in
which hours there is a match, so that a rare agent costs a look at a few hours and not a walk
through the window.
"""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from sqlalchemy import Row

from tensorcost.domain.cost.query_listing import ListedEvent, ListingQuery
from tensorcost.domain.spend.facts import Grain, Source
from tensorcost.storage.cost_queries.grouping import actor_filter, dimension_filter
from tensorcost.storage.paging import Page
from tensorcost.storage.session import TenantTx

_MICROSECOND: Final = timedelta(microseconds=1)
_EVENT_COLUMNS: Final = (
    "ts, event_id, dim_id, actor_id, grain, requests, input_tokens, cached_tokens, "
    "cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, quantity_micro, unit, cost_nano, "
    "price_version, recorded_cost_nano, recorded_currency, latency_ms, error_code, request_id, "
    "request_ref, conversation_id, session_id"
)
_RANGE: Final = f"""
    SELECT {_EVENT_COLUMNS} FROM ai.spend_event e
    WHERE e.tenant_id = :tenant AND e.ts >= :low AND e.ts < :high{{conditions}}
    ORDER BY e.ts DESC, e.event_id DESC LIMIT :n
"""
_BY_HOUR: Final = f"""
    SELECT e.* FROM unnest(CAST(:hours AS timestamptz[])) AS h (hour)
    CROSS JOIN LATERAL (
        SELECT {_EVENT_COLUMNS} FROM ai.spend_event e
        WHERE e.tenant_id = :tenant AND e.ts >= :low AND e.ts < :high
          AND e.ts >= h.hour AND e.ts < h.hour + interval '1 hour'{{conditions}}
        ORDER BY e.ts DESC, e.event_id DESC LIMIT :n
    ) e
    ORDER BY e.ts DESC, e.event_id DESC LIMIT :n
"""
_SHOWN: Final = """
    SELECT e.event_id, e.ts, e.grain, d.source, d.provider, d.account_id, d.usage_account_id,
           d.region, d.routing_scope, d.model_id, d.model_family, d.model_tier, d.service_tier,
           d.modality, d.context_bucket, d.operation, d.application, d.team, d.environment,
           d.owner, d.tags, coalesce(a.user_name, '') AS "user", coalesce(a.agent, '') AS agent,
           coalesce(a.workflow, '') AS workflow, e.requests, e.input_tokens, e.cached_tokens,
           e.cache_write_5m_tokens, e.cache_write_1h_tokens, e.output_tokens, e.quantity_micro,
           e.unit, e.cost_nano, e.price_version, e.recorded_cost_nano, e.recorded_currency,
           e.latency_ms, e.error_code, coalesce(e.request_id::text, e.request_ref) AS request_id,
           e.conversation_id, e.session_id
    FROM ({events}) e
    JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = e.dim_id
    LEFT JOIN ai.actor a ON a.tenant_id = :tenant AND a.actor_id = e.actor_id
    ORDER BY e.ts DESC, e.event_id DESC
"""
_HOURS: Final = """
    SELECT s.hour FROM ai.spend_hourly s
    WHERE s.tenant_id = :tenant AND s.hour >= :low_hour AND s.hour < :high{conditions}
    ORDER BY s.hour DESC LIMIT :n
"""
_BEFORE: Final = " AND (e.ts, e.event_id) < (:after_ts, :after_id)"


async def read_events(tx: TenantTx, query: ListingQuery) -> Page[ListedEvent]:
    """The next page, newest first. Rows that arrive later never shift a page behind it."""
    params: dict[str, Any] = {
        "tenant": tx.tenant_id,
        "low": query.window.start,
        "high": query.window.end,
        "n": query.limit + 1,
    }
    before = ""
    if query.after is not None:
        params.update(after_ts=query.after.ts, after_id=query.after.event_id)
        params["high"] = min(query.window.end, query.after.ts + _MICROSECOND)
        before = _BEFORE
    if not query.unpriced_only and not query.filter.given() and not query.filter.ai_only:
        rows = await tx.all(_SHOWN.format(events=_RANGE.format(conditions=before)), **params)
    else:
        rows = await _filtered(tx, query, params, before)
    return Page.cut([_event(row) for row in rows], query.limit)


async def _filtered(
    tx: TenantTx, query: ListingQuery, params: dict[str, Any], before: str
) -> list[Row[Any]]:
    values: dict[str, Any] = {}
    only = dimension_filter(query.filter, values)
    among = (
        f" AND {{alias}}.dim_id IN (SELECT d.dim_id FROM ai.dimension d "
        f"WHERE d.tenant_id = :tenant{only})"
        if only
        else ""
    )
    hours_sql = _HOURS.format(
        conditions=among.format(alias="s")
        + actor_filter("s", query.filter, values)
        + (" AND (s.unpriced_requests > 0 OR s.unpriced_tokens > 0)" if query.unpriced_only else "")
    )
    events_sql = _SHOWN.format(
        events=_BY_HOUR.format(
            conditions=before
            + among.format(alias="e")
            + actor_filter("e", query.filter, values)
            + (" AND e.cost_nano IS NULL" if query.unpriced_only else "")
        )
    )
    found: list[Row[Any]] = []
    high: datetime = params["high"]
    low_hour = query.window.start.replace(minute=0, second=0, microsecond=0)
    while len(found) <= query.limit:
        shared = {"tenant": tx.tenant_id, "n": params["n"], **values}
        hours = await _matching_hours(tx, hours_sql, {**shared, "low_hour": low_hour, "high": high})
        if not hours:
            break
        found.extend(await tx.all(events_sql, **{**params, **values, "hours": hours}))
        high = hours[-1]
    return found


async def _matching_hours(tx: TenantTx, sql: str, params: dict[str, Any]) -> list[datetime]:
    """The newest hours that hold enough rollup rows for a page, newest first.

    Each rollup row stands for at least one event, but for those that a re-read emptied: the
    caller asks again until its page is full.
    """
    rows = await tx.all(sql, **params)
    return list(dict.fromkeys(row.hour.astimezone(UTC) for row in rows))


def _event(row: Row[Any]) -> ListedEvent:
    values = dict(row._mapping)
    values["ts"] = values["ts"].astimezone(UTC)
    values["grain"] = Grain(values["grain"])
    values["source"] = Source(values["source"])
    return ListedEvent(**values)

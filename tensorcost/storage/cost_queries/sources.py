"""Where the sums of a question come from: daily or hourly rollups, or the deltas known then.

Whole days are read from the daily rollup, the hours at a window's edges and hourly series
from the hourly one, and ``as_of`` sums the deltas of the batches that were known by then.
"""

from typing import Any, Final

from tensorcost.domain.cost.query import CostQuery, Step
from tensorcost.domain.cost.rollup import MEASURE_NAMES
from tensorcost.storage.session import TenantTx

MEASURES: Final = ", ".join(MEASURE_NAMES)
_MONEY: Final = frozenset({"cost_nano", "unpriced_requests", "unpriced_tokens"})
"""Measures that say what usage cost, or that this is not known."""
_HOURLY: Final = (
    "SELECT (hour AT TIME ZONE 'UTC')::date AS day, hour, dim_id, actor_id, grain, {measures} "
    "FROM ai.spend_hourly WHERE tenant_id = :tenant AND hour >= :{low} AND hour < :{high}"
)
_DAILY: Final = (
    "SELECT day, NULL::timestamptz AS hour, dim_id, actor_id, grain, {measures} "
    "FROM ai.spend_daily WHERE tenant_id = :tenant AND day >= :{low} AND day < :{high}"
)
_KNOWN: Final = (
    "SELECT d.day, NULL::timestamptz AS hour, d.dim_id, d.actor_id, d.grain, {measures} "
    "FROM ai.spend_delta d JOIN ai.ingest_batch b USING (tenant_id, batch_id) "
    "WHERE d.tenant_id = :tenant AND d.day >= :{low} AND d.day < :{high} "
    "AND b.known_at <= :as_of"
)
_LIVE_CELLS: Final = (
    "SELECT day, cell_id, grain FROM ai.spend_cell WHERE tenant_id = :tenant "
    "AND day >= :first_day AND day < :end_day AND grain {grains}"
)
_KNOWN_CELLS: Final = (
    "SELECT DISTINCT s.day, d.cell_id, s.grain FROM ai.spend_delta s "
    "JOIN ai.ingest_batch b USING (tenant_id, batch_id) "
    "JOIN ai.dimension d ON d.tenant_id = :tenant AND d.dim_id = s.dim_id "
    "WHERE s.tenant_id = :tenant AND s.day >= :first_day AND s.day < :end_day "
    "AND b.known_at <= :as_of AND s.grain {grains}"
)
LIVE_DELIVERIES: Final = (
    "SELECT current_delivery_id AS delivery_id FROM ai.bill_period "
    "WHERE tenant_id = :tenant AND counted"
)
KNOWN_DELIVERIES: Final = (
    "SELECT delivery_id FROM ("
    "SELECT DISTINCT ON (origin, export_name, period) delivery_id, uncounted "
    "FROM ai.bill_delivery "
    "WHERE tenant_id = :tenant AND state <> 'loading' AND known_at <= :as_of "
    "ORDER BY origin, export_name, period, known_at DESC, delivery_id DESC"
    ") v WHERE NOT uncounted @> CAST(:as_of AS timestamptz)"
)
"""What each export said last by then, unless another export of its payer counted then."""


def bounds(tx: TenantTx, query: CostQuery) -> dict[str, Any]:
    """What every statement about ``query`` binds."""
    params: dict[str, Any] = {
        "tenant": tx.tenant_id,
        "first_day": query.window.first_day,
        "end_day": query.window.end_day,
    }
    if query.as_of is not None:
        params["as_of"] = query.as_of
    return params


def sums_where(is_priced: str | None) -> str:
    """Sums of the measures of rows ``s``, those of money only where ``is_priced``, if given.

    As bigint a sum costs the client a tenth of a numeric. Quantities alone may pass 64 bits: one
    event may carry any.
    """
    kinds = dict.fromkeys(MEASURE_NAMES, "::bigint") | {"quantity_micro": ""}
    return ", ".join(
        f"sum(CASE WHEN {is_priced} THEN s.{name} ELSE 0 END){kind} AS {name}"
        if is_priced and name in _MONEY
        else f"sum(s.{name}){kind} AS {name}"
        for name, kind in kinds.items()
    )


SUMS: Final = sums_where(None)


def rollup_rows(query: CostQuery, params: dict[str, Any]) -> str:
    """SELECT of (day, hour, dim_id, actor_id, grain, measures); adds its bounds to ``params``."""
    window = query.window
    if query.as_of is not None:
        params.update(day_low=window.first_day, day_high=window.end_day)
        return _KNOWN.format(low="day_low", high="day_high", measures=_prefixed("d"))
    if query.step is Step.HOUR:
        params.update(hour_low=window.start, hour_high=window.end)
        return _HOURLY.format(low="hour_low", high="hour_high", measures=MEASURES)
    parts: list[str] = []
    if (days := window.whole_days()) is not None:
        params.update(day_low=days[0], day_high=days[1])
        parts.append(_DAILY.format(low="day_low", high="day_high", measures=MEASURES))
    for n, (low, high) in enumerate(window.hour_edges()):
        params.update({f"hour_low{n}": low, f"hour_high{n}": high})
        parts.append(_HOURLY.format(low=f"hour_low{n}", high=f"hour_high{n}", measures=MEASURES))
    return " UNION ALL ".join(parts)


def summed_rows(query: CostQuery, params: dict[str, Any], *, by_actor: bool, where: str) -> str:
    """The rows that ``where`` keeps, summed before anything is joined to them.

    A join of every day's row costs more than all of its sums. Days stay apart only where the
    series or the choice of grain needs them, or where a bill speaks for some of them, actors where
    ``by_actor``. ``period`` is the month of the bill that answers for the days of a row, NULL
    where none does.
    """
    may_be_billed = query.billed_days() is not None
    partly = " OR s.dim_id IN (SELECT dim_id FROM partly)" if may_be_billed else ""
    day = "s.day" if query.step is not None else f"CASE WHEN s.grain = 2{partly} THEN s.day END"
    keys = [f"{day} AS day", "s.hour", "s.dim_id", "s.grain"]
    joined = ""
    if may_be_billed:
        keys.append("v.period")
        joined = "LEFT JOIN billed v ON v.day = s.day "
    if by_actor:
        keys.append("s.actor_id")
    positions = ", ".join(str(n + 1) for n in range(len(keys)))
    return (
        f"SELECT {', '.join(keys)}, {SUMS} FROM ({rollup_rows(query, params)}) s {joined}"
        f"WHERE true{where} GROUP BY {positions}"
    )


def requested_cells(query: CostQuery) -> str:
    """SELECT of (day, cell_id), one row a cell that holds a row of request grain."""
    return _cells(query).format(grains="= 1")


def finer_cells(query: CostQuery) -> str:
    """SELECT of (day, cell_id), one row a cell that holds a row of any grain but the bill's."""
    cells = _cells(query).format(grains="IN (1, 2)")
    return f"SELECT day, cell_id FROM ({cells}) c GROUP BY day, cell_id"


def _cells(query: CostQuery) -> str:
    return _LIVE_CELLS if query.as_of is None else _KNOWN_CELLS


def deliveries(query: CostQuery) -> str:
    """SELECT of the bill deliveries that hold and count, or did at ``as_of``."""
    return LIVE_DELIVERIES if query.as_of is None else KNOWN_DELIVERIES


def _prefixed(alias: str) -> str:
    return ", ".join(f"{alias}.{name}" for name in MEASURE_NAMES)

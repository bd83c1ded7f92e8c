"""The ledger: what each account, region and model logged and was billed, and why they differ."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final, NamedTuple

from sqlalchemy import Row

from tensorcost.domain.cost.reconciliation.facts import Cell, CellSum, Gap, GapClass, Money
from tensorcost.domain.spend.facts import Grain
from tensorcost.storage.paging import Page
from tensorcost.storage.reconciliation.chosen import chosen_days, money_of, sums
from tensorcost.storage.session import TenantTx

_OF_CELL: Final = """
    g.tenant_id = :tenant AND g.day = c.day AND g.reconciliation_id = c.reconciliation_id
    AND g.account_id = c.account_id AND g.region = c.region AND g.model_id = c.model_id
    AND g.currency = c.currency
"""
_OF_DAYS: Final = (
    "{alias}.tenant_id = :tenant AND {alias}.day = v.day "
    "AND {alias}.reconciliation_id = v.reconciliation_id"
)
_ROWS: Final = f"""
    SELECT c.*, (
        SELECT jsonb_agg(jsonb_build_array(g.gap_class, g.unblended_nano, g.amortized_nano,
            g.net_nano, g.evidence)) FROM ai.reconciled_gap g WHERE {_OF_CELL}
    ) AS gaps
    FROM (
        SELECT c.*{{size}} FROM ({{days}}) v
        JOIN ai.reconciled_cell c ON {_OF_DAYS.format(alias="c")}{{sized}}
        WHERE true{{conditions}}
        ORDER BY {{order}} LIMIT :n
    ) c
    ORDER BY {{outer_order}}
"""
_BY_DAY: Final = "c.day DESC, c.account_id, c.region, c.model_id, c.currency"
_SIZED: Final = f"""
        CROSS JOIN LATERAL (
            SELECT coalesce(max(abs(g.unblended_nano)), 0) AS size_nano
            FROM ai.reconciled_gap g WHERE {_OF_CELL}{{which}}
        ) z"""
_LESS: Final = " AND (z.size_nano < :after_size OR z.size_nano = :after_size{further})"
_AFTER: Final = (
    " AND (c.day < :after_day OR c.day = :after_day "
    "AND (c.account_id, c.region, c.model_id, c.currency) "
    "> (:after_account, :after_region, :after_model, :after_currency))"
)
_HAS_GAP: Final = f" AND EXISTS (SELECT FROM ai.reconciled_gap g WHERE {_OF_CELL}{{which}})"
_OF_CLASS: Final = " AND g.gap_class = :gap_class"
_AT_LEAST: Final = " AND abs(g.unblended_nano) >= :min_gap"
_TOTALS: Final = f"""
    WITH v AS ({{days}})
    SELECT c.currency, '' AS gap_class, sum(c.estimate_nano)::bigint AS estimate_nano,
           {sums("billed_", "attributed_", alias="c")}
    FROM v JOIN ai.reconciled_cell c ON {_OF_DAYS.format(alias="c")}
    WHERE true{{conditions}} GROUP BY c.currency
    UNION ALL
    SELECT c.currency, c.gap_class, 0, {sums("", alias="c")}, 0, 0, 0
    FROM v JOIN ai.reconciled_gap c ON {_OF_DAYS.format(alias="c")}
    WHERE true{{conditions}} GROUP BY c.currency, c.gap_class
    ORDER BY currency, gap_class
"""
"""Places, then their classes, whose amounts stand in the columns of the billed ones."""
_ORDER: Final[dict[str, int]] = {gap_class: place for place, gap_class in enumerate(GapClass)}


class LedgerOrder(StrEnum):
    """``AMOUNT``: the largest class of a row first, or the largest one of the class asked for, up
    or down, unblended, in the row's own currency."""

    DAY = "day"
    AMOUNT = "amount"


class LedgerKey(NamedTuple):
    """Where a page ended. ``size_nano`` is None in a list by day."""

    day: date
    account_id: str
    region: str
    model_id: str
    currency: str
    size_nano: int | None = None


@dataclass(frozen=True, slots=True)
class LedgerQuery:
    """Days ``[first_day, end_day)``; None and absent filters keep everything."""

    first_day: date
    end_day: date
    account_id: str | None = None
    region: str | None = None
    model_id: str | None = None
    gap_class: GapClass | None = None
    """Rows that have this class; all of their classes are shown."""
    min_gap_nano: int | None = None
    """Rows of which the class, or any where none is asked for, is this much up or down,
    unblended, in the row's own currency."""
    as_of: datetime | None = None
    """What was believed then; None means now."""
    order: LedgerOrder = LedgerOrder.DAY


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """One place and day. ``gaps`` add up to ``total.billed`` minus the estimate."""

    day: date
    total: CellSum
    gaps: tuple[Gap, ...]
    size_nano: int | None = None
    """By which a list by amount is in order; None in one by day."""

    @property
    def key(self) -> LedgerKey:
        return LedgerKey(self.day, *self.total.cell, self.total.currency, self.size_nano)


@dataclass(frozen=True, slots=True)
class LedgerTotal:
    """Sums in one currency. The classes add up to ``billed`` minus ``estimate_nano``."""

    currency: str
    estimate_nano: int
    billed: Money
    attributed: Money
    gaps: Mapping[GapClass, Money]


async def read_ledger(
    tx: TenantTx, query: LedgerQuery, *, limit: int, after: LedgerKey | None = None
) -> Page[LedgerRow]:
    """A page of rows, the newest day first, within a day by account, region and model; or the
    largest amount first, and rows of one amount in that order."""
    params = _params(tx, query)
    conditions = _conditions(query, params)
    conditions += _gap_condition(query, params)
    by_amount = query.order is LedgerOrder.AMOUNT
    if after is not None:
        params.update({f"after_{name}": value for name, value in _bound(after).items()})
        conditions += _LESS.format(further=_AFTER) if by_amount else _AFTER
        if by_amount:
            params["after_size"] = after.size_nano
    sql = _ROWS.format(
        days=chosen_days(query.as_of),
        conditions=conditions,
        size=", z.size_nano" if by_amount else "",
        sized=_SIZED.format(which=_OF_CLASS if query.gap_class else "") if by_amount else "",
        order=f"z.size_nano DESC, {_BY_DAY}" if by_amount else _BY_DAY,
        outer_order=f"c.size_nano DESC, {_BY_DAY}" if by_amount else _BY_DAY,
    )
    rows = await tx.all(sql, **params, n=limit + 1)
    return Page.cut([_row(row) for row in rows], limit)


async def read_ledger_totals(tx: TenantTx, query: LedgerQuery) -> list[LedgerTotal]:
    """Sums by currency over the days and places asked for, whatever their classes."""
    params = _params(tx, query)
    sql = _TOTALS.format(days=chosen_days(query.as_of), conditions=_conditions(query, params))
    rows = await tx.all(sql, **params)
    classes: dict[str, dict[GapClass, Money]] = {row.currency: {} for row in rows}
    for row in sorted((row for row in rows if row.gap_class), key=lambda r: _ORDER[r.gap_class]):
        classes[row.currency][GapClass(row.gap_class)] = money_of(row, "billed_")
    return [
        LedgerTotal(
            currency=row.currency,
            estimate_nano=row.estimate_nano,
            billed=money_of(row, "billed_"),
            attributed=money_of(row, "attributed_"),
            gaps=classes[row.currency],
        )
        for row in rows
        if not row.gap_class
    ]


def _params(tx: TenantTx, query: LedgerQuery) -> dict[str, Any]:
    params: dict[str, Any] = {
        "tenant": tx.tenant_id,
        "first_day": query.first_day,
        "end_day": query.end_day,
    }
    if query.as_of is not None:
        params["as_of"] = query.as_of
    return params


def _conditions(query: LedgerQuery, params: dict[str, Any]) -> str:
    """Conditions on a ``c`` with the columns of a cell; adds their values to ``params``."""
    given = {name: getattr(query, name) for name in ("account_id", "region", "model_id")}
    chosen = {name: value for name, value in given.items() if value is not None}
    params.update(chosen)
    return "".join(f" AND c.{name} = :{name}" for name in chosen)


def _gap_condition(query: LedgerQuery, params: dict[str, Any]) -> str:
    """The condition that a row has a gap of the kind asked for; adds its values to ``params``."""
    which = ""
    if query.gap_class is not None:
        params["gap_class"] = query.gap_class.value
        which += _OF_CLASS
    if query.min_gap_nano is not None:
        params["min_gap"] = query.min_gap_nano
        which += _AT_LEAST
    return _HAS_GAP.format(which=which) if which else ""


def _bound(key: LedgerKey) -> dict[str, Any]:
    return {
        "day": key.day,
        "account": key.account_id,
        "region": key.region,
        "model": key.model_id,
        "currency": key.currency,
    }


def _row(row: Row[Any]) -> LedgerRow:
    cell = Cell(row.account_id, row.region, row.model_id)
    total = CellSum(
        cell=cell,
        currency=row.currency,
        grain=None if row.grain is None else Grain(row.grain),
        requests=row.requests,
        logged_tokens=int(row.logged_tokens),
        billed_tokens=int(row.billed_tokens),
        lines=row.lines,
        estimate_nano=row.estimate_nano,
        billed=money_of(row, "billed_"),
        attributed=money_of(row, "attributed_"),
    )
    gaps = [
        Gap(cell, row.currency, GapClass(name), Money(*money), evidence)
        for name, *money, evidence in row.gaps or ()
    ]
    return LedgerRow(
        row.day,
        total,
        tuple(sorted(gaps, key=lambda g: _ORDER[g.gap_class])),
        row._mapping.get("size_nano"),
    )

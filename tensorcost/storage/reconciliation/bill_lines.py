"""Single lines of a reconciled month's bill, and what they are called by account, region, model."""

from collections import defaultdict
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from uuid import UUID

from sqlalchemy import Row

from tensorcost.domain.cost.query_window import midnight
from tensorcost.domain.cost.reconciliation.closing import period_end
from tensorcost.domain.cost.reconciliation.facts import Cell, GapClass, LineClass, Money
from tensorcost.domain.cost.reconciliation.line_names import NamedLines, lines_of_class
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.storage.paging import Page
from tensorcost.storage.reconciliation.chosen import chosen_days, money_of
from tensorcost.storage.reconciliation.inputs import line_class
from tensorcost.storage.reconciliation.versions import Version
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.bill_days import CHARGE_DAY, CHARGE_NET

_CELL: Final = "d.usage_account_id AS account_id, d.region, d.model_id"
_LINES: Final = f"""
    SELECT l.delivery_id, l.line_no, {CHARGE_DAY} AS day, {_CELL}, l.payer_account_id,
        l.line_item_type, l.charge_category, l.in_scope, l.product_code, l.usage_type,
        l.operation, l.resource_id, l.token_kind, d.service_tier, d.routing_scope,
        l.quantity_micro, l.unit, l.unblended_nano, l.amortized_nano, {CHARGE_NET} AS net_nano,
        l.currency, l.invoice_id, l.billing_entity
    FROM ai.bill_line l
    JOIN ai.dimension d ON d.tenant_id = l.tenant_id AND d.dim_id = l.dim_id
    WHERE l.tenant_id = :tenant AND l.delivery_id = ANY(CAST(:deliveries AS uuid[])){{conditions}}
    ORDER BY l.delivery_id, l.line_no LIMIT :n
"""
_FROM: Final = " AND l.usage_start >= :from_start"
_UNTIL: Final = " AND l.usage_start < :until_start"
_AFTER: Final = " AND (l.delivery_id, l.line_no) > (:after_delivery, :after_line)"
_REFUND: Final = "lower(l.line_item_type) = 'refund'"
_USAGE: Final = f"l.charge_category = 'Usage' AND NOT {_REFUND}"
_OF_CLASS: Final = {
    LineClass.REFUND: _REFUND,
    LineClass.TAX: f"l.charge_category = 'Tax' AND NOT {_REFUND}",
    LineClass.CREDIT: f"l.charge_category = 'Credit' AND NOT {_REFUND}",
    LineClass.DISCOUNT: f"l.charge_category = 'Adjustment' AND NOT {_REFUND}",
    LineClass.COMMITMENT: f"l.charge_category = 'Purchase' AND NOT {_REFUND}",
    LineClass.OUT_OF_SCOPE: f"{_USAGE} AND NOT l.in_scope",
    LineClass.USAGE: f"{_USAGE} AND l.in_scope AND l.currency = 'USD'",
    LineClass.OTHER_CURRENCY: f"{_USAGE} AND l.in_scope AND l.currency <> 'USD'",
}
"""The conditions of ``line_class``."""
_BEHIND: Final = f"""
    AND ({CHARGE_DAY}, d.usage_account_id, d.region, d.model_id, l.currency) IN (
        SELECT g.day, g.account_id, g.region, g.model_id, g.currency
        FROM ({{days}}) v JOIN ai.reconciled_gap g ON g.tenant_id = :tenant AND g.day = v.day
            AND g.reconciliation_id = v.reconciliation_id
        WHERE g.gap_class = :gap_class)
"""
_NAMES: Final = f"""
    WITH place AS (
        SELECT d.dim_id, {_CELL} FROM ai.dimension d
        WHERE d.tenant_id = :tenant AND (d.usage_account_id, d.region, d.model_id) IN (
            SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:regions AS text[]),
                CAST(:models AS text[])))
    )
    SELECT {CHARGE_DAY} AS day, d.account_id, d.region, d.model_id, l.currency, l.charge_category,
        l.line_item_type, l.in_scope, l.usage_type, l.product_code, l.invoice_id,
        sum(abs(l.unblended_nano))::bigint AS size_nano
    FROM ai.bill_line l JOIN place d USING (dim_id)
    WHERE l.tenant_id = :tenant AND l.delivery_id = ANY(CAST(:deliveries AS uuid[]))
      AND {CHARGE_DAY} = ANY(CAST(:days AS date[])){{conditions}}
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11
"""


class LineKey(NamedTuple):
    """Where a page ended: lines stand in the order of the bill's files."""

    delivery_id: UUID
    line_no: int


@dataclass(frozen=True, slots=True)
class LineQuery:
    """Lines of days ``[first_day, end_day)``; None keeps everything, the empty text those that
    name nothing there."""

    first_day: date
    end_day: date
    account_id: str | None = None
    region: str | None = None
    model_id: str | None = None
    gap_class: GapClass | None = None
    """The lines that the class is about: those of the same name, or else the usage of the days and
    places that have such a gap."""
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class LineOnBill:
    """One line as the bill has it, and the day, place and class in which it is reconciled."""

    key: LineKey
    day: date
    cell: Cell
    line_class: LineClass
    payer_account_id: str
    line_item_type: str
    product_code: str
    usage_type: str
    operation: str
    resource_id: str
    token_kind: TokenKind | None
    service_tier: ServiceTier
    routing_scope: RoutingScope
    quantity_micro: int
    unit: str
    money: Money
    currency: str
    invoice_id: str
    billing_entity: str


NamedPlace = tuple[date, Cell, str]
"""Day, account, region and model, currency."""


async def read_bill_lines(
    tx: TenantTx, version: Version, query: LineQuery, *, limit: int, after: LineKey | None = None
) -> Page[LineOnBill]:
    """A page of the closed days' lines of the deliveries that the version was made of."""
    first_day = max(query.first_day, version.period)
    end_day = min(query.end_day, version.closed_until)
    if first_day >= end_day:
        return Page.cut((), limit)
    conditions, chosen = _charged(version.period, first_day, end_day)
    given = {
        "usage_account_id": query.account_id,
        "region": query.region,
        "model_id": query.model_id,
    }
    for name, value in given.items():
        if value is not None:
            conditions += f" AND d.{name} = :{name}"
            chosen[name] = value
    if query.gap_class is not None:
        about = lines_of_class(query.gap_class)
        conditions += f" AND ({_OF_CLASS[about]})"
        if about is LineClass.USAGE:
            conditions += _BEHIND.format(days=chosen_days(query.as_of))
            chosen |= {
                "gap_class": query.gap_class.value,
                "first_day": first_day,
                "end_day": end_day,
            }
            if query.as_of is not None:
                chosen["as_of"] = query.as_of
    if after is not None:
        conditions += _AFTER
        chosen |= {"after_delivery": after.delivery_id, "after_line": after.line_no}
    rows = await tx.all(
        _LINES.format(conditions=conditions),
        tenant=tx.tenant_id,
        deliveries=list(version.deliveries),
        period=version.period,
        n=limit + 1,
        **chosen,
    )
    return Page.cut([_line(row) for row in rows], limit)


async def read_line_names(
    tx: TenantTx, version: Version, places: Collection[NamedPlace]
) -> dict[NamedPlace, dict[LineClass, list[NamedLines]]]:
    """What the lines of these places are called, by class. Reads the lines from the first of the
    days to the last once, however many places are asked for."""
    if not places:
        return {}
    cells = sorted({cell for _, cell, _ in places})
    days = sorted({day for day, _, _ in places})
    conditions, between = _charged(version.period, days[0], days[-1] + timedelta(days=1))
    rows = await tx.all(
        _NAMES.format(conditions=conditions),
        tenant=tx.tenant_id,
        deliveries=list(version.deliveries),
        period=version.period,
        days=days,
        accounts=[cell.account_id for cell in cells],
        regions=[cell.region for cell in cells],
        models=[cell.model_id for cell in cells],
        **between,
    )
    return _by_place(rows)


def _charged(period: date, first_day: date, end_day: date) -> tuple[str, dict[str, Any]]:
    """Charge days ``[first_day, end_day)`` of the month, as conditions that an index can answer.

    The first and the last day of the month hold what is dated before and after it too.
    """
    conditions, bounds = "", dict[str, Any]()
    if first_day > period:
        conditions, bounds = _FROM, {"from_start": midnight(first_day)}
    if end_day < period_end(period):
        conditions, bounds = conditions + _UNTIL, bounds | {"until_start": midnight(end_day)}
    return conditions, bounds


def _by_place(rows: Iterable[Row[Any]]) -> dict[NamedPlace, dict[LineClass, list[NamedLines]]]:
    found: dict[NamedPlace, dict[LineClass, list[NamedLines]]] = defaultdict(
        lambda: defaultdict(list)
    )
    for row in rows:
        place = (row.day, Cell(row.account_id, row.region, row.model_id), row.currency)
        found[place][_class_of(row)].append(
            NamedLines(
                usage_type=row.usage_type,
                product_code=row.product_code,
                line_item_type=row.line_item_type,
                invoice_id=row.invoice_id,
                size_nano=row.size_nano,
            )
        )
    return found


def _class_of(row: Row[Any]) -> LineClass:
    return line_class(row.charge_category, row.line_item_type, row.currency, in_scope=row.in_scope)


def _line(row: Row[Any]) -> LineOnBill:
    return LineOnBill(
        key=LineKey(row.delivery_id, row.line_no),
        day=row.day,
        cell=Cell(row.account_id, row.region, row.model_id),
        line_class=_class_of(row),
        payer_account_id=row.payer_account_id,
        line_item_type=row.line_item_type,
        product_code=row.product_code,
        usage_type=row.usage_type,
        operation=row.operation,
        resource_id=row.resource_id,
        token_kind=TokenKind(row.token_kind) if row.token_kind else None,
        service_tier=ServiceTier(row.service_tier),
        routing_scope=RoutingScope(row.routing_scope),
        quantity_micro=int(row.quantity_micro),
        unit=row.unit,
        money=money_of(row),
        currency=row.currency,
        invoice_id=row.invoice_id,
        billing_entity=row.billing_entity,
    )

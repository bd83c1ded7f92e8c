"""The bill and the rollup of a month, day by day, in memory that a month's size does not change.

Two server-side cursors ordered by day, read side by side; dimensions are fetched once each, when
the first row names them, so that the rows themselves stay narrow.
"""

from bisect import bisect_right
from collections.abc import AsyncIterator, Callable, Collection
from datetime import date, timedelta
from operator import itemgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

from tensorcost.domain.cost.price import TOKEN_KINDS
from tensorcost.domain.cost.reconciliation.facts import (
    Billed,
    Cell,
    LineClass,
    Logged,
    Money,
    Rates,
)
from tensorcost.domain.cost.reconciliation.negation import NEGATION
from tensorcost.domain.spend.bill import ChargeCategory, TokenKind
from tensorcost.domain.spend.facts import (
    Dimension,
    Grain,
)
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.bill_extents import Sold, read_sold
from tensorcost.storage.spend.dimensions import PRICED_BY, priced_dimension

BILLED_COLUMNS: Final = (
    "dim_id",
    "charge_category",
    "in_scope",
    "currency",
    "token_kind",
    "unit",
    "line_item_type",
    "lines",
    "quantity_micro",
    "unblended_nano",
    "amortized_nano",
    "net_nano",
)
LOGGED_COLUMNS: Final = (
    "dim_id",
    "actor_id",
    "grain",
    "requests",
    "cost_nano",
    "unpriced_requests",
    "unpriced_tokens",
    *(f"{kind.value}_tokens" for kind in TOKEN_KINDS),
)
_USED: Final = 1 + len(LOGGED_COLUMNS) - len(TOKEN_KINDS)
"""Columns of a row, the day included, before its tokens."""
_BILLED: Final = f"""
    SELECT day, {", ".join(BILLED_COLUMNS)} FROM ai.bill_daily
    WHERE tenant_id = $1 AND day >= $2 AND day < $3 AND day <> ALL($4::date[])
      AND delivery_id = ANY($5::uuid[])
    ORDER BY day
"""
_LOGGED: Final = f"""
    SELECT day, {", ".join(LOGGED_COLUMNS)} FROM ai.spend_daily
    WHERE tenant_id = $1 AND day >= $2 AND day < $3 AND day <> ALL($4::date[])
    ORDER BY day
"""
_DIMENSIONS: Final = f"""
    SELECT dim_id, usage_account_id, {", ".join(PRICED_BY)}
    FROM ai.dimension WHERE tenant_id = $1 AND dim_id = ANY($2::bigint[])
"""
_PAGE: Final = 2_000
_DAY: Final = timedelta(days=1)
_DAY_OF: Final = itemgetter(0)
_GRAINS: Final = {int(grain): grain for grain in Grain}
_TOKEN_KINDS: Final = {"": None, **{kind.value: kind for kind in TokenKind}}
_OTHER_THAN_USAGE: Final = {
    ChargeCategory.TAX.value: LineClass.TAX,
    ChargeCategory.CREDIT.value: LineClass.CREDIT,
    ChargeCategory.ADJUSTMENT.value: LineClass.DISCOUNT,
    ChargeCategory.PURCHASE.value: LineClass.COMMITMENT,
}


RatesOf = Callable[[Dimension, date], Rates]
"""List prices on a day. The dimension holds what a price depends on and nothing else: it is not
the stored one, and its ``stable_id`` is another."""


class DayInputs(NamedTuple):
    """What was billed for and logged on one day, unordered."""

    day: date
    billed: list[Billed]
    logged: list[Logged]


def line_class(
    charge_category: str, line_item_type: str, currency: str, *, in_scope: bool
) -> LineClass:
    """What a bill line is. Tax, credits and fees keep their class when they are out of scope."""
    if line_item_type.lower() == "refund":
        return LineClass.REFUND
    if other := _OTHER_THAN_USAGE.get(charge_category):
        return other
    if not in_scope:
        return LineClass.OUT_OF_SCOPE
    return LineClass.USAGE if currency == "USD" else LineClass.OTHER_CURRENCY


async def read_day_inputs(
    tx: TenantTx,
    period: date,
    closed_until: date,
    deliveries: Collection[UUID],
    rates_of: RatesOf,
    *,
    skipped: Collection[date] = (),
) -> AsyncIterator[DayInputs]:
    """Every day of the month before ``closed_until``, in order, those without a row too.

    ``deliveries`` are the month's bill, as ``read_periods_due`` and ``read_delivery_facts`` name
    them. Usage of a source that they do not sell is left out: an AWS bill says nothing of it.
    """
    driver = await tx.driver()
    sold = await read_sold(tx, deliveries)
    dimensions = _Dimensions(tx)
    days = (tx.tenant_id, period, closed_until, list(skipped))
    billed = _Pages(await driver.cursor(_BILLED, *days, list(deliveries)))
    logged = _Pages(await driver.cursor(_LOGGED, *days))
    day = period
    while day < closed_until:
        if day in skipped:
            day += _DAY
            continue
        bill, rollup = await billed.of(day), await logged.of(day)
        used = {row[1] for row in rollup}
        known = await dimensions.named({row[1] for row in bill} | used)
        priced = {
            dim_id: (where, cell, _speaks(sold, where, day), rates_of(where, day))
            for dim_id, (where, cell) in ((dim_id, known[dim_id]) for dim_id in used)
            if where.source in sold
        }
        yield DayInputs(
            day,
            [_billed(row, *known[row[1]]) for row in bill],
            [_logged(row, *priced[row[1]]) for row in rollup if row[1] in priced],
        )
        day += _DAY


class _Pages:
    """Rows of a cursor whose first column is a day, a day at a time."""

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self._ahead: list[Any] = []

    async def of(self, day: date) -> list[Any]:
        """The rows of ``day``; days must be asked for in order."""
        found: list[Any] = []
        while ahead := self._ahead or await self._cursor.fetch(_PAGE):
            end = bisect_right(ahead, day, key=_DAY_OF)
            found += ahead[:end]
            self._ahead = ahead[end:]
            if self._ahead:
                break
        return found


class _Dimensions:
    """What each dimension is priced by and the cell it lies in, read once."""

    def __init__(self, tx: TenantTx) -> None:
        self._tx = tx
        self._known: dict[int, tuple[Dimension, Cell]] = {}

    async def named(self, dim_ids: Collection[int]) -> dict[int, tuple[Dimension, Cell]]:
        missing = [dim_id for dim_id in dim_ids if dim_id not in self._known]
        if missing:
            driver = await self._tx.driver()
            for row in await driver.fetch(_DIMENSIONS, self._tx.tenant_id, missing):
                where = priced_dimension(row, row["usage_account_id"])
                cell = Cell(where.usage_account_id, where.region, where.model_id)
                self._known[row["dim_id"]] = (where, cell)
        return self._known


def _speaks(sold: Sold, where: Dimension, day: date) -> bool:
    """Whether a bill speaks for the dimension's account on the day."""
    extent = sold[where.source].get(where.usage_account_id)
    return extent is not None and extent.has(day)


def _billed(row: Any, where: Dimension, cell: Cell) -> Billed:
    _, dim_id, category, in_scope, currency, kind, unit, item, lines, quantity, *money = row
    return Billed(
        dim_id=dim_id,
        cell=cell,
        line_class=line_class(category, item, currency, in_scope=in_scope),
        kind=_TOKEN_KINDS[kind],
        unit=unit,
        service_tier=where.service_tier,
        routing_scope=where.routing_scope,
        currency=currency,
        quantity=int(quantity),
        money=Money(*money),
        lines=lines,
        is_negation=item == NEGATION,
    )


def _logged(row: Any, where: Dimension, cell: Cell, is_billed: bool, rates: Rates) -> Logged:
    _, dim_id, actor_id, grain, requests, estimate, unpriced_requests, unpriced_tokens = row[:_USED]
    # By position, which is cheaper: this is done for every row.
    return Logged(
        dim_id,
        actor_id,
        _GRAINS[grain],
        cell,
        where.service_tier,
        where.routing_scope,
        row[_USED:],
        requests,
        estimate,
        unpriced_requests,
        unpriced_tokens,
        is_billed,
        rates,
    )

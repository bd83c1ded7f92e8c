"""The bill and the rollup of a month, day by day, in memory that a month's size does not change.

Two server-side cursors ordered by day, read side by side; dimensions are fetched once each, when
the first row names them, so that the rows themselves stay narrow.
"""

from bisect import bisect_right
from collections.abc import AsyncIterator, Collection, Mapping
from datetime import date, timedelta
from fractions import Fraction
from operator import itemgetter
from typing import Any, Final, NamedTuple
from uuid import UUID

from tensorcost.domain.cost.price import TOKEN_KINDS
from tensorcost.domain.cost.reconciliation.facts import Billed, Cell, LineClass, Logged, Money
from tensorcost.domain.cost.reconciliation.negation import NEGATION
from tensorcost.domain.spend.bill import ChargeCategory, TokenKind
from tensorcost.domain.spend.facts import (
    Dimension,
    Grain,
)
from tensorcost.storage.session import TenantTx
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
_USED: Final = 4
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
_SOLD: Final = """
    SELECT d.source, array_agg(DISTINCT d.usage_account_id ORDER BY d.usage_account_id)
        FILTER (WHERE b.currency = 'USD') AS accounts
    FROM ai.bill_daily b JOIN ai.dimension d ON d.tenant_id = $1 AND d.dim_id = b.dim_id
    WHERE b.tenant_id = $1 AND b.delivery_id = ANY($2::uuid[])
      AND b.in_scope AND b.charge_category = 'Usage'
    GROUP BY d.source
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


class LoggedRow(NamedTuple):
    """One row of the daily rollup, before its list prices are looked up.

    ``where`` holds what a price and a cell depend on and nothing else: it is not the stored
    dimension, and its ``stable_id`` is not ``dim_id``. Sums may be negative where a metric
    window was restated.
    """

    dim_id: int
    actor_id: int
    grain: Grain
    where: Dimension
    cell: Cell
    is_billed: bool
    """A bill names the account."""
    tokens: Mapping[TokenKind, int]
    """Kinds without a token are absent."""
    requests: int
    estimate_nano: int
    unpriced_requests: int
    unpriced_tokens: int

    def at_rates(self, rates: Mapping[TokenKind, Fraction | None]) -> Logged:
        """The row with the list prices of its dimension on its day, in nano-USD a token."""
        return Logged(
            dim_id=self.dim_id,
            actor_id=self.actor_id,
            grain=self.grain,
            cell=self.cell,
            service_tier=self.where.service_tier,
            routing_scope=self.where.routing_scope,
            tokens=self.tokens,
            requests=self.requests,
            estimate_nano=self.estimate_nano,
            unpriced_requests=self.unpriced_requests,
            unpriced_tokens=self.unpriced_tokens,
            is_billed=self.is_billed,
            rates=rates,
        )


class DayInputs(NamedTuple):
    """What was billed for and logged on one day, unordered."""

    day: date
    billed: list[Billed]
    logged: list[LoggedRow]


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


async def read_sold(tx: TenantTx, deliveries: Collection[UUID]) -> dict[str, frozenset[str]]:
    """The accounts whose usage the deliveries bill in dollars, by source; a source that they
    bill in other currencies alone has none."""
    driver = await tx.driver()
    rows = await driver.fetch(_SOLD, tx.tenant_id, list(deliveries))
    return {row["source"]: frozenset(row["accounts"] or ()) for row in rows}


async def read_day_inputs(
    tx: TenantTx,
    period: date,
    closed_until: date,
    deliveries: Collection[UUID],
    *,
    skipped: Collection[date] = (),
) -> AsyncIterator[DayInputs]:
    """Every day of the month before ``closed_until``, in order, those without a row too.

    ``deliveries`` are the month's bill, as ``read_periods_due`` and ``read_delivery_facts`` name
    them. Usage of a source that they do not sell is left out: an AWS bill says nothing of it.
    """
    driver = await tx.driver()
    sold = await read_sold(tx, deliveries)
    dimensions = _Dimensions(tx, sold)
    days = (tx.tenant_id, period, closed_until, list(skipped))
    billed = _Pages(await driver.cursor(_BILLED, *days, list(deliveries)))
    logged = _Pages(await driver.cursor(_LOGGED, *days))
    day = period
    while day < closed_until:
        if day in skipped:
            day += _DAY
            continue
        bill, rollup = await billed.of(day), await logged.of(day)
        known = await dimensions.named({row[1] for row in bill} | {row[1] for row in rollup})
        yield DayInputs(
            day,
            [_billed(row, *known[row[1]][:2]) for row in bill],
            [_logged(*known[row[1]], *row) for row in rollup if known[row[1]][0].source in sold],
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
    """What each dimension is priced by, the cell it lies in and whether a bill names its account,
    read once."""

    def __init__(self, tx: TenantTx, sold: Mapping[str, Collection[str]]) -> None:
        self._tx = tx
        self._sold = sold
        self._known: dict[int, tuple[Dimension, Cell, bool]] = {}

    async def named(self, dim_ids: Collection[int]) -> dict[int, tuple[Dimension, Cell, bool]]:
        missing = [dim_id for dim_id in dim_ids if dim_id not in self._known]
        if missing:
            driver = await self._tx.driver()
            for row in await driver.fetch(_DIMENSIONS, self._tx.tenant_id, missing):
                where = priced_dimension(row, row["usage_account_id"])
                cell = Cell(where.usage_account_id, where.region, where.model_id)
                is_billed = cell.account_id in self._sold.get(where.source, ())
                self._known[row["dim_id"]] = (where, cell, is_billed)
        return self._known


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


def _logged(
    where: Dimension,
    cell: Cell,
    is_billed: bool,
    _: date,
    dim_id: int,
    actor_id: int,
    grain: int,
    *numbers: int,
) -> LoggedRow:
    """``numbers``: from ``requests`` to ``unpriced_tokens`` as in LOGGED_COLUMNS, then tokens."""
    used, counts = numbers[:_USED], numbers[_USED:]
    tokens = {kind: count for kind, count in zip(TOKEN_KINDS, counts, strict=True) if count}
    # By position, which is cheaper: this is done for every row.
    return LoggedRow(dim_id, actor_id, _GRAINS[grain], where, cell, is_billed, tokens, *used)

"""Lines outside AI spend, folded exactly by day, account, product and type."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Context, Decimal
from typing import Final

import numpy as np
import pyarrow as pa

from tensorcost.domain.money import nano_from_decimal
from tensorcost.domain.spend.bill import BillLine
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.providers.bedrock.cur_amounts import Views, category_of
from tensorcost.providers.bedrock.cur_codes import Codes, Int64, group_rows
from tensorcost.providers.bedrock.cur_exact import widened
from tensorcost.providers.bedrock.cur_patterns import Kind

_DAY: Final = timedelta(days=1)
_DAY_US: Final = 86_400_000_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_ZERO: Final = Decimal(0)
_EXACT: Final = Context(prec=90)
_Whose = tuple[str, str, str, str, str, str, str, date]
_FoldKey = tuple[datetime, str, str, str, str, str, str, str, date]


@dataclass(slots=True)
class _Fold:
    """Exact sums, converted once when the fold is complete."""

    line_no: int
    unblended: Decimal = _ZERO
    amortized: Decimal = _ZERO
    net: Decimal | None = None


class Folds:
    """The folds of one file."""

    def __init__(self) -> None:
        self._folds: dict[_FoldKey, _Fold] = {}

    def add(
        self, views: Views, kinds: Sequence[Kind], kind: Int64, start_us: Int64, first: int
    ) -> None:
        """Fold ``views.rows``; ``kind`` and ``start_us`` are of all rows of the run, whose first
        one has the line number ``first``."""
        rows = views.rows
        whose = [_whose(k) for k in kinds]
        days, day = np.unique(start_us[rows] // _DAY_US, return_inverse=True)
        of_day = Codes(days.tolist(), day.astype(np.int64))
        found, group = group_rows([of_day, _same(whose, kind[rows])])
        sums = _sums(views, group)
        for index, row in enumerate(found.tolist()):
            begin = _EPOCH + of_day.value(row) * _DAY
            key = (begin, *whose[kind[rows[row]]])
            number = first + int(rows[row])
            fold = self._folds.setdefault(key, _Fold(number))
            fold.line_no = min(fold.line_no, number)
            unblended, amortized, net = sums[index]
            fold.unblended = _EXACT.add(fold.unblended, unblended or _ZERO)
            fold.amortized = _EXACT.add(fold.amortized, amortized or _ZERO)
            if net is not None:
                fold.net = _EXACT.add(fold.net or _ZERO, net)

    def lines(self) -> list[BillLine]:
        """One line a day, account, product and type."""
        return [_line(key, self._folds[key]) for key in sorted(self._folds)]


def _whose(kind: Kind) -> _Whose:
    item, account, product, _, currency, payer, entity, invoice, _ = kind.texts
    period = kind.billing_period or date.min
    return account, product, item, currency, payer, entity, invoice, period


def _same(whose: Sequence[_Whose], kind: Int64) -> Codes:
    """Kinds that fold together are one."""
    known: dict[_Whose, int] = {}
    numbers = [known.setdefault(one, len(known)) for one in whose]
    return Codes(list(known), np.array(numbers, dtype=np.int64)[kind])


def _sums(views: Views, group: Int64) -> list[tuple[Decimal | None, ...]]:
    """By group: exact sums of the three bases, None where no row has an amount."""
    names = ("unblended", "amortized", "net")
    table = pa.table({"group": group, **{name: widened(getattr(views, name)) for name in names}})
    summed = table.group_by("group").aggregate([(name, "sum") for name in names])
    summed = summed.sort_by("group")
    return list(zip(*[summed[f"{name}_sum"].to_pylist() for name in names], strict=True))


def _line(key: _FoldKey, fold: _Fold) -> BillLine:
    day, account, product, kind, currency, payer, entity, invoice, period = key
    return BillLine(
        line_no=fold.line_no,
        usage_start=day,
        usage_end=day + _DAY,
        payer_account_id=payer,
        usage_account_id=account,
        region="",
        line_item_type=kind,
        charge_category=category_of(kind),
        in_scope=False,
        provider="",
        product_code=product,
        usage_type="",
        operation="",
        resource_id="",
        model_id="",
        token_kind=None,
        routing_scope=RoutingScope.IN_REGION,
        service_tier=ServiceTier.STANDARD,
        quantity_micro=0,
        unit="",
        unblended_nano=nano_from_decimal(fold.unblended),
        amortized_nano=nano_from_decimal(fold.amortized),
        net_nano=None if fold.net is None else nano_from_decimal(fold.net),
        currency=currency,
        invoice_id=invoice,
        billing_entity=entity,
        billing_period=None if period == date.min else period,
    )

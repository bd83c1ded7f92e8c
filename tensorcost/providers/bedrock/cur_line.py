"""Columns of a bill to lines: classified and exact when AI spend, folded when not."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from hashlib import blake2b
from typing import Final

from tensorcost.domain.spend.bill import BillLine, ParsedBill
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.domain.spend.limits import AWS_ACCOUNT, RejectReason, TimeBounds, to_us
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.bedrock.cur_amounts import (
    RESERVATION_FEE,
    ZERO,
    amortized,
    category_of,
    net_amortized,
    quantity_micro,
    read_amount,
    to_nano,
)
from tensorcost.providers.bedrock.cur_columns import clean_tags
from tensorcost.providers.bedrock.cur_table import Rows
from tensorcost.providers.bedrock.cur_usage import BEDROCK, UsageClass, classify_usage
from tensorcost.providers.bedrock.model_id import ResolvedModel, resolve_model
from tensorcost.providers.bedrock.profiles import ProfileDirectory

_DAY: Final = timedelta(days=1)
_MAX_CACHED: Final = 50_000
_TEXT_LIMIT: Final = 2048
_AWS_CODES: Final = ("Amazon", "AWS", "aws")
_KEY_COLUMNS: Final = (
    "line_item_line_item_type",
    "line_item_usage_account_id",
    "line_item_product_code",
    "line_item_usage_type",
    "line_item_currency_code",
    "bill_payer_account_id",
    "bill_billing_entity",
    "bill_invoice_id",
    "pricing_unit",
)
_FoldKey = tuple[datetime, str, str, str, str, str, str, str]


@dataclass(slots=True)
class _Fold:
    """Exact sums, converted once when the fold is complete."""

    line_no: int
    unblended: Decimal = ZERO
    amortized: Decimal = ZERO
    net: Decimal | None = None


class _BadRow(Exception):
    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = detail


class LineBuilder:
    """Builds the lines of one file. Call ``add`` for each run of rows, then ``folded``."""

    def __init__(
        self, file: str, bounds: TimeBounds, directory: ProfileDirectory, line_offset: int
    ) -> None:
        self._file = file
        self._offset = line_offset
        self._bounds = bounds
        self._directory = directory
        self._classes: dict[tuple[str, str, str, str], UsageClass] = {}
        self._models: dict[str, ResolvedModel] = {}
        self._times: dict[object, datetime | None] = {}
        self._amounts: dict[object, Decimal | None] = {}
        self._folds: dict[_FoldKey, _Fold] = {}

    def add(self, rows: Rows, before: int, bill: ParsedBill) -> None:
        """Append the lines of AI spend to ``bill``, its rejects, and fold the rest.

        ``before`` is the number of rows of the file before these.
        """
        for index, texts in enumerate(_texts(rows)):
            number = self._offset + before + index + 1
            try:
                name = _product_name(rows, index, texts[2])
                usage = self._classify(texts[2], texts[3], name, texts[8])
                if usage.in_scope:
                    bill.lines.append(self._line(rows, index, number, texts, usage))
                else:
                    self._fold(rows, index, number, texts)
            except _BadRow as bad:
                line_hash = blake2b("|".join(texts).encode(), digest_size=16).digest()
                bill.rejects.append(
                    Reject(self._file, before + index + 1, bad.reason, bad.detail, line_hash)
                )

    def folded(self) -> list[BillLine]:
        """The lines outside AI spend, one a day, account, product and type."""
        return [_folded_line(key, self._folds[key]) for key in sorted(self._folds)]

    def _classify(self, product: str, usage_type: str, name: str, unit: str) -> UsageClass:
        key = (product, usage_type, name, unit)
        known = self._classes.get(key)
        if known is None:
            known = classify_usage(*key)
            if len(self._classes) < _MAX_CACHED:
                self._classes[key] = known
        return known

    def _common(
        self, rows: Rows, index: int, texts: tuple[str, ...]
    ) -> tuple[datetime, Decimal | None, Decimal, Decimal | None]:
        """(start, unblended, amortised, net) of a row. Raises _BadRow."""
        if not AWS_ACCOUNT.fullmatch(texts[1]):
            raise _BadRow(RejectReason.BAD_ACCOUNT, "line_item_usage_account_id")
        start = self._start(rows, index)

        def get(column: str) -> Decimal | None:
            return self._amount(rows, column, index)

        kind = texts[0]
        if kind == "Fee" and rows.cell("reservation_reservation_a_r_n", index):
            kind = RESERVATION_FEE
        cost = get("line_item_unblended_cost")
        return start, cost, amortized(kind, get), net_amortized(kind, get)

    def _start(self, rows: Rows, index: int) -> datetime:
        start = self._time(rows.cell("line_item_usage_start_date", index))
        if start is None:
            interval = str(rows.cell("identity_time_interval", index) or "")
            start = self._time(interval.partition("/")[0])
        if start is None:
            start = self._time(rows.cell("bill_billing_period_start_date", index))
        if start is None:
            raise _BadRow(RejectReason.BAD_TIMESTAMP, "line_item_usage_start_date")
        if reason := self._bounds.problem(to_us(start)):
            raise _BadRow(reason, "line_item_usage_start_date")
        return start

    def _time(self, cell: object) -> datetime | None:
        if cell is None or cell == "":
            return None
        if cell not in self._times:
            if len(self._times) > _MAX_CACHED:
                self._times.clear()
            self._times[cell] = _parse_time(cell)
        return self._times[cell]

    def _amount(self, rows: Rows, column: str, index: int) -> Decimal | None:
        cell = rows.cell(column, index)
        if cell is None or cell == "":
            return None
        known = self._amounts.get(cell)
        if known is None:
            try:
                known = read_amount(cell)
            except ValueError as error:
                raise _BadRow(RejectReason.BAD_AMOUNT, column) from error
            if len(self._amounts) < _MAX_CACHED:
                self._amounts[cell] = known
        return known

    def _fold(self, rows: Rows, index: int, number: int, texts: tuple[str, ...]) -> None:
        start, cost, spread, net = self._common(rows, index, texts)
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        key = (day, texts[1], texts[2], texts[0], texts[4], texts[5], texts[6], texts[7])
        fold = self._folds.setdefault(key, _Fold(number))
        fold.unblended += cost or ZERO
        fold.amortized += spread
        if net is not None:
            fold.net = (fold.net or ZERO) + net

    def _line(
        self, rows: Rows, index: int, number: int, texts: tuple[str, ...], usage: UsageClass
    ) -> BillLine:
        start, cost, spread, net = self._common(rows, index, texts)
        resource = str(rows.cell("line_item_resource_id", index) or "")[:_TEXT_LIMIT]
        model = self._model(resource) if usage.provider == BEDROCK else None
        used = self._amount(rows, "line_item_usage_amount", index)
        try:
            quantity = quantity_micro(used, usage.scale)
            nanos = to_nano(cost), to_nano(spread), None if net is None else to_nano(net)
        except ValueError as error:
            raise _BadRow(RejectReason.BAD_AMOUNT, str(error)) from error
        end = self._time(rows.cell("line_item_usage_end_date", index))
        return BillLine(
            line_no=number,
            usage_start=start,
            usage_end=end if end is not None and end > start else start + _DAY,
            payer_account_id=texts[5],
            usage_account_id=texts[1],
            region=_region(rows, index) or usage.region,
            line_item_type=texts[0],
            charge_category=category_of(texts[0]),
            in_scope=True,
            provider=usage.provider,
            product_code=texts[2],
            usage_type=texts[3],
            operation=str(rows.cell("line_item_operation", index) or ""),
            resource_id=resource,
            model_id=model.model_id if model else usage.model_id,
            token_kind=usage.token_kind,
            routing_scope=_routing(usage, model),
            service_tier=_tier(usage, model),
            quantity_micro=quantity,
            unit=usage.unit,
            unblended_nano=nanos[0],
            amortized_nano=nanos[1],
            net_nano=nanos[2],
            currency=texts[4] or "USD",
            iam_principal=str(rows.cell("line_item_iam_principal", index) or "")[:_TEXT_LIMIT],
            invoice_id=texts[7],
            billing_entity=texts[6],
            tags=_tags(rows, index),
        )

    def _model(self, resource: str) -> ResolvedModel | None:
        """The model that a Bedrock resource stands for, where it can be told."""
        if not resource.startswith("arn:") or ":bedrock:" not in resource:
            return None
        known = self._models.get(resource)
        if known is None:
            known = resolve_model(resource, self._directory)
            if len(self._models) < _MAX_CACHED:
                self._models[resource] = known
        return known if known.is_resolved else None


def _texts(rows: Rows) -> Iterator[tuple[str, ...]]:
    """The key columns, row by row, as text; empty where a cell is."""
    columns = [[cell or "" for cell in rows.column(name)] for name in _KEY_COLUMNS]
    return zip(*columns, strict=True)


def _product_name(rows: Rows, index: int, product_code: str) -> str:
    """The product's name, looked up only where it may name a model."""
    if product_code.startswith(_AWS_CODES) and not product_code.startswith("AmazonBedrock"):
        return ""
    named = rows.cell("product_product_name", index)
    return named or dict(rows.map_of("product", index)).get("product_name", "")


def _region(rows: Rows, index: int) -> str:
    for column in ("product_region_code", "product_region"):
        if found := rows.cell(column, index):
            return str(found)
    return ""


def _tags(rows: Rows, index: int) -> tuple[tuple[str, str], ...]:
    pairs = rows.map_of("resource_tags", index) + rows.map_of("tags", index)
    for name, cells in rows.columns.items():
        if name.startswith("tag:") and cells[index]:
            pairs.append((name.removeprefix("tag:"), str(cells[index])))
    return clean_tags(pairs)


def _routing(usage: UsageClass, model: ResolvedModel | None) -> RoutingScope:
    """The usage type says global; only the profile says geographic."""
    if usage.routing_scope is not RoutingScope.IN_REGION or model is None:
        return usage.routing_scope
    return RoutingScope.GEO if model.routing_scope is RoutingScope.GEO else usage.routing_scope


def _tier(usage: UsageClass, model: ResolvedModel | None) -> ServiceTier:
    if model is not None and model.service_tier is not ServiceTier.STANDARD:
        return model.service_tier
    return usage.service_tier


def _parse_time(cell: object) -> datetime | None:
    try:
        moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _folded_line(key: _FoldKey, fold: _Fold) -> BillLine:
    day, account, product, kind, currency, payer, entity, invoice = key
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
        unblended_nano=to_nano(fold.unblended),
        amortized_nano=to_nano(fold.amortized),
        net_nano=None if fold.net is None else to_nano(fold.net),
        currency=currency or "USD",
        invoice_id=invoice,
        billing_entity=entity,
    )

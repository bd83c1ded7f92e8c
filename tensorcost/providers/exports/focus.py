"""FOCUS 1.0 to 1.4 cost and usage files, CSV or Parquet, to bill lines."""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq

from tensorcost.domain.spend.bill import BillLine, ChargeCategory, TokenKind
from tensorcost.domain.spend.facts import RoutingScope
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.exports.bad_file import BadFile
from tensorcost.providers.exports.bill_file import BillFile, BillFiles, PeriodLine, bill_file
from tensorcost.providers.exports.bill_values import (
    is_ai_service,
    moment_of,
    month_of,
    scaled_unit,
    seller_of,
    tags_of,
)
from tensorcost.providers.exports.event_names import tier_of
from tensorcost.providers.exports.table import CsvTable
from tensorcost.providers.exports.text_lines import Line, reject_of
from tensorcost.providers.exports.values import (
    BadValue,
    currency_of,
    decimal_of,
    micro_of,
    nano_of,
    plain,
    text_of,
)

REQUIRED: Final = (
    "BilledCost",
    "BillingCurrency",
    "ChargeCategory",
    "ChargePeriodStart",
    "ServiceName",
)
_AMOUNTS: Final = ("BilledCost", "EffectiveCost")
_AI_CATEGORY: Final = "AI and Machine Learning"
_PARQUET: Final = b"PAR1"
_PARQUET_ROWS: Final = 5_000
_TEXT_LIMIT: Final = 2048
_CATEGORIES: Final = {category.value.lower(): category for category in ChargeCategory}
_AZURE_PREFIXES: Final = ("/subscriptions/", "/providers/Microsoft.Billing/billingAccounts/")

Get = Callable[[str], object]
"""A column's value in one row, None where it has none; column names as FOCUS spells them."""


def read_focus(files: BillFiles) -> BillFile:
    """The billing periods of the files with their lines.

    Raises BadFile where one misses a column without which it is no FOCUS file.
    """
    return bill_file(files, _rows)


def _rows(path: Path) -> Iterator[PeriodLine | Reject]:
    return _parquet_rows(path) if _is_parquet(path) else _csv_rows(path)


def _csv_rows(path: Path) -> Iterator[PeriodLine | Reject]:
    table = CsvTable(path)
    places = {name.lower(): place for place, name in enumerate(table.columns)}
    _require(path.name, set(places))
    for row in table.rows():
        if isinstance(row, Reject):
            yield row
        else:
            yield _take(path.name, row.line, _csv_getter(places, row.values))


def _csv_getter(places: Mapping[str, int], values: list[str]) -> Get:
    def get(column: str) -> object:
        place = places.get(column.lower())
        return None if place is None else plain(values[place])

    return get


def _parquet_rows(path: Path) -> Iterator[PeriodLine | Reject]:
    number = 0
    try:
        with pq.ParquetFile(path) as file:
            names = {name.lower(): name for name in file.schema_arrow.names}
            _require(path.name, set(names))
            if wrong := _wrong_types(file.schema_arrow, names):
                yield Reject(path.name, 0, RejectReason.WRONG_TYPE, wrong)
                return
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
                for row in batch.to_pylist(maps_as_pydicts="lossy"):
                    number += 1
                    line = Line(number, repr(sorted(row.items())).encode(errors="replace"))
                    yield _take(path.name, line, _parquet_getter(names, row))
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        yield Reject(path.name, number and number + 1, RejectReason.NOT_PARQUET, str(error)[:200])


def _wrong_types(schema: pa.Schema, names: Mapping[str, str]) -> str:
    """The amount columns that hold none, and what they hold; or empty."""
    found = [
        (ours, schema.field(names[ours.lower()]).type) for ours in _AMOUNTS if ours.lower() in names
    ]
    return ", ".join(f"{ours} is {kind}" for ours, kind in found if not _is_amount(kind))


def _is_amount(kind: pa.DataType) -> bool:
    kinds = (pa.types.is_floating, pa.types.is_integer, pa.types.is_decimal, pa.types.is_null)
    return any(is_kind(kind) for is_kind in kinds)


def _parquet_getter(names: Mapping[str, str], row: Mapping[str, object]) -> Get:
    def get(column: str) -> object:
        name = names.get(column.lower())
        return None if name is None else plain(row[name])

    return get


def _is_parquet(path: Path) -> bool:
    with path.open("rb") as stream:
        return stream.read(len(_PARQUET)) == _PARQUET or path.suffix.lower() == ".parquet"


def _require(file: str, lower_columns: set[str]) -> None:
    missing = [name for name in REQUIRED if name.lower() not in lower_columns]
    if missing:
        names = ", ".join(missing)
        raise BadFile(
            f"{file} is no FOCUS cost and usage file: it misses {names}",
            RejectReason.MISSING_FIELD,
            names,
        )


def _take(file: str, line: Line, get: Get) -> PeriodLine | Reject:
    try:
        return _period_line(line.number, get)
    except BadValue as bad:
        return reject_of(file, line, bad.reason, bad.detail)


def _period_line(number: int, get: Get) -> PeriodLine:
    start = moment_of(get("ChargePeriodStart"), "ChargePeriodStart")
    end_value = get("ChargePeriodEnd")
    end = (
        start + timedelta(days=1) if end_value is None else moment_of(end_value, "ChargePeriodEnd")
    )
    if end <= start:
        raise BadValue(RejectReason.BAD_TIMESTAMP, "ChargePeriodEnd is not after its start")
    period = get("BillingPeriodStart")
    billed = _amount(get, "BilledCost")
    effective = get("EffectiveCost")
    names = [_text(get, c) for c in ("ServiceName", "PublisherName", "x_ServiceCode")]
    category = _category(get)
    quantity, unit = _quantity(get)
    in_scope = _text(get, "ServiceCategory") == _AI_CATEGORY or is_ai_service(names[0])
    maker = _text(get, "ServiceProviderName") or _text(get, "ProviderName")
    payer = _account(get, "BillingAccountId")
    line = BillLine(
        line_no=number,
        usage_start=start,
        usage_end=end,
        payer_account_id=payer,
        usage_account_id=_account(get, "SubAccountId") or payer,
        region=_text(get, "RegionId") or _text(get, "RegionName"),
        line_item_type=_text(get, "ChargeClass") or category.value,
        charge_category=category,
        in_scope=in_scope,
        provider=seller_of(maker.lower(), *names) if in_scope else maker.lower(),
        product_code=names[0],
        usage_type=_text(get, "x_UsageType") or _text(get, "SkuMeter") or _text(get, "SkuId"),
        operation=_text(get, "x_Operation"),
        resource_id=_text(get, "ResourceId"),
        model_id=_text(get, "x_ModelId"),
        token_kind=_token_kind(get),
        routing_scope=_scope(get),
        service_tier=tier_of(_text(get, "x_ServiceTier")),
        quantity_micro=quantity,
        unit=unit,
        unblended_nano=billed,
        amortized_nano=billed if effective is None else nano_of(effective, "EffectiveCost"),
        net_nano=None,
        currency=currency_of(_needed(get, "BillingCurrency"), "BillingCurrency"),
        iam_principal=_text(get, "PrincipalId"),
        invoice_id=_text(get, "InvoiceId"),
        billing_entity=_text(get, "InvoiceIssuerName"),
        tags=tags_of(get("Tags")),
    )
    return PeriodLine(month_of(start if period is None else moment_of(period, "period")), line)


def _needed(get: Get, column: str) -> object:
    value = get(column)
    if value is None:
        raise BadValue(RejectReason.MISSING_FIELD, column)
    return value


def _text(get: Get, column: str) -> str:
    value = get(column)
    return "" if value is None else text_of(value, column, _TEXT_LIMIT)


def _amount(get: Get, column: str) -> int:
    return nano_of(_needed(get, column), column)


def _account(get: Get, column: str) -> str:
    """Azure writes a resource path where others write an id."""
    text = _text(get, column)
    for prefix in _AZURE_PREFIXES:
        text = text.removeprefix(prefix)
    return text


def _category(get: Get) -> ChargeCategory:
    text = _text(get, "ChargeCategory")
    category = _CATEGORIES.get(text.lower())
    if category is None:
        reason = RejectReason.WRONG_TYPE if text else RejectReason.MISSING_FIELD
        raise BadValue(reason, "ChargeCategory")
    return category


def _quantity(get: Get) -> tuple[int, str]:
    """What was consumed; some publishers leave the pricing quantity at zero."""
    for amount, unit in (("ConsumedQuantity", "ConsumedUnit"), ("PricingQuantity", "PricingUnit")):
        value = get(amount)
        if value is not None:
            scale, name = scaled_unit(_text(get, unit))
            return micro_of(decimal_of(value, amount) * scale, amount), name
    return 0, ""


def _token_kind(get: Get) -> TokenKind | None:
    """``x_TokenType`` of our own export; usage types of others are for their adapters."""
    text = _text(get, "x_TokenType").lower()
    return next((kind for kind in TokenKind if kind.value == text), None)


def _scope(get: Get) -> RoutingScope:
    text = _text(get, "x_RoutingScope").lower()
    return next((scope for scope in RoutingScope if scope.value == text), RoutingScope.IN_REGION)

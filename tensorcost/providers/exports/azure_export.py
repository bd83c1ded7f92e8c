"""Azure cost exports (EA, pay-as-you-go and template layouts) to bill lines.

The layouts differ in names and case of their columns, and one of them states no currency.
Dates are ISO or ``M/D/YYYY``; a day above twelve in the place of the month is refused, not
guessed at.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Final

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.bill import BillLine, ChargeCategory
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.exports.azure_meters import AzureMeter, parse_meter
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
from tensorcost.providers.exports.table import CsvTable
from tensorcost.providers.exports.text_lines import reject_of
from tensorcost.providers.exports.values import (
    BadValue,
    currency_of,
    decimal_of,
    micro_of,
    nano_of,
    plain,
    text_of,
    us_timestamp_us,
)

COLUMNS: Final[dict[str, tuple[str, ...]]] = {
    "subscription": ("subscriptionid", "subscriptionguid"),
    "payer": ("billingaccountid",),
    "date": ("date", "usagedatetime", "usagedate"),
    "period": ("billingperiodstartdate",),
    "cost": ("costinbillingcurrency", "pretaxcost", "cost"),
    "currency": ("billingcurrencycode", "billingcurrency", "currency"),
    "quantity": ("quantity", "usagequantity"),
    "unit": ("unitofmeasure",),
    "category": ("metercategory",),
    "subcategory": ("metersubcategory",),
    "meter": ("metername",),
    "product": ("productname", "product"),
    "service": ("consumedservice",),
    "region": ("resourcelocation",),
    "resource": ("resourceid", "instanceid", "instancename"),
    "charge": ("chargetype",),
    "publisher": ("publishertype",),
    "invoice": ("invoiceid",),
    "tags": ("tags",),
}
"""Our name to the spellings of the layouts, in lower case, the preferred one first."""
_REQUIRED: Final = ("subscription", "date", "cost")
_CHARGES: Final = {
    "usage": ChargeCategory.USAGE,
    "unusedreservation": ChargeCategory.USAGE,
    "unusedsavingsplan": ChargeCategory.USAGE,
    "purchase": ChargeCategory.PURCHASE,
    "refund": ChargeCategory.CREDIT,
    "credit": ChargeCategory.CREDIT,
    "tax": ChargeCategory.TAX,
    "roundingadjustment": ChargeCategory.ADJUSTMENT,
    "adjustment": ChargeCategory.ADJUSTMENT,
}
_AI_RESOURCE: Final = "microsoft.cognitiveservices"
_TEXT_LIMIT: Final = 2048

Get = Callable[[str], object]
"""A value by our name of its column, None where the row has none."""


def read_azure_export(files: BillFiles, *, currency: str | None = None) -> BillFile:
    """The billing periods of the files with their lines.

    ``currency`` is for layouts that state none; amounts are never taken for dollars unasked.
    Raises BadFile for a file of another kind or without any currency, ValidationFailed for a
    ``currency`` that is none.
    """
    code = None if currency is None else _checked_currency(currency)
    return bill_file(files, partial(_rows, currency=code))


def _checked_currency(text: str) -> str:
    try:
        return currency_of(text)
    except BadValue as bad:
        raise ValidationFailed(bad.detail, field="currency") from None


def _rows(path: Path, currency: str | None) -> Iterator[PeriodLine | Reject]:
    table = CsvTable(path, pads_short_rows=True)
    lower = {name.lower(): place for place, name in enumerate(table.columns)}
    places = {
        name: next((lower[s] for s in spellings if s in lower), None)
        for name, spellings in COLUMNS.items()
    }
    missing = [COLUMNS[name][0] for name in _REQUIRED if places[name] is None]
    if missing:
        raise BadFile(
            f"{path.name} is no Azure cost export: it misses {', '.join(missing)}",
            RejectReason.MISSING_FIELD,
            ", ".join(missing),
        )
    if places["currency"] is None and currency is None:
        raise BadFile(
            f"{path.name} states no currency: say it with --set currency=…",
            RejectReason.MISSING_FIELD,
            "no currency: say it with --set currency=…",
            field="currency",
        )
    for row in table.rows():
        if isinstance(row, Reject):
            yield row
            continue
        try:
            yield _period_line(row.line.number, _getter(places, row.values), currency)
        except BadValue as bad:
            yield reject_of(path.name, row.line, bad.reason, bad.detail)


def _getter(places: Mapping[str, int | None], values: list[str]) -> Get:
    def get(name: str) -> object:
        place = places[name]
        return None if place is None else plain(values[place])

    return get


def _period_line(number: int, get: Get, currency: str | None) -> PeriodLine:
    start = moment_of(get("date"), "date", us_timestamp_us)
    period = get("period")
    cost = get("cost")
    if cost is None:
        raise BadValue(RejectReason.MISSING_FIELD, "cost")
    nano = nano_of(cost, "cost")
    category = _charge(get)
    names = (_text(get, "category"), _text(get, "subcategory"), _text(get, "product"))
    resource = _text(get, "resource")
    service = _text(get, "service")
    in_scope = is_ai_service(*names) or service.lower() == _AI_RESOURCE
    meter = parse_meter(_text(get, "meter")) if in_scope else AzureMeter()
    quantity, unit = _quantity(get, meter)
    stated = get("currency")
    line = BillLine(
        line_no=number,
        usage_start=start,
        usage_end=start + timedelta(days=1),
        payer_account_id=_text(get, "payer"),
        usage_account_id=_text(get, "subscription"),
        region=_region(_text(get, "region")),
        line_item_type=_text(get, "charge") or category.value,
        charge_category=category,
        in_scope=in_scope,
        provider=seller_of("azure", *names) if in_scope else "azure",
        product_code=names[0] or service,
        usage_type=_text(get, "meter") or names[1],
        operation=names[1],
        resource_id=resource,
        model_id=meter.model_id,
        token_kind=meter.token_kind,
        routing_scope=meter.scope,
        service_tier=meter.tier,
        quantity_micro=quantity,
        unit=unit,
        unblended_nano=nano,
        amortized_nano=nano,
        net_nano=None,
        currency=_currency(stated, currency),
        invoice_id=_text(get, "invoice"),
        billing_entity=_text(get, "publisher"),
        tags=tags_of(get("tags")),
    )
    begun = start if period is None else moment_of(period, "period", us_timestamp_us)
    return PeriodLine(month_of(begun), line)


def _text(get: Get, name: str) -> str:
    value = get(name)
    return "" if value is None else text_of(value, name, _TEXT_LIMIT)


def _currency(stated: object, given: str | None) -> str:
    if stated is not None:
        return currency_of(stated)
    if given is None:
        raise BadValue(RejectReason.MISSING_FIELD, "currency")
    return given


def _charge(get: Get) -> ChargeCategory:
    """Older layouts hold usage alone and say nothing."""
    text = _text(get, "charge")
    category = _CHARGES.get(text.lower().replace(" ", "")) if text else ChargeCategory.USAGE
    if category is None:
        raise BadValue(RejectReason.WRONG_TYPE, "chargetype is not one we know")
    return category


def _quantity(get: Get, meter: AzureMeter) -> tuple[int, str]:
    """Quantities count units of measure: 0.0129 of ``10K`` are 129 operations."""
    value = get("quantity")
    if value is None:
        return 0, ""
    scale, unit = scaled_unit(_text(get, "unit"))
    micro = micro_of(decimal_of(value, "quantity") * scale, "quantity")
    return micro, "Tokens" if meter.token_kind else unit


def _region(text: str) -> str:
    """``CentralUS`` and the older ``US Central`` are centralus, as in resource ids."""
    words = text.lower().split()
    if len(words) > 1 and words[0] == "us":
        words = [words[1], "us", *words[2:]]
    return "".join(words)

"""A bill read one row at a time, as plainly as it can be said: what the columns must give too."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Context, Decimal, InvalidOperation
from hashlib import blake2b
from typing import Any

from tensorcost.domain.money import INT64_MAX
from tensorcost.domain.spend.bill import BillLine
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.domain.spend.limits import AWS_ACCOUNT, RejectReason, to_us
from tensorcost.domain.spend.parsed import Reject
from tensorcost.providers.bedrock.cur import BillParse
from tensorcost.providers.bedrock.cur_amounts import category_of
from tensorcost.providers.bedrock.cur_columns import choose_columns, clean_tags, read_map
from tensorcost.providers.bedrock.cur_patterns import KEY_COLUMNS
from tensorcost.providers.bedrock.cur_usage import BEDROCK, UsageClass, classify_usage
from tensorcost.providers.bedrock.model_id import resolve_model

DAY = timedelta(days=1)
EXACT = Context(prec=500)
COST = "line_item_{net}unblended_cost"
UPFRONT = "reservation_{net}unused_amortized_upfront_fee_for_billing_period"
Row = Mapping[str, Any]


class Bad(Exception):
    """The row is refused."""

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail


@dataclass
class Fold:
    line_no: int
    unblended: Decimal = Decimal(0)
    amortized: Decimal = Decimal(0)
    net: Decimal | None = None


def read_rows(rows: Iterable[Row], parse: BillParse) -> tuple[list[BillLine], list[Reject]]:
    """Lines, the folded ones last, and rejects of rows whose cells stand by the file's names."""
    lines: list[BillLine] = []
    rejects: list[Reject] = []
    folds: dict[Any, Fold] = {}
    for number, cells in enumerate(rows, 1):
        chosen = choose_columns(cells)
        row = {ours: cells[name] for name, ours in chosen.items()}
        texts = [row.get(name) or "" for name in KEY_COLUMNS]
        try:
            if line := _read(row, texts, parse.line_offset + number, parse, folds):
                lines.append(line)
        except Bad as bad:
            line_hash = blake2b("|".join(texts).encode(), digest_size=16).digest()
            rejects.append(Reject(parse.file, number, bad.reason, bad.detail, line_hash))
    return [*lines, *_folded(folds)], rejects


def _read(
    row: Row, texts: list[str], number: int, parse: BillParse, folds: dict[Any, Fold]
) -> BillLine | None:
    item, account, product, usage_type, currency, payer, entity, invoice, unit = texts
    usage = classify_usage(product, usage_type, _product_name(row, product), unit)
    if not AWS_ACCOUNT.fullmatch(account):
        raise Bad(RejectReason.BAD_ACCOUNT, "line_item_usage_account_id")
    if not currency:
        raise Bad(RejectReason.MISSING_FIELD, "line_item_currency_code")
    start = _start(row, parse)
    cost = _amount(row, COST.format(net="")) or Decimal(0)
    spread = _spread(row, item, "") or Decimal(0)
    net = None
    if _amount(row, COST.format(net="net_")) is not None:
        net = _spread(row, item, "net_")
    if not usage.in_scope:
        day = start.replace(hour=0, minute=0, second=0, microsecond=0)
        key = (day, account, product, item, currency, payer, entity, invoice, _period(row, parse))
        fold = folds.setdefault(key, Fold(number))
        fold.unblended = EXACT.add(fold.unblended, cost)
        fold.amortized = EXACT.add(fold.amortized, spread)
        if net is not None:
            fold.net = EXACT.add(fold.net or Decimal(0), net)
        return None
    used = EXACT.multiply(_amount(row, "line_item_usage_amount") or Decimal(0), usage.scale)
    end = _time(row.get("line_item_usage_end_date"))
    return BillLine(
        line_no=number,
        usage_start=start,
        usage_end=end if end is not None and end > start else start + DAY,
        quantity_micro=_whole(used, 6, "usage amount out of range"),
        unblended_nano=_whole(cost, 9, "amount out of range"),
        amortized_nano=_whole(spread, 9, "amount out of range"),
        net_nano=None if net is None else _whole(net, 9, "amount out of range"),
        line_item_type=item,
        charge_category=category_of(item),
        usage_account_id=account,
        payer_account_id=payer,
        product_code=product,
        usage_type=usage_type,
        currency=currency,
        invoice_id=invoice,
        billing_entity=entity,
        billing_period=_named(_period(row, parse)),
        operation=row.get("line_item_operation") or "",
        iam_principal=(row.get("line_item_iam_principal") or "")[:2048],
        region=row.get("product_region_code") or row.get("product_region") or usage.region,
        in_scope=True,
        provider=usage.provider,
        token_kind=usage.token_kind,
        unit=usage.unit,
        tags=_tags(row),
        **_model(row, usage, parse),
    )


def _product_name(row: Row, product: str) -> str:
    if product.startswith(("Amazon", "AWS", "aws")) and not product.startswith("AmazonBedrock"):
        return ""
    pairs = dict(read_map(row.get("product")))
    return row.get("product_product_name") or pairs.get("product_name", "")


def _start(row: Row, parse: BillParse) -> datetime:
    interval = str(row.get("identity_time_interval") or "").partition("/")[0]
    for cell in (
        row.get("line_item_usage_start_date"),
        interval,
        row.get("bill_billing_period_start_date"),
    ):
        if (start := _time(cell)) is not None:
            if reason := parse.bounds.problem(to_us(start)):
                raise Bad(reason, "line_item_usage_start_date")
            return start
    raise Bad(RejectReason.BAD_TIMESTAMP, "line_item_usage_start_date")


def _period(row: Row, parse: BillParse) -> date:
    """``date.min`` where the row names no month that bills it."""
    start = _time(row.get("bill_billing_period_start_date"))
    is_known = start is not None and parse.bounds.problem(to_us(start)) is None
    return start.date().replace(day=1) if start is not None and is_known else date.min


def _named(period: date) -> date | None:
    return None if period == date.min else period


def _time(cell: object) -> datetime | None:
    try:
        moment = cell if isinstance(cell, datetime) else datetime.fromisoformat(str(cell or ""))
    except ValueError:
        return None
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _amount(row: Row, column: str) -> Decimal | None:
    cell = row.get(column)
    if cell is None or cell == "":
        return None
    try:
        amount = Decimal(repr(cell) if isinstance(cell, float) else cell)
    except InvalidOperation:
        raise Bad(RejectReason.BAD_AMOUNT, column) from None
    if not amount.is_finite() or abs(amount) > Decimal(INT64_MAX).scaleb(-9):
        raise Bad(RejectReason.BAD_AMOUNT, column)
    return amount


def _spread(row: Row, item: str, net: str) -> Decimal | None:
    def get(column: str) -> Decimal | None:
        return _amount(row, column.format(net=net))

    is_reserved = item == "Fee" and row.get("reservation_reservation_a_r_n")
    if is_reserved or item in ("SavingsPlanNegation", "SavingsPlanUpfrontFee"):
        return Decimal(0)
    if item == "DiscountedUsage":
        return get("reservation_{net}effective_cost")
    if item == "SavingsPlanCoveredUsage":
        return get("savings_plan_{net}savings_plan_effective_cost")
    if item == "RIFee":
        unused = get(UPFRONT) or Decimal(0)
        return EXACT.add(unused, get("reservation_{net}unused_recurring_fee") or Decimal(0))
    if item == "SavingsPlanRecurringFee":
        total = get("savings_plan_total_commitment_to_date") or Decimal(0)
        return EXACT.subtract(total, get("savings_plan_used_commitment") or Decimal(0))
    return get(COST)


def _whole(amount: Decimal, places: int, problem: str) -> int:
    number = int(amount.scaleb(places, EXACT).to_integral_value(ROUND_HALF_EVEN, EXACT))
    if abs(number) > INT64_MAX:
        raise Bad(RejectReason.BAD_AMOUNT, problem)
    return number


def _tags(row: Row) -> tuple[tuple[str, str], ...]:
    pairs = read_map(row.get("resource_tags")) + read_map(row.get("tags"))
    single = ((name, cell) for name, cell in row.items() if name.startswith("tag:") and cell)
    return clean_tags([*pairs, *((name.removeprefix("tag:"), cell) for name, cell in single)])


def _model(row: Row, usage: UsageClass, parse: BillParse) -> dict[str, Any]:
    """What the resource says beside the usage type."""
    resource = (row.get("line_item_resource_id") or "")[:2048]
    model_id, scope, tier = usage.model_id, usage.routing_scope, usage.service_tier
    if usage.provider == BEDROCK and resource.startswith("arn:") and ":bedrock:" in resource:
        found = resolve_model(resource, parse.directory)
        if found.is_resolved:
            model_id = found.model_id
            if scope is RoutingScope.IN_REGION and found.routing_scope is RoutingScope.GEO:
                scope = RoutingScope.GEO
            if found.service_tier is not ServiceTier.STANDARD:
                tier = found.service_tier
    names = ("resource_id", "model_id", "routing_scope", "service_tier")
    return dict(zip(names, (resource, model_id, scope, tier), strict=True))


def _folded(folds: Mapping[Any, Fold]) -> Iterator[BillLine]:
    for key in sorted(folds):
        day, account, product, item, currency, payer, entity, invoice, period = key
        fold = folds[key]
        yield BillLine(
            line_no=fold.line_no,
            usage_start=day,
            usage_end=day + DAY,
            quantity_micro=0,
            unblended_nano=_whole(fold.unblended, 9, ""),
            amortized_nano=_whole(fold.amortized, 9, ""),
            net_nano=None if fold.net is None else _whole(fold.net, 9, ""),
            line_item_type=item,
            charge_category=category_of(item),
            usage_account_id=account,
            payer_account_id=payer,
            product_code=product,
            usage_type="",
            currency=currency,
            invoice_id=invoice,
            billing_entity=entity,
            billing_period=_named(period),
            operation="",
            region="",
            in_scope=False,
            provider="",
            resource_id="",
            model_id="",
            token_kind=None,
            routing_scope=RoutingScope.IN_REGION,
            service_tier=ServiceTier.STANDARD,
            unit="",
        )

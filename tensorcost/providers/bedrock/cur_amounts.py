"""Exact amounts of bill lines, and the three cost bases.

A value is converted once, half-even, from its shortest decimal form: CSV text as it stands,
a Parquet double through ``repr``.
"""

from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation, localcontext
from typing import Final

from tensorcost.domain.money import INT64_MAX, nano_from_decimal
from tensorcost.domain.spend.bill import ChargeCategory

ZERO: Final = Decimal(0)
_LARGEST: Final = Decimal(INT64_MAX).scaleb(-9)
Amounts = Callable[[str], Decimal | None]
"""The amount of a column in the line at hand; None where the column is absent or empty."""

RESERVATION_FEE: Final = "Fee of a reservation"
"""A ``Fee`` line that names a reservation: its upfront payment, spread over the usage."""

CATEGORIES: Final[Mapping[str, ChargeCategory]] = {
    "Usage": ChargeCategory.USAGE,
    "DiscountedUsage": ChargeCategory.USAGE,
    "SavingsPlanCoveredUsage": ChargeCategory.USAGE,
    "SavingsPlanNegation": ChargeCategory.USAGE,
    "Fee": ChargeCategory.PURCHASE,
    "RIFee": ChargeCategory.PURCHASE,
    "SavingsPlanRecurringFee": ChargeCategory.PURCHASE,
    "SavingsPlanUpfrontFee": ChargeCategory.PURCHASE,
    "Tax": ChargeCategory.TAX,
    "Credit": ChargeCategory.CREDIT,
    "Refund": ChargeCategory.CREDIT,
    "EdpDiscount": ChargeCategory.ADJUSTMENT,
    "PrivateRateDiscount": ChargeCategory.ADJUSTMENT,
    "BundledDiscount": ChargeCategory.ADJUSTMENT,
    "Discount": ChargeCategory.ADJUSTMENT,
}


_COVERED: Final = {
    "DiscountedUsage": "reservation_{net}effective_cost",
    "SavingsPlanCoveredUsage": "savings_plan_{net}savings_plan_effective_cost",
}
_SPREAD_ELSEWHERE: Final = frozenset(
    {"SavingsPlanNegation", "SavingsPlanUpfrontFee", RESERVATION_FEE}
)


def category_of(line_item_type: str) -> ChargeCategory:
    """FOCUS category; a type that is not listed is an adjustment, so it is seen, not spread."""
    return CATEGORIES.get(line_item_type, ChargeCategory.ADJUSTMENT)


def read_amount(value: object) -> Decimal | None:
    """The exact decimal of a cell, None for an empty one. Raises ValueError for anything else."""
    if value is None or value == "":
        return None
    text = repr(value) if isinstance(value, float) else str(value)
    try:
        amount = Decimal(text)
    except InvalidOperation as error:
        raise ValueError("not a number") from error
    if not amount.is_finite() or abs(amount) > _LARGEST:
        raise ValueError("not an amount of money or usage")
    return amount


def to_nano(amount: Decimal | None) -> int:
    return 0 if amount is None else nano_from_decimal(amount)


def quantity_micro(amount: Decimal | None, scale: int) -> int:
    """Usage amount times ``scale``, in millionths, half-even. Raises ValueError out of range."""
    if amount is None:
        return 0
    with localcontext() as context:
        context.prec = 60
        micro = int((amount * scale * 1_000_000).quantize(Decimal(1), rounding=ROUND_HALF_EVEN))
    if abs(micro) > INT64_MAX:
        raise ValueError("usage amount out of range")
    return micro


def amortized(line_item_type: str, get: Amounts) -> Decimal:
    """The amortised view of a line."""
    return _spread(line_item_type, get, "") or ZERO


def net_amortized(line_item_type: str, get: Amounts) -> Decimal | None:
    """The same view of the net columns; None where the payer has no discounts to show."""
    if get("line_item_net_unblended_cost") is None:
        return None
    return _spread(line_item_type, get, "net_")


def _spread(line_item_type: str, get: Amounts, net: str) -> Decimal | None:
    """Reservations and savings plans counted where they are used, never twice.

    Covered usage carries its share of the commitment; fees keep only what went unused.
    """
    if column := _COVERED.get(line_item_type):
        return get(column.format(net=net))
    if line_item_type in _SPREAD_ELSEWHERE:
        return ZERO
    if line_item_type == "RIFee":
        upfront = f"reservation_{net}unused_amortized_upfront_fee_for_billing_period"
        return (get(upfront) or ZERO) + (get(f"reservation_{net}unused_recurring_fee") or ZERO)
    if line_item_type == "SavingsPlanRecurringFee":
        return _unused_commitment(get)
    return get(f"line_item_{net}unblended_cost")


def _unused_commitment(get: Amounts) -> Decimal:
    total = get("savings_plan_total_commitment_to_date") or ZERO
    return total - (get("savings_plan_used_commitment") or ZERO)

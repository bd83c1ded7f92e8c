"""What AWS adds to a billing month: discounts, taxes, credits and refunds."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import timedelta
from decimal import Decimal

from demo.world.billline import BillLine, as_billed, month_of

_TAX_RATE = Decimal("0.07")
_CREDIT = Decimal("-25.00")
_EDP_RATE = Decimal("0.02")
_CENT, _MICRO = Decimal("0.01"), Decimal("0.000001")


def month_end(payer: str, period: str, usage: Sequence[BillLine]) -> Iterator[BillLine]:
    """The lines that follow from a month's ``usage``: they change when it is restated.

    The enterprise discount is for AWS's own token usage, not for Marketplace editions.
    """
    begin, end = month_of(period)
    for account in sorted({line.account for line in usage}):
        lines = [line for line in usage if line.account == account]
        native = (x.cost for x in lines if x.token_kind and x.product_code == "AmazonBedrock")
        discount = -(sum(native, Decimal(0)) * _EDP_RATE).quantize(_MICRO)
        if discount:
            yield BillLine(
                "EdpDiscount",
                account,
                begin,
                end,
                as_billed(discount),
                description="Enterprise discount program",
            )
        base = sum((line.cost for line in lines), discount)
        tax = (base * _TAX_RATE).quantize(_CENT)
        yield BillLine(
            "Tax", account, begin, end, as_billed(tax), product_name="Tax", description="Sales tax"
        )
    yield BillLine(
        "Credit", payer, begin, end, as_billed(_CREDIT), description="Promotional credit"
    )


def refund(account: str, period: str, amount: Decimal) -> BillLine:
    """Money back in ``period`` for a day of the month before it."""
    month, _ = month_of(period)
    used = (month - timedelta(days=1)).replace(day=17)
    return BillLine(
        "Refund",
        account,
        used,
        used + timedelta(days=1),
        as_billed(-amount),
        description=f"Refund for usage of {used:%Y-%m-%d}",
        billed_in=period,
    )

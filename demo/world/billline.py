"""One line of the story's bill, whatever it charges for."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line item of one day (taxes, credits and discounts: of one month)."""

    kind: str
    account: str
    begin: datetime
    end: datetime
    cost: Decimal
    amount: Decimal = Decimal(0)
    rate: str = ""
    unit: str = ""
    entity: str = "AWS"
    product_code: str = "AmazonBedrock"
    product_name: str = "Amazon Bedrock"
    usage_type: str = ""
    operation: str = ""
    resource: str = ""
    region: str = ""
    description: str = ""
    token_kind: str = ""
    tokens: int = 0
    tier: str = ""
    """``standard`` or ``batch``, of what is sold by the token."""
    stream_model: str = ""
    """The model id that names the list price, scope prefix included."""
    foundation: str = ""
    savings_plan: str = ""
    savings_effective: Decimal | None = None
    savings_total: Decimal | None = None
    savings_used: Decimal | None = None
    tags: dict[str, str] = field(default_factory=dict)
    billed_in: str = ""
    """The billing month where it is not the month of the usage (``2026-10``)."""

    @property
    def period(self) -> str:
        return self.billed_in or f"{self.begin:%Y-%m}"

    @property
    def charge_day(self) -> str:
        """The day of the billing month that the line counts in: older usage on its first."""
        return max(f"{self.begin:%Y-%m-%d}", f"{self.period}-01")


def as_billed(cost: Decimal) -> Decimal:
    """The amount that survives the bill's float64 columns."""
    return Decimal(repr(float(cost)))


def month_of(period: str) -> tuple[datetime, datetime]:
    """First moment of a billing month and of the next."""
    begin = datetime.fromisoformat(f"{period}-01T00:00:00+00:00")
    month = begin.month % 12 + 1
    return begin, begin.replace(year=begin.year + (month == 1), month=month)

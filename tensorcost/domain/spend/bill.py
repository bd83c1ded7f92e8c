"""Bill lines: the same idea as ``parsed``, for Cost and Usage Reports and FOCUS files."""

from dataclasses import dataclass, field
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.domain.spend.parsed import Reject

if TYPE_CHECKING:
    from tensorcost.domain.spend.bill_columns import BillColumns


class ChargeCategory(StrEnum):
    """FOCUS ChargeCategory."""

    USAGE = "Usage"
    PURCHASE = "Purchase"
    TAX = "Tax"
    CREDIT = "Credit"
    ADJUSTMENT = "Adjustment"


class TokenKind(StrEnum):
    INPUT = "input"
    CACHED = "cached"
    CACHE_WRITE_5M = "cache_write_5m"
    CACHE_WRITE_1H = "cache_write_1h"
    OUTPUT = "output"


@dataclass(frozen=True, slots=True)
class BillLine:
    """One line of a delivery. Amounts are integer nano-units of ``currency``.

    ``quantity_micro`` is the usage amount times 10^6 in ``unit`` after scaling by the
    pricing unit (tokens for token kinds). ``model_id`` is empty where the line's usage type
    is not known to name a model: the cost is kept in the unclassified bucket.
    """

    line_no: int
    usage_start: datetime
    usage_end: datetime
    payer_account_id: str
    usage_account_id: str
    region: str
    line_item_type: str
    charge_category: ChargeCategory
    in_scope: bool
    """AI spend. Lines out of scope are folded by day, account, product and type."""
    provider: str
    product_code: str
    usage_type: str
    operation: str
    resource_id: str
    model_id: str
    token_kind: TokenKind | None
    routing_scope: RoutingScope
    service_tier: ServiceTier
    quantity_micro: int
    unit: str
    unblended_nano: int
    amortized_nano: int
    net_nano: int | None
    currency: str
    iam_principal: str = ""
    invoice_id: str = ""
    billing_entity: str = ""
    billing_period: date | None = None
    """First day of the month that bills it, where the line names one."""
    savings_plan_arn: str = ""
    """Of the plan that covers the usage, where the bill names it."""
    tags: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class BillDelivery:
    """Identity of one whole restatement of one billing period by one export."""

    export_name: str
    period: date
    """First day of the billing month."""
    manifest_key: str
    manifest_etag: str
    execution_id: str = ""


@dataclass(slots=True)
class ParsedBill:
    """Lines of a delivery (or of one part of it) and what was not accepted."""

    lines: list[BillLine] = field(default_factory=list)
    rejects: list[Reject] = field(default_factory=list)
    rows_read: int = 0
    columns: "BillColumns | None" = None
    """More lines, where they come in columns."""

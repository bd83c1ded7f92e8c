"""Single lines of the bill behind the ledger."""

from datetime import date

import strawberry

from tensorcost.domain.cost.reconciliation.facts import GapClass, LineClass
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.graphql.cost.inputs import WindowInput
from tensorcost.graphql.reconciliation.amounts import BilledAmount
from tensorcost.graphql.scalars import BigInt, Quantity
from tensorcost.services.reconciliation.asking import LinesAsk
from tensorcost.storage.reconciliation.bill_lines import LineOnBill


@strawberry.input(
    description="Lines to keep. Null keeps all; the empty text keeps the lines that name nothing."
)
class BillLineFilterInput:
    account: str | None = None
    region: str | None = None
    model_id: str | None = None
    gap_class: GapClass | None = strawberry.field(
        default=None, description="Lines that this class of the ledger is about."
    )


@strawberry.type(description="One line of a bill, with the day and place of its reconciliation.")
class ReconciledBillLine:
    delivery_id: strawberry.ID
    line_no: BigInt = strawberry.field(description="In the order of the delivery's files.")
    day: date
    account_id: str
    region: str
    model_id: str
    line_class: LineClass
    payer_account_id: str
    line_item_type: str
    product_code: str
    usage_type: str
    operation: str
    resource_id: str
    token_kind: str | None
    service_tier: ServiceTier
    routing_scope: RoutingScope
    quantity: Quantity
    unit: str
    amount: BilledAmount
    currency: str
    invoice_id: str
    billing_entity: str

    @classmethod
    def from_domain(cls, found: LineOnBill) -> "ReconciledBillLine":
        return cls(
            delivery_id=strawberry.ID(str(found.key.delivery_id)),
            line_no=BigInt(found.key.line_no),
            day=found.day,
            account_id=found.cell.account_id,
            region=found.cell.region,
            model_id=found.cell.model_id,
            line_class=found.line_class,
            payer_account_id=found.payer_account_id,
            line_item_type=found.line_item_type,
            product_code=found.product_code,
            usage_type=found.usage_type,
            operation=found.operation,
            resource_id=found.resource_id,
            token_kind=found.token_kind and found.token_kind.value,
            service_tier=found.service_tier,
            routing_scope=found.routing_scope,
            quantity=Quantity(found.quantity_micro),
            unit=found.unit,
            amount=BilledAmount.from_domain(found.money),
            currency=found.currency,
            invoice_id=found.invoice_id,
            billing_entity=found.billing_entity,
        )


def lines_ask(
    period: str, window: WindowInput | None, kept: BillLineFilterInput | None
) -> LinesAsk:
    """The question as the service takes it; it checks it."""
    given, lines = window or WindowInput(), kept or BillLineFilterInput()
    return LinesAsk(
        period=period,
        start=given.from_,
        end=given.to,
        as_of=given.as_of,
        account=lines.account,
        region=lines.region,
        model_id=lines.model_id,
        gap_class=lines.gap_class,
    )

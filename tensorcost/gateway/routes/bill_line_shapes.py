"""The published shape of single bill lines behind the ledger."""

from datetime import date
from decimal import Decimal
from uuid import UUID

from pydantic import BaseModel, Field

from tensorcost.gateway.routes.cost_shapes import Json
from tensorcost.gateway.routes.reconciliation_shapes import BasesOut, bases_json
from tensorcost.storage.reconciliation.bill_lines import LineOnBill


class BillLineOut(BaseModel):
    delivery_id: UUID
    line_no: int = Field(description="In the delivery, in the order of its files.")
    day: date = Field(description="On which it is reconciled.")
    account_id: str
    region: str
    model_id: str = Field(description="Empty where the line names no model that we know.")
    line_class: str = Field(serialization_alias="class", examples=["usage", "tax"])
    payer_account_id: str
    line_item_type: str
    product_code: str
    usage_type: str
    operation: str
    resource_id: str
    token_kind: str | None
    service_tier: str
    routing_scope: str
    quantity: str = Field(description="In `unit`; of token kinds in tokens.")
    unit: str
    amount: BasesOut
    currency: str
    invoice_id: str = Field(description="Empty before the month has an invoice.")
    billing_entity: str


def line_json(line: LineOnBill) -> Json:
    return {
        "delivery_id": line.key.delivery_id,
        "line_no": line.key.line_no,
        "day": line.day,
        **line.cell._asdict(),
        "class": line.line_class.value,
        "payer_account_id": line.payer_account_id,
        "line_item_type": line.line_item_type,
        "product_code": line.product_code,
        "usage_type": line.usage_type,
        "operation": line.operation,
        "resource_id": line.resource_id,
        "token_kind": line.token_kind and line.token_kind.value,
        "service_tier": line.service_tier.value,
        "routing_scope": line.routing_scope.value,
        "quantity": format(Decimal(line.quantity_micro).scaleb(-6), "f"),
        "unit": line.unit,
        "amount": bases_json(line.money),
        "currency": line.currency,
        "invoice_id": line.invoice_id,
        "billing_entity": line.billing_entity,
    }

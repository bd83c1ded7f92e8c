"""Bill deliveries, their lines, a daily rollup, and the pointer to each period's delivery."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import isolate, run

revision = "0006"
down_revision = "0005"

TABLES = """
CREATE TABLE ai.bill_delivery (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    delivery_id uuid NOT NULL,
    connection_id uuid,
    origin text NOT NULL,
    export_name text NOT NULL,
    period date NOT NULL,
    manifest_key text NOT NULL,
    manifest_etag text NOT NULL,
    execution_id text NOT NULL DEFAULT '',
    state text NOT NULL CHECK (state IN ('loading', 'current', 'superseded')),
    known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rows_read bigint NOT NULL DEFAULT 0,
    lines bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, delivery_id),
    UNIQUE (tenant_id, origin, export_name, period, manifest_etag),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES app.connection
)
;;
CREATE TABLE ai.bill_period (
    tenant_id uuid NOT NULL,
    origin text NOT NULL,
    export_name text NOT NULL,
    period date NOT NULL,
    current_delivery_id uuid NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closing', 'final')),
    invoice_id text NOT NULL DEFAULT '',
    invoice_since timestamptz,
    PRIMARY KEY (tenant_id, origin, export_name, period),
    FOREIGN KEY (tenant_id, current_delivery_id) REFERENCES ai.bill_delivery
)
;;
CREATE TABLE ai.bill_line (
    tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid,
    delivery_id uuid NOT NULL,
    line_no bigint NOT NULL,
    usage_start timestamptz NOT NULL,
    usage_end timestamptz NOT NULL,
    payer_account_id text NOT NULL,
    usage_account_id text NOT NULL,
    dim_id bigint NOT NULL,
    line_item_type text NOT NULL,
    charge_category text NOT NULL,
    in_scope boolean NOT NULL,
    product_code text NOT NULL,
    usage_type text NOT NULL,
    operation text NOT NULL,
    resource_id text NOT NULL,
    token_kind text,
    quantity_micro numeric NOT NULL,
    unit text NOT NULL,
    unblended_nano bigint NOT NULL,
    amortized_nano bigint NOT NULL,
    net_nano bigint,
    currency text NOT NULL,
    iam_principal text NOT NULL DEFAULT '',
    invoice_id text NOT NULL DEFAULT '',
    billing_entity text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, delivery_id, line_no),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES ai.bill_delivery,
    FOREIGN KEY (tenant_id, dim_id) REFERENCES ai.dimension
)
;;
CREATE TABLE ai.bill_daily (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    day date NOT NULL,
    dim_id bigint NOT NULL,
    charge_category text NOT NULL,
    in_scope boolean NOT NULL,
    currency text NOT NULL,
    lines bigint NOT NULL,
    unblended_nano bigint NOT NULL,
    amortized_nano bigint NOT NULL,
    net_nano bigint NOT NULL,
    PRIMARY KEY (tenant_id, delivery_id, day, dim_id, charge_category, in_scope, currency),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES ai.bill_delivery
)
;;
CREATE INDEX bill_daily_by_day ON ai.bill_daily (tenant_id, day)
"""


def upgrade() -> None:
    run(TABLES)
    isolate("ai.bill_delivery", "SELECT, INSERT, UPDATE")
    isolate("ai.bill_period", "SELECT, INSERT, UPDATE")
    isolate("ai.bill_line", "SELECT, INSERT")
    isolate("ai.bill_daily", "SELECT, INSERT")

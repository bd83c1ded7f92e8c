"""Bills by token kind, one counted export a payer and month, and versions of reconciliations."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import all_tenants, isolate, run

revision = "0060"
down_revision = "0050"

REREAD = ("ai.bill_line", "ai.bill_delivery", "ai.bill_period", "ai.dimension")
"""Tables whose rows of all tenants this migration reads or changes, as their owner."""

MONEY = """
    unblended_nano bigint NOT NULL,
    amortized_nano bigint NOT NULL,
    net_nano bigint NOT NULL
"""

BILL_DAILY = f"""
DROP TABLE ai.bill_daily
;;
CREATE TABLE ai.bill_daily (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    day date NOT NULL,
    dim_id bigint NOT NULL,
    charge_category text NOT NULL,
    in_scope boolean NOT NULL,
    currency text NOT NULL,
    token_kind text NOT NULL DEFAULT '',
    unit text NOT NULL DEFAULT '',
    line_item_type text NOT NULL DEFAULT '',
    lines bigint NOT NULL,
    quantity_micro numeric NOT NULL DEFAULT 0,
    {MONEY},
    PRIMARY KEY (tenant_id, delivery_id, day, dim_id, charge_category, in_scope, currency,
        token_kind, unit, line_item_type),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES ai.bill_delivery
)
;;
COMMENT ON TABLE ai.bill_daily IS
    'Lines of a delivery by charge day. A line dated outside the billing month stands on the
     month''s nearest day: a refund belongs to the month that bills it.'
;;
INSERT INTO ai.bill_daily (tenant_id, delivery_id, day, dim_id, charge_category, in_scope,
    currency, token_kind, unit, line_item_type, lines, quantity_micro, unblended_nano,
    amortized_nano, net_nano)
SELECT l.tenant_id, l.delivery_id,
    greatest(v.period, least((l.usage_start AT TIME ZONE 'UTC')::date,
        (v.period + interval '1 month')::date - 1)),
    l.dim_id, l.charge_category, l.in_scope, l.currency, coalesce(l.token_kind, ''), l.unit,
    l.line_item_type, count(*), sum(l.quantity_micro), sum(l.unblended_nano),
    sum(l.amortized_nano), sum(coalesce(l.net_nano, l.unblended_nano))
FROM ai.bill_line l JOIN ai.bill_delivery v USING (tenant_id, delivery_id)
WHERE v.state <> 'loading'
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
;;
CREATE INDEX bill_daily_by_day ON ai.bill_daily (tenant_id, day)
"""

COUNTED = """
ALTER TABLE ai.bill_period
    ADD COLUMN payer_account_id text NOT NULL DEFAULT '',
    ADD COLUMN counted boolean NOT NULL DEFAULT true
;;
COMMENT ON COLUMN ai.bill_period.payer_account_id IS
    'The one payer of the current delivery; empty where it names several or none.'
;;
ALTER TABLE ai.bill_period DROP COLUMN state
;;
COMMENT ON COLUMN ai.bill_period.counted IS
    'False where another export of the same payer and month is the bill: never add both.'
;;
ALTER TABLE ai.bill_delivery ADD COLUMN uncounted_at timestamptz
;;
COMMENT ON COLUMN ai.bill_delivery.uncounted_at IS
    'Since when another export of the same payer and month counted instead; its own known_at
     where it never counted, NULL where it counts while it is current. Read by asOf.'
;;
UPDATE ai.bill_period p SET payer_account_id = l.payer
FROM (
    SELECT tenant_id, delivery_id, min(payer_account_id) AS payer FROM ai.bill_line
    GROUP BY 1, 2 HAVING min(payer_account_id) = max(payer_account_id)
) l
WHERE l.tenant_id = p.tenant_id AND l.delivery_id = p.current_delivery_id
;;
WITH export AS (
    SELECT p.tenant_id, p.origin, p.export_name, p.period, p.payer_account_id,
        array_agg(DISTINCT d.usage_account_id) AS accounts,
        row_number() OVER (
            PARTITION BY p.tenant_id, p.period, p.payer_account_id
            ORDER BY count(DISTINCT d.usage_account_id) DESC, (
                SELECT min(v.known_at) FROM ai.bill_delivery v
                WHERE v.tenant_id = p.tenant_id AND v.origin = p.origin
                  AND v.export_name = p.export_name AND v.period = p.period
            ), p.origin, p.export_name
        ) AS place
    FROM ai.bill_period p
    JOIN ai.bill_daily b ON b.tenant_id = p.tenant_id AND b.delivery_id = p.current_delivery_id
    JOIN ai.dimension d ON d.tenant_id = b.tenant_id AND d.dim_id = b.dim_id
    WHERE p.payer_account_id <> ''
    GROUP BY 1, 2, 3, 4, 5
)
UPDATE ai.bill_period p SET counted = false
FROM export e JOIN export former
    ON former.tenant_id = e.tenant_id AND former.period = e.period
    AND former.payer_account_id = e.payer_account_id AND former.place < e.place
    AND former.accounts && e.accounts
WHERE p.tenant_id = e.tenant_id AND p.origin = e.origin AND p.export_name = e.export_name
  AND p.period = e.period
;;
UPDATE ai.bill_delivery v SET uncounted_at = v.known_at
FROM ai.bill_period p
WHERE p.tenant_id = v.tenant_id AND p.origin = v.origin AND p.export_name = v.export_name
  AND p.period = v.period AND NOT p.counted
"""

RECONCILED = f"""
CREATE TABLE ai.reconciliation (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    reconciliation_id uuid NOT NULL,
    period date NOT NULL,
    version int NOT NULL CHECK (version > 0),
    known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_until date NOT NULL,
    deliveries uuid[] NOT NULL,
    late_batches bigint[] NOT NULL DEFAULT '{{}}',
    requested_by text NOT NULL,
    days int NOT NULL,
    days_changed int NOT NULL,
    PRIMARY KEY (tenant_id, reconciliation_id),
    UNIQUE (tenant_id, period, version)
)
;;
COMMENT ON TABLE ai.reconciliation IS
    'Versions of a billing month''s reconciliation. Written last, so that known_at is the end.'
;;
COMMENT ON COLUMN ai.reconciliation.closed_until IS 'Days of the month before this one are in it.'
;;
COMMENT ON COLUMN ai.reconciliation.late_batches IS
    'Ingest batches known shortly before that are in it. Another one of that time had not been
     committed yet, so the month is due again.'
;;
CREATE TABLE ai.reconciled_account (
    tenant_id uuid NOT NULL,
    reconciliation_id uuid NOT NULL,
    source text NOT NULL,
    account_id text NOT NULL,
    PRIMARY KEY (tenant_id, reconciliation_id, source, account_id),
    FOREIGN KEY (tenant_id, reconciliation_id) REFERENCES ai.reconciliation
)
;;
COMMENT ON TABLE ai.reconciled_account IS
    'Accounts whose AI usage the bills of a version name in dollars. What any other account used
     is on no bill of the month: it costs its estimate, not nothing.'
;;
CREATE TABLE ai.reconciled_day (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    reconciliation_id uuid NOT NULL,
    period date NOT NULL,
    content_hash bytea NOT NULL,
    estimate_nano bigint NOT NULL DEFAULT 0,
    is_current boolean NOT NULL DEFAULT true,
    PRIMARY KEY (tenant_id, day, reconciliation_id),
    FOREIGN KEY (tenant_id, reconciliation_id) REFERENCES ai.reconciliation
        DEFERRABLE INITIALLY DEFERRED
)
;;
COMMENT ON TABLE ai.reconciled_day IS
    'Days that a version changed; a day that it left alone keeps the rows of a former version.'
;;
COMMENT ON COLUMN ai.reconciled_day.estimate_nano IS
    'Sum of the day''s reconciled_cell in dollars, so that a list of months reads no cell.'
;;
CREATE UNIQUE INDEX reconciled_day_current ON ai.reconciled_day (tenant_id, day) WHERE is_current
;;
CREATE TABLE ai.reconciled_daily (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    reconciliation_id uuid NOT NULL,
    dim_id bigint NOT NULL,
    actor_id bigint NOT NULL,
    grain smallint NOT NULL,
    share text NOT NULL,
    currency text NOT NULL,
    {MONEY},
    PRIMARY KEY (tenant_id, day, reconciliation_id, dim_id, actor_id, grain, share, currency)
)
;;
COMMENT ON TABLE ai.reconciled_daily IS
    'Billed money by rollup row, and what no row explains on the bill''s own dimensions (grain 3).
     Over any dimension it adds up to the bill.'
;;
CREATE TABLE ai.reconciled_share (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    reconciliation_id uuid NOT NULL,
    share text NOT NULL,
    currency text NOT NULL,
    {MONEY},
    PRIMARY KEY (tenant_id, day, reconciliation_id, share, currency),
    FOREIGN KEY (tenant_id, day, reconciliation_id) REFERENCES ai.reconciled_day
)
;;
COMMENT ON TABLE ai.reconciled_share IS
    'Sums of reconciled_daily by share, so that a list of months reads no allocation.'
;;
CREATE TABLE ai.reconciled_cell (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    reconciliation_id uuid NOT NULL,
    account_id text NOT NULL,
    region text NOT NULL,
    model_id text NOT NULL,
    currency text NOT NULL,
    grain smallint,
    requests bigint NOT NULL,
    logged_tokens numeric NOT NULL,
    billed_tokens numeric NOT NULL,
    lines bigint NOT NULL,
    estimate_nano bigint NOT NULL,
    billed_unblended_nano bigint NOT NULL,
    billed_amortized_nano bigint NOT NULL,
    billed_net_nano bigint NOT NULL,
    attributed_unblended_nano bigint NOT NULL,
    attributed_amortized_nano bigint NOT NULL,
    attributed_net_nano bigint NOT NULL,
    PRIMARY KEY (tenant_id, day, reconciliation_id, account_id, region, model_id, currency),
    FOREIGN KEY (tenant_id, day, reconciliation_id) REFERENCES ai.reconciled_day
)
;;
COMMENT ON TABLE ai.reconciled_cell IS
    'The ledger: what each account, region and model logged, was estimated at and was billed.'
;;
COMMENT ON COLUMN ai.reconciled_cell.grain IS 'Grain of the logged rows; NULL where there are none.'
;;
CREATE TABLE ai.reconciled_gap (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    reconciliation_id uuid NOT NULL,
    account_id text NOT NULL,
    region text NOT NULL,
    model_id text NOT NULL,
    currency text NOT NULL,
    gap_class text NOT NULL,
    {MONEY},
    evidence jsonb NOT NULL DEFAULT '{{}}',
    PRIMARY KEY (tenant_id, day, reconciliation_id, account_id, region, model_id, currency,
        gap_class),
    FOREIGN KEY (tenant_id, day, reconciliation_id) REFERENCES ai.reconciled_day
)
;;
COMMENT ON TABLE ai.reconciled_gap IS
    'Why the bill of a ledger row differs from its estimate; its classes add up to the gap.'
;;
CREATE TABLE ai.reconciled_class (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    reconciliation_id uuid NOT NULL,
    gap_class text NOT NULL,
    currency text NOT NULL,
    {MONEY},
    PRIMARY KEY (tenant_id, day, reconciliation_id, gap_class, currency),
    FOREIGN KEY (tenant_id, day, reconciliation_id) REFERENCES ai.reconciled_day
)
;;
COMMENT ON TABLE ai.reconciled_class IS
    'Sums of reconciled_gap by class, so that a list of months reads no gap.'
"""


def upgrade() -> None:
    with all_tenants(*REREAD):
        run(BILL_DAILY)
        run(COUNTED)
    isolate("ai.bill_daily", "SELECT, INSERT")
    run(RECONCILED)
    isolate("ai.reconciliation", "SELECT, INSERT")
    isolate("ai.reconciled_account", "SELECT, INSERT")
    isolate("ai.reconciled_day", "SELECT, INSERT, UPDATE (is_current)")
    isolate("ai.reconciled_daily", "SELECT, INSERT")
    isolate("ai.reconciled_share", "SELECT, INSERT")
    isolate("ai.reconciled_cell", "SELECT, INSERT")
    isolate("ai.reconciled_gap", "SELECT, INSERT")
    isolate("ai.reconciled_class", "SELECT, INSERT")

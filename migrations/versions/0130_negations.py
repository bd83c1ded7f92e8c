"""Negations of savings plans with the usage that they negate; unpriced usage without a bill."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import all_tenants, isolate, run

revision = "0130"
down_revision = "0110"

REREAD = ("ai.bill_line", "ai.bill_delivery", "ai.bill_daily", "ai.dimension")
"""Tables whose rows of all tenants this migration reads or changes, as their owner."""

PLAN = """
ALTER TABLE ai.bill_line ADD COLUMN savings_plan_arn text NOT NULL DEFAULT ''
;;
COMMENT ON TABLE ai.bill_daily IS
    'Lines of a delivery by charge day. A line dated outside the billing month stands on the
     month''s nearest day: a refund belongs to the month that bills it. Negations of savings plans
     are taken off the usage that they negate; one that stands here has none.'
"""

PAIRED = """
CREATE TEMP TABLE covered_line ON COMMIT DROP AS
SELECT l.*, greatest(v.period, least((l.usage_start AT TIME ZONE 'UTC')::date,
        (v.period + interval '1 month')::date - 1)) AS day, d.region,
    l.line_item_type = 'SavingsPlanNegation' AS is_negation, false AS is_paired
FROM ai.bill_line l
JOIN ai.bill_delivery v USING (tenant_id, delivery_id)
JOIN ai.dimension d USING (tenant_id, dim_id)
WHERE v.state <> 'loading' AND l.in_scope
    AND l.line_item_type IN ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')
;;
UPDATE covered_line l SET is_paired = true
FROM (
    SELECT tenant_id, delivery_id, day, payer_account_id, usage_account_id, region, product_code,
        usage_type, operation, currency
    FROM covered_line
    GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
    HAVING bool_or(is_negation) AND sum(unblended_nano) = 0
) p
WHERE (l.tenant_id, l.delivery_id, l.day, l.payer_account_id, l.usage_account_id, l.region,
    l.product_code, l.usage_type, l.operation, l.currency)
    = (p.tenant_id, p.delivery_id, p.day, p.payer_account_id, p.usage_account_id, p.region,
    p.product_code, p.usage_type, p.operation, p.currency)
;;
DELETE FROM ai.bill_daily b USING (SELECT DISTINCT tenant_id, delivery_id FROM covered_line) l
WHERE b.tenant_id = l.tenant_id AND b.delivery_id = l.delivery_id AND b.in_scope
    AND b.line_item_type IN ('SavingsPlanCoveredUsage', 'SavingsPlanNegation')
;;
INSERT INTO ai.bill_daily (tenant_id, delivery_id, day, dim_id, charge_category, in_scope,
    currency, token_kind, unit, line_item_type, lines, quantity_micro, unblended_nano,
    amortized_nano, net_nano)
SELECT tenant_id, delivery_id, day, dim_id, charge_category, in_scope, currency,
    coalesce(token_kind, ''), unit, line_item_type, count(*),
    sum(CASE WHEN is_negation THEN 0 ELSE quantity_micro END),
    sum(CASE WHEN is_paired THEN 0 ELSE unblended_nano END), sum(amortized_nano),
    sum(CASE WHEN is_paired AND net_nano IS NULL THEN 0 ELSE coalesce(net_nano, unblended_nano) END)
FROM covered_line
WHERE NOT (is_paired AND is_negation)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10
"""
"""Of bills that are stored already: usage and negation that cancel to the nano, as AWS writes
them, each cancel where they stand. What does not is left as it was."""

UNPRICED = """
CREATE TABLE ai.reconciled_unpriced (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    reconciliation_id uuid NOT NULL,
    dim_id bigint NOT NULL,
    actor_id bigint NOT NULL,
    grain smallint NOT NULL,
    unpriced_requests bigint NOT NULL,
    unpriced_tokens bigint NOT NULL,
    PRIMARY KEY (tenant_id, reconciliation_id, day, dim_id, actor_id, grain),
    FOREIGN KEY (tenant_id, day, reconciliation_id) REFERENCES ai.reconciled_day
)
;;
COMMENT ON TABLE ai.reconciled_unpriced IS
    'Rollup rows without a list price that no line of the bill is about: what they cost is not
     known, on a reconciled day either.'
"""


def upgrade() -> None:
    run(PLAN)
    with all_tenants(*REREAD):
        run(PAIRED)
    run(UNPRICED)
    isolate("ai.reconciled_unpriced", "SELECT, INSERT")

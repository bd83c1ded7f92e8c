"""Which rules made a version and why; bills that count again; net amounts beside discount lines."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import all_tenants, run

revision = "0170"
down_revision = "0160"

VERSIONS = """
ALTER TABLE ai.reconciliation
    ADD COLUMN rules text NOT NULL DEFAULT '',
    ADD COLUMN causes text[] NOT NULL DEFAULT '{}'
;;
COMMENT ON COLUMN ai.reconciliation.rules IS
    'Name of the rules that made the version; empty: not known, so older than any that has one.'
;;
COMMENT ON COLUMN ai.reconciliation.causes IS
    'What was seen to differ from the version before: bill, usage, rules. Prices are not told.'
"""

BILLS = """
ALTER TABLE ai.bill_period ADD COLUMN billed_accounts text[] NOT NULL DEFAULT '{}'
;;
COMMENT ON COLUMN ai.bill_period.billed_accounts IS
    'Payers and usage accounts that the current delivery names, chr(31) between them: what exports
     of the same bill have in common. A line that names neither is not among them.'
;;
UPDATE ai.bill_period p SET billed_accounts = a.accounts
FROM (
    SELECT n.tenant_id, n.delivery_id,
        array_agg(n.payer || chr(31) || n.account ORDER BY n.account) AS accounts
    FROM (
        SELECT DISTINCT l.tenant_id, l.delivery_id, l.payer_account_id AS payer,
            l.usage_account_id AS account
        FROM ai.bill_line l
        JOIN ai.bill_period q ON q.tenant_id = l.tenant_id
            AND q.current_delivery_id = l.delivery_id
    ) n
    WHERE n.payer <> '' OR n.account <> ''
    GROUP BY 1, 2
) a
WHERE a.tenant_id = p.tenant_id AND a.delivery_id = p.current_delivery_id
;;
ALTER TABLE ai.bill_delivery
    ADD COLUMN uncounted tstzmultirange NOT NULL DEFAULT '{}',
    ADD COLUMN has_net boolean NOT NULL DEFAULT false
;;
COMMENT ON COLUMN ai.bill_delivery.uncounted IS
    'When another export of the same payer and month counted instead. Read by asOf.'
;;
COMMENT ON COLUMN ai.bill_delivery.has_net IS
    'Lines have net amounts, which hold the discounts: a discount line without one is nothing
     more in the net basis. False also for what was summed before this was looked at.'
;;
UPDATE ai.bill_delivery SET uncounted = tstzmultirange(tstzrange(uncounted_at, NULL))
WHERE uncounted_at IS NOT NULL
;;
ALTER TABLE ai.bill_delivery DROP COLUMN uncounted_at
"""


def upgrade() -> None:
    run(VERSIONS)
    with all_tenants("ai.bill_period", "ai.bill_delivery", "ai.bill_line"):
        run(BILLS)

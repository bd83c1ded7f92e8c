"""On which days a bill speaks for an account: usage on others costs its estimate, not nothing."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import all_tenants, isolate, run

revision = "0180"
down_revision = "0170"

EXTENTS = """
CREATE TABLE ai.bill_extent (
    tenant_id uuid NOT NULL,
    delivery_id uuid NOT NULL,
    source text NOT NULL,
    account_id text NOT NULL,
    billing_entity text NOT NULL,
    currency text NOT NULL,
    first_day date NOT NULL,
    last_day date NOT NULL,
    PRIMARY KEY (tenant_id, delivery_id, source, account_id, billing_entity, currency),
    FOREIGN KEY (tenant_id, delivery_id) REFERENCES ai.bill_delivery
)
;;
COMMENT ON TABLE ai.bill_extent IS
    'First and last day of the month on which a delivery has AI usage of an account. A line of a
     whole month reaches from its first day to its last.'
"""

KNOWN = """
INSERT INTO ai.bill_extent
SELECT l.tenant_id, l.delivery_id, d.source, l.usage_account_id, l.billing_entity, l.currency,
    min(greatest(v.period, least((l.usage_start AT TIME ZONE 'UTC')::date, v.until))),
    max(greatest(v.period, least(
        (greatest(l.usage_start, l.usage_end - interval '1 microsecond') AT TIME ZONE 'UTC')::date,
        v.until)))
FROM ai.bill_line l
JOIN (
    SELECT tenant_id, delivery_id, period, (period + interval '1 month')::date - 1 AS until
    FROM ai.bill_delivery WHERE state <> 'loading'
) v USING (tenant_id, delivery_id)
JOIN ai.dimension d ON d.tenant_id = l.tenant_id AND d.dim_id = l.dim_id
WHERE l.in_scope AND l.charge_category = 'Usage'
GROUP BY 1, 2, 3, 4, 5, 6
"""

ACCOUNTS = """
ALTER TABLE ai.reconciled_account
    ADD COLUMN first_day date NOT NULL DEFAULT '-infinity',
    ADD COLUMN last_day date NOT NULL DEFAULT 'infinity'
;;
ALTER TABLE ai.reconciled_account
    ALTER COLUMN first_day DROP DEFAULT, ALTER COLUMN last_day DROP DEFAULT
;;
COMMENT ON TABLE ai.reconciled_account IS
    'Accounts whose AI usage the bills of a version name in dollars, and from which day to which.
     What an account used on another day, or one that is not here, is on no bill of the month: it
     costs its estimate, not nothing. Versions from before days were kept answer for all of them.'
"""


def upgrade() -> None:
    run(EXTENTS)
    with all_tenants("ai.bill_line", "ai.bill_delivery", "ai.dimension"):
        run(KNOWN)
    isolate("ai.bill_extent", "SELECT, INSERT")
    run(ACCOUNTS)

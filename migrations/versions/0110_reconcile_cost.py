"""Cheaper bills: known inputs of reconciled days, versions apart in indexes, fewer row checks."""

import sys
from pathlib import Path

from alembic import op

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import all_tenants, run

revision = "0110"
down_revision = "0100"

INPUTS = """
ALTER TABLE ai.reconciled_day ADD COLUMN input_hash bytea
;;
COMMENT ON COLUMN ai.reconciled_day.input_hash IS
    'Of the bill, usage, prices and rules that gave the day what it says; NULL where that is not
     certain. Moves with inputs that give the same again. Only read of current days.'
;;
GRANT UPDATE (input_hash) ON ai.reconciled_day TO tc_app
"""

PLACE = "account_id, region, model_id, currency"
KEYS = {
    "reconciled_daily": "dim_id, actor_id, grain, share, currency",
    "reconciled_cell": PLACE,
    "reconciled_gap": f"{PLACE}, gap_class",
}
"""What follows (version, day). The day came first: every row of a restatement was then put into
the midst of the index, and each page of it split in two."""

CHECKS = """
ALTER TABLE ai.bill_daily ADD FOREIGN KEY (tenant_id, dim_id) REFERENCES ai.dimension
;;
ALTER TABLE ai.bill_line
    DROP CONSTRAINT bill_line_tenant_id_delivery_id_fkey,
    DROP CONSTRAINT bill_line_tenant_id_dim_id_fkey
;;
COMMENT ON TABLE ai.bill_line IS
    'Loaded with bill_daily, their sum, in one transaction: its keys check the delivery and each
     dimension once a day instead of once a line, which was most of what a line cost.'
"""


def upgrade() -> None:
    run(INPUTS)
    with all_tenants("ai.bill_daily", "ai.dimension"):
        run(CHECKS)
    for table, rest in KEYS.items():
        op.execute(
            f"ALTER TABLE ai.{table} DROP CONSTRAINT {table}_pkey, "
            f"ADD PRIMARY KEY (tenant_id, reconciliation_id, day, {rest})"
        )

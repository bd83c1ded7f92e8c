"""A day of a bill's lines is found without reading the bill."""

from alembic import op

revision = "0150"
down_revision = "0140"


def upgrade() -> None:
    # By time and not by dimension: a day is a thirtieth of any bill, while one account and model
    # may be most of it. Equal hours are kept once, so that the index is small and cheap to load.
    op.execute(
        "CREATE INDEX bill_line_by_start ON ai.bill_line (tenant_id, delivery_id, usage_start)"
    )

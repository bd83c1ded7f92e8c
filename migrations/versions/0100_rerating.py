"""Governed re-ratings: runs, previews, what each day brought, and the prices that held before."""

import sys
from pathlib import Path

from alembic import op

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import isolate, run

revision = "0100"
down_revision = "0090"

TABLES = """
ALTER TABLE ai.price_version ADD COLUMN imported_by text NOT NULL DEFAULT ''
;;
ALTER TABLE ai.price_override_version ADD COLUMN imported_by text NOT NULL DEFAULT ''
;;
CREATE TABLE ai.rated_version (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    version_id int NOT NULL,
    rated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    settled boolean NOT NULL,
    PRIMARY KEY (tenant_id, version_id)
)
;;
COMMENT ON TABLE ai.rated_version IS
    'Price versions that the stored rows were held against and that are decided, whatever the
     decision was. A version that is not here yet is due.'
;;
COMMENT ON COLUMN ai.rated_version.settled IS
    'False: due once more an hour after its import. A load that was under way then may have
     brought rows at the former prices since.'
;;
CREATE TABLE ai.rerating (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    rerating_id uuid NOT NULL,
    workflow_id text NOT NULL,
    price_version int NOT NULL,
    reverts uuid,
    state text NOT NULL CHECK (state IN ('previewed', 'awaiting_approval', 'approved', 'applied',
        'rejected', 'expired', 'cancelled', 'failed', 'unchanged')),
    requested_by text NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    deadline timestamptz,
    decided_by text NOT NULL DEFAULT '',
    decided_at timestamptz,
    reason text NOT NULL DEFAULT '',
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, rerating_id),
    FOREIGN KEY (tenant_id, reverts) REFERENCES ai.rerating
)
;;
CREATE UNIQUE INDEX rerating_open ON ai.rerating (tenant_id) WHERE finished_at IS NULL
;;
CREATE TABLE ai.rerating_preview (
    tenant_id uuid NOT NULL,
    rerating_id uuid NOT NULL,
    preview int NOT NULL CHECK (preview > 0),
    previewed_at timestamptz NOT NULL,
    listed_version int NOT NULL,
    own_version int NOT NULL,
    versions int[] NOT NULL,
    imported_by text[] NOT NULL,
    open_months date[] NOT NULL,
    automatic_at timestamptz,
    approved_at timestamptz,
    PRIMARY KEY (tenant_id, rerating_id, preview),
    FOREIGN KEY (tenant_id, rerating_id) REFERENCES ai.rerating
)
;;
COMMENT ON COLUMN ai.rerating_preview.listed_version IS
    'Newest version of the global list then; with own_version it says which prices were taken.'
;;
COMMENT ON COLUMN ai.rerating_preview.open_months IS
    'Months that still ran then. Of all others, rows that have a price wait for approval.'
;;
COMMENT ON COLUMN ai.rerating_preview.automatic_at IS
    'When all that needs no approval was applied and told; approved_at the same of the rest.'
;;
CREATE TABLE ai.rerating_change (
    tenant_id uuid NOT NULL,
    rerating_id uuid NOT NULL,
    preview int NOT NULL,
    period date NOT NULL,
    provider text NOT NULL,
    model_id text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('changed', 'newly_priced')),
    period_state text NOT NULL CHECK (period_state IN ('open', 'closing', 'final')),
    rows bigint NOT NULL,
    requests bigint NOT NULL,
    before_nano bigint NOT NULL,
    after_nano bigint NOT NULL,
    unpriced_rows bigint NOT NULL,
    PRIMARY KEY (tenant_id, rerating_id, preview, period, provider, model_id, kind),
    FOREIGN KEY (tenant_id, rerating_id, preview) REFERENCES ai.rerating_preview
)
;;
COMMENT ON COLUMN ai.rerating_change.unpriced_rows IS
    'Rows that lose their price, as when a re-rating is reverted; in no amount.'
;;
CREATE TABLE ai.rerating_day (
    tenant_id uuid NOT NULL,
    rerating_id uuid NOT NULL,
    preview int NOT NULL,
    approved boolean NOT NULL,
    day date NOT NULL,
    batch_id bigint,
    rows bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, rerating_id, preview, approved, day),
    FOREIGN KEY (tenant_id, rerating_id, preview) REFERENCES ai.rerating_preview,
    FOREIGN KEY (tenant_id, batch_id) REFERENCES ai.ingest_batch
)
;;
COMMENT ON TABLE ai.rerating_day IS
    'Days that are applied, each in one transaction with its rows, so that no day is applied twice.'
;;
CREATE TABLE ai.event_price_history (
    tenant_id uuid NOT NULL,
    ts timestamptz NOT NULL,
    event_id uuid NOT NULL,
    batch_id bigint NOT NULL,
    cost_nano bigint,
    price_version int,
    PRIMARY KEY (tenant_id, ts, event_id, batch_id),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES ai.ingest_batch
)
;;
COMMENT ON TABLE ai.event_price_history IS
    'What an event cost, and by which prices, until batch_id re-rated it; NULL was unpriced.'
"""

DUE = """
CREATE FUNCTION ai.tenants_to_rerate()
RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT t.tenant_id FROM app.tenant t
    WHERE EXISTS (SELECT FROM ai.ingest_batch b WHERE b.tenant_id = t.tenant_id)
      AND EXISTS (
        SELECT FROM (
            SELECT version_id, imported_at FROM ai.price_version
            UNION ALL
            SELECT version_id, imported_at FROM ai.price_override_version o
            WHERE o.tenant_id = t.tenant_id
        ) v
        WHERE NOT EXISTS (
            SELECT FROM ai.rated_version r
            WHERE r.tenant_id = t.tenant_id AND r.version_id = v.version_id
              AND (r.settled OR v.imported_at > clock_timestamp() - interval '1 hour')
        )
      )
$$
"""


def upgrade() -> None:
    run(TABLES)
    isolate("ai.rated_version", "SELECT, INSERT, UPDATE (settled)")
    isolate(
        "ai.rerating",
        "SELECT, INSERT, UPDATE (state, deadline, decided_by, decided_at, reason, finished_at)",
    )
    isolate("ai.rerating_preview", "SELECT, INSERT, UPDATE (automatic_at, approved_at)")
    isolate("ai.rerating_change", "SELECT, INSERT")
    isolate("ai.rerating_day", "SELECT, INSERT, UPDATE (batch_id, rows)")
    isolate("ai.event_price_history", "SELECT, INSERT")
    # Owned by the role that row security does not bind: it looks across tenants.
    op.execute("GRANT CREATE ON SCHEMA ai TO tc_platform")
    op.execute("SET LOCAL check_function_bodies = off")
    run(DUE)
    op.execute("REVOKE ALL ON FUNCTION ai.tenants_to_rerate() FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION ai.tenants_to_rerate() TO tc_app, tc_platform")
    op.execute("ALTER FUNCTION ai.tenants_to_rerate() OWNER TO tc_platform")
    op.execute("REVOKE CREATE ON SCHEMA ai FROM tc_platform")

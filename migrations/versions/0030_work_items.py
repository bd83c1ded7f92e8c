"""Work items of a run before they start, sites of a connection, resolved inference profiles."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import isolate, run

revision = "0030"
down_revision = "0006"

TABLES = """
ALTER TABLE app.sync_step DROP CONSTRAINT sync_step_state_check
;;
ALTER TABLE app.sync_step
    ADD CONSTRAINT sync_step_state_check CHECK (state IN
        ('pending', 'running', 'completed', 'failed', 'skipped')),
    ADD COLUMN position int NOT NULL DEFAULT 0,
    ADD COLUMN params jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN cursor text NOT NULL DEFAULT '',
    ADD COLUMN rows_unpriced bigint NOT NULL DEFAULT 0
;;
CREATE INDEX sync_step_order ON app.sync_step (tenant_id, run_id, position)
;;
ALTER TABLE app.sync_run
    ADD COLUMN steps_failed int NOT NULL DEFAULT 0,
    ADD COLUMN rows_unpriced bigint NOT NULL DEFAULT 0,
    ADD COLUMN rows_read bigint NOT NULL DEFAULT 0,
    ADD COLUMN objects bigint NOT NULL DEFAULT 0,
    ADD COLUMN requested_by text NOT NULL DEFAULT '',
    ADD COLUMN progressed_at timestamptz
;;
COMMENT ON COLUMN app.sync_run.progressed_at IS
    'When progress was last told as an event: at most about once a second.'
;;
CREATE INDEX sync_run_by_workflow ON app.sync_run (tenant_id, workflow_id, started_at DESC)
;;
CREATE INDEX ingest_batch_by_run ON ai.ingest_batch (tenant_id, run_id) WHERE run_id IS NOT NULL
;;
CREATE TABLE app.connection_site (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    site_key text NOT NULL,
    source text NOT NULL,
    account_id text NOT NULL,
    region text NOT NULL DEFAULT '',
    params jsonb NOT NULL DEFAULT '{}',
    active boolean NOT NULL DEFAULT true,
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, site_key),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES app.connection
)
;;
COMMENT ON TABLE app.connection_site IS
    'Places that can be read: one source in one account and region, as discovered.'
;;
CREATE TABLE app.inference_profile (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    arn text NOT NULL,
    account_id text NOT NULL,
    region text NOT NULL,
    name text NOT NULL DEFAULT '',
    model_id text NOT NULL,
    routing_scope text NOT NULL,
    service_tier text NOT NULL,
    tags jsonb NOT NULL DEFAULT '{}',
    seen_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, arn),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES app.connection
)
"""


def upgrade() -> None:
    run(TABLES)
    isolate("app.connection_site", "SELECT, INSERT, UPDATE")
    isolate("app.inference_profile", "SELECT, INSERT, UPDATE")

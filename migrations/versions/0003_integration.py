"""Connections, their accounts, sync history, quarantine, findings and committed cursors."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import isolate, run

revision = "0003"
down_revision = "0002"

TABLES = """
CREATE TABLE app.connection (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    connection_id uuid NOT NULL,
    provider text NOT NULL,
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    state text NOT NULL CHECK (state IN
        ('pending', 'validating', 'connected', 'failed', 'cancelled', 'removed')),
    mode text NOT NULL DEFAULT 'SingleAccount' CHECK (mode IN ('SingleAccount', 'Organization')),
    account_id text NOT NULL,
    external_id text NOT NULL DEFAULT '',
    role_arn text NOT NULL DEFAULT '',
    settings jsonb NOT NULL DEFAULT '{}',
    last_validated_at timestamptz,
    last_synced_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, connection_id)
)
;;
CREATE UNIQUE INDEX connection_once ON app.connection (tenant_id, provider, account_id)
    WHERE state <> 'removed'
;;
CREATE TABLE app.connection_account (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    account_id text NOT NULL,
    name text NOT NULL DEFAULT '',
    state text NOT NULL,
    joined_method text NOT NULL DEFAULT '',
    coverage text NOT NULL CHECK (coverage IN
        ('unknown', 'covered', 'role_missing', 'denied', 'skipped', 'error')),
    detail text NOT NULL DEFAULT '',
    checked_at timestamptz,
    PRIMARY KEY (tenant_id, connection_id, account_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES app.connection
)
;;
CREATE TABLE app.sync_run (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    kind text NOT NULL CHECK (kind IN ('validate', 'backfill', 'sync')),
    workflow_id text NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'completed', 'failed', 'cancelled')),
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    window_start timestamptz,
    window_end timestamptz,
    steps_total int NOT NULL DEFAULT 0,
    steps_done int NOT NULL DEFAULT 0,
    rows_accepted bigint NOT NULL DEFAULT 0,
    rows_duplicate bigint NOT NULL DEFAULT 0,
    rows_rejected bigint NOT NULL DEFAULT 0,
    bytes_read bigint NOT NULL DEFAULT 0,
    estimated_finish timestamptz,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, run_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES app.connection
)
;;
CREATE INDEX sync_run_recent ON app.sync_run (tenant_id, connection_id, started_at DESC)
;;
CREATE TABLE app.sync_step (
    tenant_id uuid NOT NULL,
    run_id uuid NOT NULL,
    step_key text NOT NULL,
    account_id text NOT NULL DEFAULT '',
    region text NOT NULL DEFAULT '',
    source text NOT NULL,
    window_start timestamptz,
    window_end timestamptz,
    state text NOT NULL CHECK (state IN ('running', 'completed', 'failed', 'skipped')),
    objects bigint NOT NULL DEFAULT 0,
    rows_read bigint NOT NULL DEFAULT 0,
    rows_accepted bigint NOT NULL DEFAULT 0,
    rows_duplicate bigint NOT NULL DEFAULT 0,
    rows_rejected bigint NOT NULL DEFAULT 0,
    bytes_read bigint NOT NULL DEFAULT 0,
    detail text NOT NULL DEFAULT '',
    started_at timestamptz NOT NULL,
    finished_at timestamptz,
    PRIMARY KEY (tenant_id, run_id, step_key),
    FOREIGN KEY (tenant_id, run_id) REFERENCES app.sync_run
)
;;
CREATE TABLE app.source_cursor (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    cursor_key text NOT NULL,
    position text NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, connection_id, cursor_key),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES app.connection
)
;;
CREATE TABLE app.quarantine (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    quarantine_id uuid NOT NULL DEFAULT uuidv7(),
    connection_id uuid,
    run_id uuid,
    file text NOT NULL,
    position bigint NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL DEFAULT '',
    line_hash bytea NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, quarantine_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES app.connection,
    FOREIGN KEY (tenant_id, run_id) REFERENCES app.sync_run
)
;;
CREATE UNIQUE INDEX quarantine_once
    ON app.quarantine (tenant_id, file, position, reason, line_hash)
;;
CREATE TABLE app.finding (
    tenant_id uuid NOT NULL,
    finding_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    code text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'error')),
    subject text NOT NULL DEFAULT '',
    title text NOT NULL,
    remedy text NOT NULL,
    causes jsonb NOT NULL DEFAULT '[]',
    evidence jsonb NOT NULL DEFAULT '{}',
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved')),
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, finding_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES app.connection
)
;;
CREATE UNIQUE INDEX finding_open ON app.finding (tenant_id, connection_id, code, subject)
    WHERE state = 'open'
"""


def upgrade() -> None:
    run(TABLES)
    for table in ("connection", "connection_account", "sync_run", "sync_step", "source_cursor"):
        isolate(f"app.{table}", "SELECT, INSERT, UPDATE")
    isolate("app.quarantine", "SELECT, INSERT")
    isolate("app.finding", "SELECT, INSERT, UPDATE")

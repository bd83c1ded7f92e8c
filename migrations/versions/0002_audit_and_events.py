"""Append-only audit with a hash chain, and the event outbox with its per-tenant cursor."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import isolate, run

revision = "0002"
down_revision = "0001"

TABLES = """
CREATE TABLE app.audit_entry (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    entry_id uuid NOT NULL DEFAULT uuidv7(),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    resource_type text NOT NULL,
    resource_id text NOT NULL DEFAULT '',
    detail jsonb NOT NULL DEFAULT '{}',
    trace_id text,
    PRIMARY KEY (tenant_id, entry_id)
)
;;
CREATE INDEX audit_entry_by_time ON app.audit_entry (tenant_id, at, entry_id)
;;
CREATE TABLE app.audit_seal (
    tenant_id uuid NOT NULL,
    chain_no bigint NOT NULL,
    entry_id uuid NOT NULL,
    previous_hash bytea NOT NULL,
    hash bytea NOT NULL,
    sealed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, chain_no),
    UNIQUE (tenant_id, entry_id),
    FOREIGN KEY (tenant_id, entry_id) REFERENCES app.audit_entry
)
;;
CREATE TABLE app.event_cursor (
    tenant_id uuid PRIMARY KEY REFERENCES app.tenant,
    last bigint NOT NULL DEFAULT 0
)
;;
COMMENT ON TABLE app.event_cursor IS
    'Locked as the last statement of a transaction, so that cursor order is commit order.'
;;
CREATE TABLE app.event_outbox (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    cursor bigint NOT NULL,
    event_id uuid NOT NULL DEFAULT uuidv7(),
    type text NOT NULL,
    data jsonb NOT NULL,
    trace_id text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, cursor)
)
;;
GRANT INSERT ON app.audit_entry, app.event_cursor, app.event_outbox TO tc_platform
;;
GRANT UPDATE ON app.event_cursor TO tc_platform
"""


def upgrade() -> None:
    run(TABLES)
    isolate("app.audit_entry", "SELECT, INSERT")
    isolate("app.audit_seal", "SELECT, INSERT")
    isolate("app.event_cursor", "SELECT, INSERT, UPDATE")
    isolate("app.event_outbox", "SELECT, INSERT")

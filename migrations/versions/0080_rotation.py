"""Rotation of a connection's secret: its progress, and the second ExternalId while it lasts."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import isolate, run

revision = "0080"
down_revision = "0070"

TABLES = """
ALTER TABLE app.connection
    ADD COLUMN next_external_id text NOT NULL DEFAULT '',
    ADD COLUMN previous_external_id text NOT NULL DEFAULT '',
    ADD CONSTRAINT connection_one_other_external_id
        CHECK (next_external_id = '' OR previous_external_id = '')
;;
COMMENT ON COLUMN app.connection.next_external_id IS
    'The new ExternalId of a rotation that has not taken it into use yet; else empty.'
;;
COMMENT ON COLUMN app.connection.previous_external_id IS
    'The old ExternalId of a rotation until it is proven dropped; else empty.'
;;
CREATE TABLE app.secret_rotation (
    tenant_id uuid NOT NULL,
    rotation_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL CHECK (state IN ('waiting_for_customer', 'verifying_old_dropped',
        'rotated', 'rolled_back', 'expired', 'cancelled')),
    requested_by text NOT NULL,
    started_at timestamptz NOT NULL,
    deadline timestamptz NOT NULL,
    switched_at timestamptz,
    finished_at timestamptz,
    looks int NOT NULL DEFAULT 0,
    looked_at timestamptz,
    new_admission text NOT NULL DEFAULT 'unknown'
        CHECK (new_admission IN ('admitted', 'refused', 'unknown')),
    old_admission text NOT NULL DEFAULT 'unknown'
        CHECK (old_admission IN ('admitted', 'refused', 'unknown')),
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, rotation_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES app.connection
)
;;
COMMENT ON TABLE app.secret_rotation IS
    'Never holds a secret: the connection does, and forgets the one that was replaced.'
;;
CREATE UNIQUE INDEX secret_rotation_open ON app.secret_rotation (tenant_id, connection_id)
    WHERE finished_at IS NULL
;;
CREATE INDEX secret_rotation_recent
    ON app.secret_rotation (tenant_id, connection_id, started_at DESC)
"""


def upgrade() -> None:
    run(TABLES)
    isolate("app.secret_rotation", "SELECT, INSERT, UPDATE")

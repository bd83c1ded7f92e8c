"""Rotation of a tenant's stored secrets: its progress, and the right to destroy one of the two."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import isolate, run

revision = "0160"
down_revision = "0150"

TABLES = """
CREATE TABLE app.stored_secret_rotation (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    rotation_id uuid NOT NULL,
    kind text NOT NULL,
    state text NOT NULL
        CHECK (state IN ('overlapping', 'rotated', 'rolled_back', 'cancelled')),
    old_version int NOT NULL,
    new_version int NOT NULL CHECK (new_version > old_version),
    requested_by text NOT NULL,
    started_at timestamptz NOT NULL,
    deadline timestamptz NOT NULL,
    finished_at timestamptz,
    note text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, rotation_id),
    CONSTRAINT stored_secret_rotation_ends CHECK ((state = 'overlapping') = (finished_at IS NULL))
)
;;
COMMENT ON TABLE app.stored_secret_rotation IS
    'Never holds a secret: app.tenant_secret does, and loses the version that is not kept.'
;;
CREATE UNIQUE INDEX stored_secret_rotation_open ON app.stored_secret_rotation (tenant_id, kind)
    WHERE finished_at IS NULL
;;
CREATE INDEX stored_secret_rotation_recent
    ON app.stored_secret_rotation (tenant_id, kind, started_at DESC)
"""


def upgrade() -> None:
    run(TABLES)
    isolate("app.stored_secret_rotation", "SELECT, INSERT, UPDATE")
    # Deleted, never changed: a secret in use must not be overwritten.
    run("GRANT DELETE ON app.tenant_secret TO tc_app")

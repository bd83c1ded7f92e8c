"""Accounts over time, the regions of accounts that were looked at, and when that was."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import all_tenants, isolate, run

revision = "0090"
down_revision = "0080"

TABLES = """
ALTER TABLE app.connection ADD COLUMN discovered_at timestamptz
;;
COMMENT ON COLUMN app.connection.discovered_at IS
    'When its accounts and sources were last looked for; null before the first time.'
;;
ALTER TABLE app.connection_account
    ADD COLUMN covered_at timestamptz,
    ADD COLUMN changed_at timestamptz
;;
COMMENT ON COLUMN app.connection_account.covered_at IS
    'When the account could last be entered; null where it never could.'
;;
COMMENT ON COLUMN app.connection_account.changed_at IS
    'Since when its state and coverage are what they are.'
;;
CREATE TABLE app.connection_place (
    tenant_id uuid NOT NULL,
    connection_id uuid NOT NULL,
    account_id text NOT NULL,
    region text NOT NULL,
    state text NOT NULL CHECK (state IN ('active', 'quiet', 'disabled')),
    looked_at timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, account_id, region),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES app.connection
)
;;
COMMENT ON TABLE app.connection_place IS
    'One row an account and region: a quiet one is looked at again a day later, not each time.'
"""
KNOWN = """
UPDATE app.connection_account SET changed_at = checked_at,
    covered_at = CASE WHEN coverage = 'covered' THEN checked_at END
"""


def upgrade() -> None:
    run(TABLES)
    isolate("app.connection_place", "SELECT, INSERT, UPDATE")
    # Without it, a role that is lost after this version would not be told from one never there.
    with all_tenants("app.connection_account"):
        run(KNOWN)

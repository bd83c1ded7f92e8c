"""What the attempts of a work item met, the pace of a run, and which sites were backfilled."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import all_tenants, run

revision = "0050"
down_revision = "0020"

TABLES = """
ALTER TABLE app.sync_step DROP CONSTRAINT sync_step_state_check
;;
ALTER TABLE app.sync_step
    ADD CONSTRAINT sync_step_state_check CHECK (state IN
        ('pending', 'running', 'retrying', 'completed', 'failed', 'skipped')),
    ADD COLUMN attempt int NOT NULL DEFAULT 0,
    ADD COLUMN error_code text NOT NULL DEFAULT '',
    ADD COLUMN error text NOT NULL DEFAULT '',
    ADD COLUMN site_key text NOT NULL DEFAULT ''
;;
COMMENT ON COLUMN app.sync_step.error IS
    'Why the last attempt ended, masked, at most 1 kB; empty once the step is completed.'
;;
ALTER TABLE app.sync_run
    ADD COLUMN pace interval,
    ADD COLUMN pace_done int NOT NULL DEFAULT 0,
    ADD COLUMN pace_at timestamptz
;;
COMMENT ON COLUMN app.sync_run.pace IS
    'Time per item, as of the item number pace_done that was finished at pace_at.'
;;
ALTER TABLE app.connection_site
    ADD COLUMN backfill_run uuid,
    ADD COLUMN backfill_tries int NOT NULL DEFAULT 0,
    ADD COLUMN backfill_tried_at timestamptz,
    ADD COLUMN backfilled_at timestamptz,
    ADD FOREIGN KEY (tenant_id, backfill_run) REFERENCES app.sync_run
;;
COMMENT ON COLUMN app.connection_site.backfilled_at IS
    'When a backfill had read the whole of its window here; null while one is owed.'
"""
KNOWN = """
UPDATE app.sync_step SET site_key = left(step_key, -length('/20261120T1200'))
WHERE window_start IS NOT NULL
;;
UPDATE app.connection_site s SET backfill_run = b.run_id, backfill_tries = 1,
    backfill_tried_at = b.started_at,
    backfilled_at = CASE WHEN b.whole THEN COALESCE(b.finished_at, b.started_at) END
FROM (
    SELECT DISTINCT ON (tenant_id, connection_id, site_key) *
    FROM (
        SELECT r.tenant_id, r.connection_id, p.site_key, r.run_id, r.started_at, r.finished_at,
            bool_and(p.state = 'completed') AS whole
        FROM app.sync_run r JOIN app.sync_step p USING (tenant_id, run_id)
        WHERE r.kind = 'backfill' AND p.site_key <> ''
        GROUP BY 1, 2, 3, 4, 5, 6
    ) read_by
    ORDER BY tenant_id, connection_id, site_key, whole DESC, started_at DESC
) b
WHERE (s.tenant_id, s.connection_id, s.site_key) = (b.tenant_id, b.connection_id, b.site_key)
"""
TOUCHED = ("app.sync_run", "app.sync_step", "app.connection_site")


def upgrade() -> None:
    # Every tenant's rows are brought up to date: without it each source would be read anew.
    with all_tenants(*TOUCHED):
        run(TABLES)
        run(KNOWN)

"""What removes rows that nobody needs any more: only dead ones, of the bound tenant alone."""

import sys
from pathlib import Path

from alembic import op

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import run

revision = "0070"
down_revision = "0060"

# They run as the owner, whom row security binds to app.tenant_id like everybody; the serving role
# may not delete from these tables itself. The tenant is said again, for an owner whom it does not
# bind, and to fail where none is set. ``before`` is the caller's; what is still alive stays
# whatever it says.
FUNCTIONS = """
CREATE INDEX refresh_token_by_expiry ON app.refresh_token (tenant_id, expires_at)
;;
CREATE FUNCTION app.prune_refresh_tokens(before timestamptz, most int) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH gone AS (
        DELETE FROM app.refresh_token
        WHERE tenant_id = current_setting('app.tenant_id')::uuid AND token_hash = ANY(ARRAY(
            SELECT token_hash FROM app.refresh_token
            WHERE tenant_id = current_setting('app.tenant_id')::uuid
              AND expires_at < least(before, now())
            ORDER BY expires_at LIMIT most
        ))
        RETURNING 1
    )
    SELECT count(*) FROM gone
$$
;;
CREATE FUNCTION app.prune_invitations(before timestamptz, most int) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH gone AS (
        DELETE FROM app.invitation
        WHERE tenant_id = current_setting('app.tenant_id')::uuid AND token_hash = ANY(ARRAY(
            SELECT token_hash FROM app.invitation
            WHERE tenant_id = current_setting('app.tenant_id')::uuid
              AND coalesce(accepted_at, expires_at) < least(before, now())
            LIMIT most
        ))
        RETURNING 1
    )
    SELECT count(*) FROM gone
$$
;;
CREATE FUNCTION app.prune_events(before timestamptz, most int) RETURNS bigint
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH oldest AS (
        SELECT cursor, created_at FROM app.event_outbox
        WHERE tenant_id = current_setting('app.tenant_id')::uuid
        ORDER BY cursor LIMIT most
    ), kept AS (
        SELECT min(cursor) AS first FROM oldest
        WHERE created_at >= least(before, now() - interval '1 day')
    ), gone AS (
        DELETE FROM app.event_outbox e USING oldest o, kept k
        WHERE e.tenant_id = current_setting('app.tenant_id')::uuid AND e.cursor = o.cursor
          AND (k.first IS NULL OR e.cursor < k.first)
        RETURNING 1
    )
    SELECT count(*) FROM gone
$$
;;
COMMENT ON FUNCTION app.prune_events(timestamptz, int) IS
    'Oldest first and up to the first event that stays: what is kept has no gaps.'
"""

SIGNATURES = (
    "app.prune_refresh_tokens(timestamptz, int)",
    "app.prune_invitations(timestamptz, int)",
    "app.prune_events(timestamptz, int)",
)


def upgrade() -> None:
    # The bodies are checked under the owner's row security, which migrations switch off.
    op.execute("SET LOCAL check_function_bodies = off")
    run(FUNCTIONS)
    for signature in SIGNATURES:
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO tc_app")

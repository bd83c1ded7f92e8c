"""Look-ups before a tenant is known, invitations, temporary passwords, what the sealer asks."""

import sys
from pathlib import Path

from alembic import op

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import isolate, run

revision = "0020"
down_revision = "0030"

TABLES = """
CREATE TABLE app.invitation (
    tenant_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    user_id uuid NOT NULL,
    invited_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    accepted_at timestamptz,
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES app.membership
)
;;
COMMENT ON TABLE app.invitation IS
    'An invited membership becomes active only for the bearer of its token: an e-mail address
     or a password that somebody else chose is not enough.'
;;
CREATE INDEX membership_by_user ON app.membership (user_id)
;;
CREATE INDEX invitation_by_user ON app.invitation (tenant_id, user_id)
;;
CREATE INDEX idempotency_key_by_age ON app.idempotency_key (tenant_id, created_at)
;;
ALTER TABLE app.app_user ADD COLUMN password_temporary boolean NOT NULL DEFAULT false
;;
GRANT SELECT (password_temporary), UPDATE (password_temporary) ON app.app_user TO tc_app
;;
GRANT INSERT, UPDATE ON app.invitation TO tc_platform
"""

# A person whom the pool vouches for signs in through the pool alone: whoever chose a password for
# the same address before may not have been that person.
#
# They run as the platform role, answer one narrow question each, and write nothing but the link.
FUNCTIONS = """
CREATE FUNCTION app.memberships_of(subject text, federated boolean)
RETURNS TABLE (tenant_id uuid, user_id uuid, role text, plan text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT m.tenant_id, m.user_id, m.role, t.plan
    FROM app.membership m
    JOIN app.tenant t ON t.tenant_id = m.tenant_id AND t.status = 'active'
    WHERE m.status = 'active' AND m.user_id = (
        SELECT u.user_id FROM app.app_user u
        WHERE federated AND u.cognito_sub = subject
        UNION ALL
        SELECT u.user_id FROM app.app_user u
        WHERE NOT federated AND u.cognito_sub IS NULL AND u.user_id = CASE
            WHEN subject ~ '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN subject::uuid
        END
        LIMIT 1
    )
$$
;;
CREATE FUNCTION app.link_subject(subject text, verified_email text)
RETURNS boolean
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = pg_catalog AS $$
    WITH linked AS (
        UPDATE app.app_user
        SET cognito_sub = subject, password_hash = NULL, password_temporary = false
        WHERE email = lower(verified_email) AND cognito_sub IS NULL
          AND NOT EXISTS (SELECT FROM app.app_user o WHERE o.cognito_sub = subject)
        RETURNING user_id
    ), person AS (
        SELECT user_id FROM linked
        UNION ALL
        SELECT user_id FROM app.app_user
        WHERE email = lower(verified_email) AND cognito_sub = subject
    ), accepted AS (
        UPDATE app.membership m SET status = 'active', updated_at = now()
        FROM person WHERE m.user_id = person.user_id AND m.status = 'invited'
        RETURNING 1
    )
    SELECT EXISTS (SELECT FROM linked) OR EXISTS (SELECT FROM accepted)
$$
;;
CREATE FUNCTION app.tenant_of_slug(wanted text)
RETURNS uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT tenant_id FROM app.tenant WHERE slug = wanted AND status = 'active'
$$
;;
CREATE FUNCTION app.tenants_to_seal(lookback interval)
RETURNS SETOF uuid
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT t.tenant_id FROM app.tenant t
    WHERE EXISTS (
        SELECT FROM app.audit_entry e
        WHERE e.tenant_id = t.tenant_id
          AND (lookback IS NULL OR e.at > clock_timestamp() - lookback)
          AND NOT EXISTS (
              SELECT FROM app.audit_seal s
              WHERE s.tenant_id = e.tenant_id AND s.entry_id = e.entry_id
          )
    )
$$
"""

SIGNATURES = (
    "app.memberships_of(text, boolean)",
    "app.link_subject(text, text)",
    "app.tenant_of_slug(text)",
    "app.tenants_to_seal(interval)",
)


def upgrade() -> None:
    run(TABLES)
    isolate("app.invitation", "SELECT, INSERT, UPDATE")
    op.execute("DROP FUNCTION app.memberships_of_subject(text)")
    op.execute("GRANT CREATE ON SCHEMA app TO tc_platform")
    op.execute("SET LOCAL check_function_bodies = off")
    run(FUNCTIONS)
    for signature in SIGNATURES:
        op.execute(f"REVOKE ALL ON FUNCTION {signature} FROM PUBLIC")
        op.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO tc_app, tc_platform")
        op.execute(f"ALTER FUNCTION {signature} OWNER TO tc_platform")
    op.execute("REVOKE CREATE ON SCHEMA app FROM tc_platform")

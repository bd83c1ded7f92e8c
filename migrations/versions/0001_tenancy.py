"""Tenants, users, memberships, refresh tokens, flags, secrets, platform audit."""

import sys
from pathlib import Path

from alembic import op

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import isolate, run

revision = "0001"
down_revision = None

TABLES = """
CREATE TABLE app.tenant (
    tenant_id uuid PRIMARY KEY,
    slug text NOT NULL UNIQUE CHECK (slug ~ '^[a-z0-9][a-z0-9-]{1,62}$'),
    name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
    plan text NOT NULL CHECK (plan IN ('starter', 'growth', 'enterprise')),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
    time_zone text NOT NULL DEFAULT 'UTC',
    settings jsonb NOT NULL DEFAULT '{}',
    branding jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
)
;;
CREATE TABLE app.app_user (
    user_id uuid PRIMARY KEY,
    email text NOT NULL CHECK (email = lower(email)),
    display_name text NOT NULL DEFAULT '',
    password_hash text,
    cognito_sub text UNIQUE,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (email)
)
;;
COMMENT ON TABLE app.app_user IS 'Users are global (decisions 18); memberships are per tenant.'
;;
CREATE TABLE app.membership (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    user_id uuid NOT NULL REFERENCES app.app_user,
    role text NOT NULL CHECK (role IN
        ('owner', 'admin', 'finops', 'engineer', 'approver', 'oncall', 'viewer', 'service')),
    status text NOT NULL DEFAULT 'active' CHECK (status IN ('invited', 'active', 'removed')),
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, user_id)
)
;;
CREATE TABLE app.refresh_token (
    tenant_id uuid NOT NULL,
    token_hash bytea NOT NULL,
    family_id uuid NOT NULL,
    user_id uuid NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    spent_at timestamptz,
    successor bytea,
    revoked_at timestamptz,
    PRIMARY KEY (tenant_id, token_hash),
    FOREIGN KEY (tenant_id, user_id) REFERENCES app.membership
)
;;
COMMENT ON COLUMN app.refresh_token.successor IS
    'The successor token, sealed with a key derived from this token: only its bearer opens it.'
;;
CREATE INDEX refresh_token_family ON app.refresh_token (tenant_id, family_id)
;;
CREATE TABLE app.feature_flag_override (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    flag_key text NOT NULL,
    user_id uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    enabled boolean NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, flag_key, user_id)
)
;;
CREATE TABLE app.tenant_secret (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    kind text NOT NULL,
    version int NOT NULL DEFAULT 1,
    secret bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, kind, version)
)
;;
CREATE TABLE app.idempotency_key (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    route text NOT NULL,
    key text NOT NULL,
    body_hash bytea NOT NULL,
    status int,
    response bytea,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, route, key)
)
;;
CREATE TABLE app.onboarding (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    state text NOT NULL,
    history jsonb NOT NULL DEFAULT '[]',
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id)
)
;;
CREATE TABLE app.platform_audit (
    entry_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reason text NOT NULL,
    actor text NOT NULL
)
;;
COMMENT ON TABLE app.platform_audit IS 'Every use of the platform role, written as it opens.'
;;
GRANT SELECT, INSERT ON app.platform_audit TO tc_platform
;;
GRANT SELECT, INSERT, UPDATE ON app.tenant, app.app_user, app.membership, app.onboarding
    TO tc_platform
;;
GRANT SELECT, INSERT ON app.tenant_secret TO tc_platform
;;
GRANT SELECT (user_id, email, display_name, password_hash, cognito_sub, created_at),
    INSERT (user_id, email, display_name),
    UPDATE (password_hash, display_name) ON app.app_user TO tc_app
"""

MEMBERSHIPS_OF_SUBJECT = """
CREATE FUNCTION app.memberships_of_subject(subject text)
RETURNS TABLE (tenant_id uuid, user_id uuid, role text, plan text)
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog AS $$
    SELECT m.tenant_id, m.user_id, m.role, t.plan
    FROM app.app_user u
    JOIN app.membership m ON m.user_id = u.user_id AND m.status = 'active'
    JOIN app.tenant t ON t.tenant_id = m.tenant_id AND t.status = 'active'
    WHERE u.cognito_sub = subject OR u.user_id::text = subject
$$
"""


def upgrade() -> None:
    run(TABLES)
    isolate("app.tenant", "SELECT, UPDATE (name, time_zone, settings, branding, updated_at)")
    isolate("app.membership", "SELECT, INSERT, UPDATE")
    isolate("app.refresh_token", "SELECT, INSERT, UPDATE")
    isolate("app.feature_flag_override", "SELECT, INSERT, UPDATE, DELETE")
    isolate("app.tenant_secret", "SELECT, INSERT")
    isolate("app.idempotency_key", "SELECT, INSERT, UPDATE, DELETE")
    isolate("app.onboarding", "SELECT, INSERT, UPDATE")
    # The one look-up before a tenant is known (decisions 18). It runs as the platform role.
    op.execute("GRANT CREATE ON SCHEMA app TO tc_platform")
    # The body is checked under the owner's row security, which migrations switch off.
    op.execute("SET LOCAL check_function_bodies = off")
    op.execute(MEMBERSHIPS_OF_SUBJECT)
    op.execute("REVOKE ALL ON FUNCTION app.memberships_of_subject(text) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION app.memberships_of_subject(text) TO tc_app")
    op.execute("ALTER FUNCTION app.memberships_of_subject(text) OWNER TO tc_platform")
    op.execute("REVOKE CREATE ON SCHEMA app FROM tc_platform")

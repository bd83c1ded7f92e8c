"""Effective-dated price catalogue, and a tenant's own overrides."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import isolate, run

revision = "0004"
down_revision = "0003"

PRICE_COLUMNS = """
    provider text NOT NULL,
    model_id text NOT NULL,
    region text NOT NULL DEFAULT '*',
    routing_scope text NOT NULL,
    service_tier text NOT NULL,
    modality text NOT NULL,
    context_bucket text NOT NULL,
    unit_kind text NOT NULL,
    usd_per_million numeric NOT NULL CHECK (usd_per_million >= 0),
    valid_from timestamptz NOT NULL,
    valid_to timestamptz CHECK (valid_to > valid_from),
    source text NOT NULL
"""
KEY = "provider, model_id, region, routing_scope, service_tier, modality, context_bucket, unit_kind"

TABLES = f"""
CREATE SEQUENCE ai.price_version_seq AS int
;;
CREATE TABLE ai.price_version (
    version_id int PRIMARY KEY DEFAULT nextval('ai.price_version_seq'),
    source text NOT NULL,
    content_hash bytea NOT NULL,
    effective_from timestamptz NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    UNIQUE (content_hash, effective_from)
)
;;
COMMENT ON TABLE ai.price_version IS 'Global: an import without a tenant is an operator''s act.'
;;
CREATE TABLE ai.price (
    version_id int NOT NULL REFERENCES ai.price_version,
    {PRICE_COLUMNS},
    PRIMARY KEY (version_id, {KEY}, valid_from)
)
;;
CREATE TABLE ai.price_override_version (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    version_id int NOT NULL DEFAULT nextval('ai.price_version_seq'),
    source text NOT NULL,
    content_hash bytea NOT NULL,
    effective_from timestamptz NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, version_id),
    UNIQUE (tenant_id, content_hash, effective_from)
)
;;
CREATE TABLE ai.price_override (
    tenant_id uuid NOT NULL,
    version_id int NOT NULL,
    {PRICE_COLUMNS},
    PRIMARY KEY (tenant_id, version_id, {KEY}, valid_from),
    FOREIGN KEY (tenant_id, version_id) REFERENCES ai.price_override_version
)
;;
GRANT SELECT, INSERT ON ai.price_version, ai.price TO tc_platform
;;
GRANT SELECT ON ai.price_version, ai.price TO tc_app
;;
GRANT USAGE ON SEQUENCE ai.price_version_seq TO tc_app, tc_platform
"""


def upgrade() -> None:
    run(TABLES)
    isolate("ai.price_override_version", "SELECT, INSERT")
    isolate("ai.price_override", "SELECT, INSERT")

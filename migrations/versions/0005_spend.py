"""Spend events in daily partitions, their dimensions, rollups, batches and cells."""

import sys
from pathlib import Path

from alembic import op

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
from rls import isolate, run

revision = "0005"
down_revision = "0004"

MEASURES = """
    requests bigint NOT NULL DEFAULT 0,
    input_tokens bigint NOT NULL DEFAULT 0,
    cached_tokens bigint NOT NULL DEFAULT 0,
    cache_write_5m_tokens bigint NOT NULL DEFAULT 0,
    cache_write_1h_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    quantity_micro bigint NOT NULL DEFAULT 0,
    cost_nano bigint NOT NULL DEFAULT 0,
    unpriced_requests bigint NOT NULL DEFAULT 0,
    unpriced_tokens bigint NOT NULL DEFAULT 0,
    error_requests bigint NOT NULL DEFAULT 0,
    latency_ms_sum bigint NOT NULL DEFAULT 0,
    latency_count bigint NOT NULL DEFAULT 0
"""

TABLES = f"""
CREATE TABLE ai.dimension (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    dim_id bigint NOT NULL,
    cell_id bigint NOT NULL,
    source text NOT NULL,
    provider text NOT NULL,
    account_id text NOT NULL,
    usage_account_id text NOT NULL,
    region text NOT NULL,
    routing_scope text NOT NULL,
    model_id text NOT NULL,
    model_family text NOT NULL,
    model_tier text NOT NULL,
    service_tier text NOT NULL,
    modality text NOT NULL,
    context_bucket text NOT NULL,
    operation text NOT NULL,
    profile_arn text NOT NULL,
    application text NOT NULL,
    team text NOT NULL,
    environment text NOT NULL,
    owner text NOT NULL,
    tags jsonb NOT NULL DEFAULT '{{}}',
    PRIMARY KEY (tenant_id, dim_id)
)
;;
CREATE TABLE ai.actor (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    actor_id bigint NOT NULL,
    user_name text NOT NULL DEFAULT '',
    agent text NOT NULL DEFAULT '',
    workflow text NOT NULL DEFAULT '',
    PRIMARY KEY (tenant_id, actor_id)
)
;;
CREATE INDEX actor_by_agent ON ai.actor (tenant_id, agent) WHERE agent <> ''
;;
CREATE INDEX actor_by_workflow ON ai.actor (tenant_id, workflow) WHERE workflow <> ''
;;
CREATE SEQUENCE ai.batch_seq
;;
CREATE TABLE ai.ingest_batch (
    tenant_id uuid NOT NULL REFERENCES app.tenant,
    batch_id bigint NOT NULL DEFAULT nextval('ai.batch_seq'),
    connection_id uuid,
    run_id uuid,
    origin text NOT NULL,
    known_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    rows_accepted bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, batch_id),
    FOREIGN KEY (tenant_id, connection_id) REFERENCES app.connection,
    FOREIGN KEY (tenant_id, run_id) REFERENCES app.sync_run
)
;;
CREATE INDEX ingest_batch_known ON ai.ingest_batch (tenant_id, known_at)
;;
CREATE TABLE ai.ingest_object (
    tenant_id uuid NOT NULL,
    origin text NOT NULL,
    object_key text NOT NULL,
    etag text NOT NULL,
    batch_id bigint NOT NULL,
    rows_accepted bigint NOT NULL DEFAULT 0,
    rows_duplicate bigint NOT NULL DEFAULT 0,
    rows_rejected bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (tenant_id, origin, object_key, etag),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES ai.ingest_batch
)
;;
CREATE TABLE ai.spend_event (
    tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid,
    ts timestamptz NOT NULL,
    event_id uuid NOT NULL,
    dim_id bigint NOT NULL,
    actor_id bigint NOT NULL DEFAULT 0,
    batch_id bigint NOT NULL,
    grain smallint NOT NULL CHECK (grain IN (1, 2)),
    requests bigint NOT NULL DEFAULT 1,
    input_tokens bigint NOT NULL DEFAULT 0,
    cached_tokens bigint NOT NULL DEFAULT 0,
    cache_write_5m_tokens bigint NOT NULL DEFAULT 0,
    cache_write_1h_tokens bigint NOT NULL DEFAULT 0,
    output_tokens bigint NOT NULL DEFAULT 0,
    quantity_micro bigint,
    unit text,
    cost_nano bigint,
    price_version int,
    recorded_cost_nano bigint,
    recorded_currency text,
    latency_ms int,
    error_code text,
    request_id uuid,
    request_ref text,
    conversation_id text,
    session_id text,
    prompt_hash bytea,
    response_hash bytea,
    prefix_hashes bytea,
    PRIMARY KEY (tenant_id, ts, event_id),
    CHECK (cost_nano IS NOT NULL OR price_version IS NULL),
    CHECK (cost_nano = 0 OR price_version IS NOT NULL OR cost_nano IS NULL)
) PARTITION BY RANGE (ts)
;;
COMMENT ON COLUMN ai.spend_event.cost_nano IS 'USD x 10^9; NULL means unpriced, never zero.'
;;
CREATE TABLE ai.event_seen (
    tenant_id uuid NOT NULL DEFAULT current_setting('app.tenant_id')::uuid,
    event_id uuid NOT NULL,
    content_hash bytea NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (tenant_id, event_id)
)
;;
CREATE INDEX event_seen_age ON ai.event_seen (tenant_id, seen_at)
;;
CREATE TABLE ai.spend_hourly (
    tenant_id uuid NOT NULL,
    hour timestamptz NOT NULL,
    dim_id bigint NOT NULL,
    actor_id bigint NOT NULL,
    grain smallint NOT NULL,
    {MEASURES},
    PRIMARY KEY (tenant_id, hour, dim_id, actor_id, grain)
) WITH (fillfactor = 70)
;;
CREATE TABLE ai.spend_daily (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    dim_id bigint NOT NULL,
    actor_id bigint NOT NULL,
    grain smallint NOT NULL,
    {MEASURES},
    PRIMARY KEY (tenant_id, day, dim_id, actor_id, grain)
) WITH (fillfactor = 70)
;;
CREATE TABLE ai.spend_delta (
    tenant_id uuid NOT NULL,
    batch_id bigint NOT NULL,
    day date NOT NULL,
    dim_id bigint NOT NULL,
    actor_id bigint NOT NULL,
    grain smallint NOT NULL,
    {MEASURES},
    PRIMARY KEY (tenant_id, batch_id, day, dim_id, actor_id, grain),
    FOREIGN KEY (tenant_id, batch_id) REFERENCES ai.ingest_batch
)
;;
COMMENT ON TABLE ai.spend_delta IS
    'What each batch changed in spend_daily; asOf sums the batches known by then (decisions 8).'
;;
CREATE INDEX spend_delta_by_day ON ai.spend_delta (tenant_id, day)
;;
CREATE TABLE ai.spend_cell (
    tenant_id uuid NOT NULL,
    day date NOT NULL,
    cell_id bigint NOT NULL,
    grain smallint NOT NULL,
    PRIMARY KEY (tenant_id, day, cell_id, grain)
)
;;
COMMENT ON TABLE ai.spend_cell IS
    'Grains present per (day, account, region, model): the finest one counts (decisions 1).'
"""

ENSURE_PARTITION = """
CREATE FUNCTION ai.ensure_spend_partition(wanted date) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
DECLARE
    part text := 'spend_event_' || to_char(wanted, 'YYYYMMDD');
BEGIN
    IF wanted < DATE '2015-01-01' OR wanted > (now() AT TIME ZONE 'UTC')::date + 40 THEN
        RAISE EXCEPTION 'no partition for %: outside the accepted time', wanted
            USING ERRCODE = '22008';
    END IF;
    IF to_regclass('ai.' || part) IS NOT NULL THEN
        RETURN false;
    END IF;
    -- One maker at a time. The second look reads the catalogue itself: the name's absence,
    -- seen before the wait, is still cached.
    PERFORM pg_advisory_xact_lock(hashtext('ai.ensure_spend_partition'));
    IF EXISTS (SELECT FROM pg_class WHERE relname = part
               AND relnamespace = 'ai'::regnamespace) THEN
        RETURN false;
    END IF;
    -- Made apart and attached: attaching does not block concurrent loads of the parent.
    EXECUTE format('CREATE TABLE ai.%I (LIKE ai.spend_event INCLUDING ALL)', part);
    EXECUTE format('ALTER TABLE ai.%I ENABLE ROW LEVEL SECURITY', part);
    EXECUTE format('ALTER TABLE ai.%I FORCE ROW LEVEL SECURITY', part);
    EXECUTE format(
        'ALTER TABLE ai.%I ADD CONSTRAINT ts_range CHECK (ts >= %L AND ts < %L)',
        part, wanted::text || ' 00:00:00+00', (wanted + 1)::text || ' 00:00:00+00');
    EXECUTE format(
        'ALTER TABLE ai.spend_event ATTACH PARTITION ai.%I FOR VALUES FROM (%L) TO (%L)',
        part, wanted::text || ' 00:00:00+00', (wanted + 1)::text || ' 00:00:00+00');
    EXECUTE format('ALTER TABLE ai.%I DROP CONSTRAINT ts_range', part);
    RETURN true;
END
$$
"""

COPY_COLUMNS = """ts, event_id, dim_id, actor_id, batch_id, grain, requests, input_tokens,
    cached_tokens, cache_write_5m_tokens, cache_write_1h_tokens, output_tokens, quantity_micro,
    unit, cost_nano, price_version, recorded_cost_nano, recorded_currency, latency_ms, error_code,
    request_id, request_ref, conversation_id, session_id, prompt_hash, response_hash,
    prefix_hashes"""


def upgrade() -> None:
    run(TABLES)
    isolate("ai.dimension", "SELECT, INSERT")
    isolate("ai.actor", "SELECT, INSERT")
    isolate("ai.ingest_batch", "SELECT, INSERT, UPDATE (rows_accepted)")
    isolate("ai.ingest_object", "SELECT, INSERT, UPDATE")
    isolate("ai.spend_event", "SELECT, INSERT, UPDATE")
    isolate("ai.event_seen", "SELECT, INSERT, DELETE")
    isolate("ai.spend_hourly", "SELECT, INSERT, UPDATE")
    isolate("ai.spend_daily", "SELECT, INSERT, UPDATE")
    isolate("ai.spend_delta", "SELECT, INSERT")
    isolate("ai.spend_cell", "SELECT, INSERT")
    op.execute("GRANT USAGE ON SEQUENCE ai.batch_seq TO tc_app")
    # The copy role may add rows and nothing else, and cannot name a tenant: the column's
    # default does, and fails where no tenant is set.
    op.execute(f"GRANT INSERT ({COPY_COLUMNS}) ON ai.spend_event TO tc_copy")
    op.execute(ENSURE_PARTITION)
    op.execute("REVOKE ALL ON FUNCTION ai.ensure_spend_partition(date) FROM PUBLIC")
    op.execute("GRANT EXECUTE ON FUNCTION ai.ensure_spend_partition(date) TO tc_app, tc_platform")

#!/bin/sh
# Create Temporal's two databases, or bring them to this release. Safe to repeat.
set -eu

tool() {
    database=$1
    shift
    temporal-sql-tool --plugin postgres12 --endpoint "$POSTGRES_SEEDS" --port "$DB_PORT" \
        --user "$POSTGRES_USER" --password "$POSTGRES_PWD" --database "$database" "$@"
}

for pair in temporal:temporal temporal_visibility:visibility; do
    database=${pair%%:*}
    schema=/etc/temporal/schema/postgresql/v12/${pair##*:}/versioned
    tool "$database" create
    tool "$database" setup-schema --version 0.0
    tool "$database" update-schema --schema-dir "$schema"
done

#!/bin/sh
# Runs once, when the cluster is made: Temporal gets a role that may create its own two databases
# and is nobody in ours.
set -eu

psql --username "$POSTGRES_USER" --set ON_ERROR_STOP=1 --set "password=$TEMPORAL_DB_PASSWORD" <<'SQL'
CREATE ROLE temporal LOGIN CREATEDB PASSWORD :'password';
SQL

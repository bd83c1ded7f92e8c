"""Runs inside a connection that ``tensorcost.storage.migrate`` opened as the owner role."""

from alembic import context
from sqlalchemy import text

connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    version_table="schema_version",
    version_table_schema="app",
    transaction_per_migration=True,
)
with context.begin_transaction():
    # Under FORCE an owner's data fix would see no rows and succeed; off makes it raise instead.
    connection.execute(text("SET row_security = off"))
    context.run_migrations()

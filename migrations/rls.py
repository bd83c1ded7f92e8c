"""The one spelling of tenant isolation, used by every migration that adds a tenant table."""

from collections.abc import Iterator
from contextlib import contextmanager

from alembic import op

TENANT = "tenant_id = (SELECT NULLIF(current_setting('app.tenant_id', true), '')::uuid)"


def isolate(table: str, grants: str) -> None:
    """Force row security on ``table``, add the policies, grant ``grants`` to the app role.

    The restrictive twin keeps a careless later permissive policy from opening the table.
    """
    op.execute(f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY")
    op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")
    op.execute(f"CREATE POLICY tenant_isolation ON {table} USING ({TENANT})")
    op.execute(f"CREATE POLICY tenant_fence ON {table} AS RESTRICTIVE USING ({TENANT})")
    op.execute(f"GRANT {grants} ON {table} TO tc_app")
    op.execute(f"GRANT SELECT ON {table} TO tc_platform")


@contextmanager
def all_tenants(*tables: str) -> Iterator[None]:
    """Let the owner see and change the rows of every tenant: forced policies bind it too, and a
    migration sets no tenant. Within its transaction nobody else sees the tables unforced."""
    for table in tables:
        op.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
    yield
    for table in tables:
        op.execute(f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY")


def run(statements: str) -> None:
    """Execute statements separated by a line holding only ``;;``."""
    for statement in statements.split("\n;;\n"):
        if statement.strip():
            op.execute(statement)

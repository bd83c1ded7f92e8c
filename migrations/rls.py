"""The one spelling of tenant isolation, used by every migration that adds a tenant table."""

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


def run(statements: str) -> None:
    """Execute statements separated by a line holding only ``;;``."""
    for statement in statements.split("\n;;\n"):
        if statement.strip():
            op.execute(statement)

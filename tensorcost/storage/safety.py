"""Refusal to start as a role that row security does not bind (N20, traps 18)."""

from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncEngine

COPY_ROLE = "tc_copy"

_CHECK = text("""
    SELECT r.rolname AS role, r.rolsuper, r.rolbypassrls, m.inherited, m.settable,
           EXISTS (
               SELECT FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
               WHERE c.relowner = r.oid AND n.nspname IN ('app', 'ai')
           ) AS owns
    FROM pg_roles r
    CROSS JOIN LATERAL (
        SELECT pg_has_role(session_user, r.oid, 'USAGE') AS inherited,
               pg_has_role(session_user, r.oid, 'SET') AS settable
    ) m
    WHERE m.inherited OR m.settable
""")


class UnsafeRole(RuntimeError):
    """The database role would make row security void."""


async def refuse_unsafe_role(engine: AsyncEngine) -> None:
    """Raise UnsafeRole when the session's role, or one it can become, escapes row security.

    The copy role is the one named exception: settable, never inherited (decisions 15).
    """
    async with engine.connect() as connection:
        rows = (await connection.execute(_CHECK)).all()
    for row in rows:
        if row.role == COPY_ROLE and not row.inherited and not row.rolsuper and not row.owns:
            continue
        problem = (
            ("is a superuser" if row.rolsuper else "")
            or ("bypasses row security" if row.rolbypassrls else "")
            or ("owns tables" if row.owns else "")
        )
        if problem:
            raise UnsafeRole(
                f"the database role {row.role} {problem}: row security would not protect "
                "tenants. Connect as tc_app (see `tensorcost migrate --bootstrap`)."
            )

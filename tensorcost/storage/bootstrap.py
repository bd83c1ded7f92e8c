"""Roles and an empty database, made once by a superuser. Everything later runs as less.

owner: owns the objects, runs migrations, never serves requests.
app: what the running system is; owns nothing, bypasses nothing.
platform: BYPASSRLS, for the few named cross-tenant jobs.
copy: may insert spend events and nothing else; the app role can switch to it for a COPY.
"""

from dataclasses import dataclass
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

_ROLES = """
DO $$ BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tc_owner') THEN
        CREATE ROLE tc_owner LOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tc_app') THEN
        CREATE ROLE tc_app LOGIN NOSUPERUSER NOBYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tc_platform') THEN
        CREATE ROLE tc_platform LOGIN NOSUPERUSER BYPASSRLS;
    END IF;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'tc_copy') THEN
        CREATE ROLE tc_copy NOLOGIN NOSUPERUSER BYPASSRLS;
    END IF;
END $$;
GRANT tc_copy TO tc_app WITH INHERIT FALSE, SET TRUE;
GRANT tc_platform TO tc_owner WITH INHERIT FALSE, SET TRUE;
"""

_SCHEMAS = """
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA IF NOT EXISTS app AUTHORIZATION tc_owner;
CREATE SCHEMA IF NOT EXISTS ai AUTHORIZATION tc_owner;
GRANT USAGE ON SCHEMA app, ai TO tc_app, tc_platform;
GRANT USAGE ON SCHEMA ai TO tc_copy;
"""


@dataclass(frozen=True, slots=True)
class RolePasswords:
    owner: str
    app: str
    platform: str


@dataclass(frozen=True, slots=True)
class RoleUrls:
    """``postgresql://`` URLs of one database, one a role."""

    owner: str
    app: str
    platform: str


async def bootstrap_database(
    superuser_url: str, database: str, passwords: RolePasswords
) -> RoleUrls:
    """Create the roles and ``database`` where missing and return the URLs. Safe to repeat."""
    server = await asyncpg.connect(superuser_url)
    try:
        await server.execute(_ROLES)
        for role, password in (
            ("tc_owner", passwords.owner),
            ("tc_app", passwords.app),
            ("tc_platform", passwords.platform),
        ):
            quoted = await server.fetchval("SELECT quote_literal($1::text)", password)
            await server.execute(f"ALTER ROLE {role} PASSWORD {quoted}")
        exists = await server.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", database)
        if not exists:
            name = await server.fetchval("SELECT quote_ident($1::text)", database)
            await server.execute(f"CREATE DATABASE {name} OWNER tc_owner")
    finally:
        await server.close()
    inside = await asyncpg.connect(with_database(superuser_url, database))
    try:
        await inside.execute(_SCHEMAS)
    finally:
        await inside.close()
    return role_urls(superuser_url, database, passwords)


def role_urls(server_url: str, database: str, passwords: RolePasswords) -> RoleUrls:
    """The three roles' URLs for ``database`` on the server of ``server_url``."""
    base = with_database(server_url, database)
    return RoleUrls(
        owner=_with_login(base, "tc_owner", passwords.owner),
        app=_with_login(base, "tc_app", passwords.app),
        platform=_with_login(base, "tc_platform", passwords.platform),
    )


def with_database(url: str, database: str) -> str:
    """``url`` with another database name."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{quote(database)}"))


def _with_login(url: str, user: str, password: str) -> str:
    parts = urlsplit(url)
    host = parts.netloc.rsplit("@", 1)[-1]
    return urlunsplit(parts._replace(netloc=f"{user}:{quote(password, safe='')}@{host}"))

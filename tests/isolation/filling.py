"""A row for every tenant table that the product itself has not filled.

Written from the catalogue, so that a table of tomorrow is filled, or fails here with the words
that say what to add.
"""

import re
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import orjson

from tests.isolation.catalogue import Catalogue, Column

VALUES: dict[tuple[str, str], Any] = {
    ("app.onboarding", "state"): "connected",
    ("app.connection_site", "source"): "invocation_logs_s3",
    ("app.secret_rotation", "kind"): "external_id",
    ("app.stored_secret_rotation", "kind"): "content_hash",
    ("app.stored_secret_rotation", "state"): "rotated",
    ("app.inference_profile", "routing_scope"): "in_region",
    ("app.inference_profile", "service_tier"): "standard",
}
"""Columns whose closed set only the code knows."""
_ONE_OF = re.compile(r"\(?\(?(\w+) = ANY \(\(?ARRAY\[(.*?)\]")
_numbers = count(870_001)


class CannotFill(AssertionError):
    """A table that needs a helping hand."""


async def fill_the_rest(catalogue: Catalogue, tenant: UUID, marker: str) -> list[str]:
    """Add a row of ``tenant`` to every empty tenant table, parents first; their names."""
    wanted = [table.name for table in await catalogue.tenant_tables() if not table.is_partition]
    empty = [name for name in wanted if not await catalogue.count(name, tenant)]
    waiting, failures = list(empty), dict[str, str]()
    while waiting:
        filled = []
        for name in waiting:
            try:
                await _fill(catalogue, name, tenant, marker)
                filled.append(name)
            except (asyncpg.PostgresError, CannotFill) as error:
                failures[name] = str(error)
        if not filled:
            reasons = "; ".join(f"{name}: {failures[name]}" for name in waiting)
            raise CannotFill(f"fill these in tests/isolation/settling.py or VALUES: {reasons}")
        waiting = [name for name in waiting if name not in filled]
    return empty


async def _fill(catalogue: Catalogue, table: str, tenant: UUID, marker: str) -> None:
    allowed = _allowed(await catalogue.checks(table))
    row = {
        column.name: _value(table, column, allowed, marker)
        for column in await catalogue.columns(table)
        if not (column.type == "jsonb" and column.has_default)
    }
    row["tenant_id"] = str(tenant)
    for key in await catalogue.foreign_keys(table):
        parents = await _parents(catalogue, key.parent, tenant)
        if not parents:
            raise CannotFill(f"{key.parent} holds no row of the tenant")
        row |= {own: parents[0][theirs] for own, theirs in key.columns.items()}
    names = ", ".join(row)
    await catalogue.connection.execute(
        f"INSERT INTO {table} ({names}) "
        f"SELECT {names} FROM jsonb_populate_record(NULL::{table}, $1::jsonb)",
        orjson.dumps(row).decode(),
    )


async def _parents(catalogue: Catalogue, table: str, tenant: UUID) -> list[dict[str, Any]]:
    if any(column.name == "tenant_id" for column in await catalogue.columns(table)):
        return await catalogue.rows(table, tenant)
    row = await catalogue.connection.fetchval(f"SELECT to_jsonb(t)::text FROM {table} t LIMIT 1")
    return [] if row is None else [orjson.loads(row)]


def _allowed(checks: list[str]) -> dict[str, str]:
    """The first value that each ``column IN (…)`` allows."""
    found = (_ONE_OF.search(check) for check in checks)
    return {one[1]: re.split(r"::|,", one[2])[0].strip(" '") for one in found if one}


def _value(table: str, column: Column, allowed: dict[str, str], marker: str) -> Any:
    if (table, column.name) in VALUES:
        return VALUES[table, column.name]
    if column.name in allowed:
        return allowed[column.name]
    makers: dict[str, Callable[[], Any]] = {
        "uuid": lambda: str(uuid4()),
        "text": lambda: f"{marker}-{column.name}",
        "timestamptz": lambda: datetime.now(UTC).isoformat(),
        "date": lambda: datetime.now(UTC).date().isoformat(),
        "bool": lambda: True,
        "bytea": lambda: "\\x" + secrets.token_hex(32),
        "jsonb": lambda: {marker: marker},
        "int2": lambda: 1,
        **dict.fromkeys(("int4", "int8", "numeric", "float8"), lambda: next(_numbers)),
    }
    element = column.type.removeprefix("_")
    if element not in makers:
        raise CannotFill(f"no value is known for {column.name} of type {column.type}")
    value = makers[element]()
    return [value] if column.type.startswith("_") else value

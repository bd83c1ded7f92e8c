"""What a home holds after a run: tables as the superuser sees them, files as they lie there."""

from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

import asyncpg

from tensorcost.domain.spend.facts import Grain
from tensorcost.runtime.embedded.postgres import EmbeddedPostgres
from tensorcost.runtime.local import DATABASE

_PIECE = 1 << 20
_TABLES = """
    SELECT format('%I.%I', n.nspname, c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind IN ('r', 'm') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
    ORDER BY 1
"""

_HITS = """
    SELECT u FROM unnest($1::text[]) u WHERE EXISTS (
        SELECT FROM {table} t
        WHERE position(u IN t::text) > 0
        OR position(encode(convert_to(u, 'UTF8'), 'hex') IN t::text) > 0)
"""


@asynccontextmanager
async def database_of(home: Path) -> AsyncIterator[asyncpg.Connection]:
    """The home's database once its demo has ended, past every policy."""
    with EmbeddedPostgres(home / "postgres") as address:
        connection = await asyncpg.connect(address.url(DATABASE))
        try:
            yield connection
        finally:
            await connection.close()


async def count_events(home: Path) -> dict[str, tuple[int, int, int]]:
    """Rows, different ids and nano-dollars by grain."""
    async with database_of(home) as connection:
        rows = await connection.fetch(
            "SELECT grain, count(*), count(DISTINCT (tenant_id, event_id)), "
            "coalesce(sum(cost_nano), 0)::bigint FROM ai.spend_event GROUP BY grain"
        )
    return {Grain(row[0]).name.lower(): (row[1], row[2], row[3]) for row in rows}


async def tables_with(home: Path, texts: Iterable[str]) -> list[str]:
    """Tables in which a row holds any of ``texts``, as text or in bytes; with the text."""
    found = []
    async with database_of(home) as connection:
        tables = [row[0] for row in await connection.fetch(_TABLES)]
        assert len(tables) > 20
        for table in tables:
            hits = await connection.fetch(_HITS.format(table=table), list(texts))
            found += [f"{table}: {hit[0]}" for hit in hits]
    return found


def kept_files(home: Path) -> list[Path]:
    """Logs of every process, and the workflow histories. Valkey's own configuration is left out:
    its password has to stand there, for its owner alone."""
    files = [*home.rglob("*.log"), *(home / "temporal").rglob("*")]
    found = sorted({file for file in files if file.is_file()})
    assert {"temporal.db", "server.log", "api.log"} <= {file.name for file in found}
    return found


def files_with(files: Iterable[Path], texts: Iterable[str]) -> list[str]:
    """Those of ``files`` whose bytes hold any of ``texts``; with the text."""
    wanted = [text.encode() for text in texts]
    longest = max(map(len, wanted))
    found = []
    for file in files:
        rest = b""
        with file.open("rb") as content:
            while piece := content.read(_PIECE):
                window = rest + piece
                found += [f"{file}: {text.decode()}" for text in wanted if text in window]
                rest = window[-longest:]
    return found

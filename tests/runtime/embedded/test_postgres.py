"""PostgreSQL as our child: its data outlives stops, crashes and unlucky process ids."""

import os
import subprocess
import sys
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from tensorcost.runtime.embedded.account import SHARED_STATE, reachable_folder, unprivileged_account
from tensorcost.runtime.embedded.ports import accepts_connections
from tensorcost.runtime.embedded.postgres import EmbeddedPostgres, PostgresAddress
from tensorcost.runtime.embedded.process import EmbeddedServerError
from tests.support.folders import server_folder


@pytest.fixture
def folder() -> Iterator[Path]:
    with server_folder() as made:
        yield made / "postgres"


async def run(address: PostgresAddress, statement: str) -> object:
    connection = await asyncpg.connect(address.url())
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def test_a_second_start_finds_the_data_of_the_first(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as first:
        await run(first, "CREATE TABLE kept AS SELECT 7 AS number")
    with EmbeddedPostgres(folder, fsync=False) as second:
        assert await run(second, "SELECT number FROM kept") == 7
        assert second.password == first.password


async def test_committed_rows_survive_a_kill_of_the_server(folder: Path) -> None:
    killed = EmbeddedPostgres(folder, fsync=False)
    await run(killed.start(), "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS number")
    killed.kill()
    with EmbeddedPostgres(folder, fsync=False) as address:
        assert await run(address, "SELECT count(*) FROM kept") == 1000


async def test_a_lock_file_whose_process_id_now_is_another_programs_is_removed(
    folder: Path,
) -> None:
    with EmbeddedPostgres(folder, fsync=False):
        pass
    lock = folder / "cluster" / "postmaster.pid"
    lock.write_text(f"{os.getpid()}\n{folder / 'cluster'}\n0\n1\n\n127.0.0.1\n\nready\n")
    with EmbeddedPostgres(folder, fsync=False) as address:
        assert await run(address, "SELECT 1") == 1


async def test_a_half_made_cluster_is_made_again(folder: Path) -> None:
    leftover = folder / "cluster.new"
    leftover.mkdir(parents=True)
    (leftover / "PG_VERSION").write_text("18\n")
    with EmbeddedPostgres(folder, fsync=False) as address:
        assert await run(address, "SELECT 1") == 1
    assert not leftover.exists()


async def test_a_second_server_on_a_served_folder_is_refused(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as address:
        with pytest.raises(EmbeddedServerError, match="another process serves"):
            EmbeddedPostgres(folder, fsync=False).start()
        assert await run(address, "SELECT 1") == 1


async def test_a_start_without_the_password_is_refused(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as address:
        with pytest.raises(asyncpg.InvalidPasswordError):
            await asyncpg.connect(
                host=address.host, port=address.port, user="postgres", password="not-the-password"
            )
        assert await run(address, "SHOW password_encryption") == "scram-sha-256"
        assert await run(address, "SHOW unix_socket_directories") == ""
        assert await run(address, "SHOW listen_addresses") == "127.0.0.1"


def test_the_password_file_is_closed_to_others_and_not_in_the_repr(folder: Path) -> None:
    with EmbeddedPostgres(folder, fsync=False) as address:
        assert (folder / "superuser-password").stat().st_mode & 0o777 == 0o600
        assert address.password not in repr(address)


def test_the_server_ends_when_its_starter_is_killed(folder: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        from tensorcost.runtime.embedded.postgres import EmbeddedPostgres
        print(EmbeddedPostgres(Path(sys.argv[1]), fsync=False).start().port, flush=True)
        time.sleep(600)
        """
    )
    starter = subprocess.Popen(
        [sys.executable, "-c", script, str(folder)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert starter.stdout is not None
    port = int(starter.stdout.readline())
    assert accepts_connections(port)
    starter.kill()
    starter.communicate()
    give_up = time.monotonic() + 60
    while accepts_connections(port) and time.monotonic() < give_up:
        time.sleep(0.05)
    assert not accepts_connections(port)


async def test_durable_servers_keep_fsync_on(folder: Path) -> None:
    with EmbeddedPostgres(folder) as address:
        assert await run(address, "SHOW fsync") == "on"
        assert await run(address, "SHOW synchronous_commit") == "on"


def test_a_folder_that_the_servers_account_cannot_enter_still_works(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    account = unprivileged_account()
    with EmbeddedPostgres(closed / "postgres", fsync=False) as address:
        assert accepts_connections(address.port)
    used = reachable_folder(closed / "postgres", account, SHARED_STATE)
    assert (used / "cluster" / "PG_VERSION").exists()
    if used != closed / "postgres":
        remove_tree(used)


def remove_tree(folder: Path) -> None:
    for root, folders, files in os.walk(folder, topdown=False):
        for name in files:
            (Path(root) / name).unlink()
        for name in folders:
            (Path(root) / name).rmdir()
    folder.rmdir()

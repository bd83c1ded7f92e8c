"""The report on a whole machine, on bare ones, and on servers that answer or do not."""

from pathlib import Path

import pytest

from tensorcost.runtime.doctor import Check, Machine, Status, collect
from tensorcost.runtime.doctor_servers import Addresses
from tensorcost.runtime.embedded.ports import free_port
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tests.support.databases import Database


async def report(machine: Machine | None = None) -> dict[str, Check]:
    return {check.name: check for check in await collect(machine)}


async def test_a_set_up_machine_lacks_nothing() -> None:
    found = await report()
    assert [check for check in found.values() if check.status is Status.MISSING] == []
    assert "PostgreSQL) 18" in found["PostgreSQL"].detail
    assert "v=9" in found["Valkey"].detail
    assert "Server 1." in found["Temporal"].detail


async def test_every_finding_says_what_it_is_for_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = await report(Machine(cache=tmp_path / "cache"))
    assert all(check.purpose for check in found.values())
    troubled = [check for check in found.values() if check.status is not Status.OK]
    assert {check.name for check in troubled} == {"Temporal", "Go", "Chromium"}
    assert all(check.remedy for check in troubled)
    assert found["Temporal"].status is Status.MISSING
    assert found["Chromium"].status is Status.WARN


async def test_a_configured_cluster_makes_the_embedded_server_dispensable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, temporal_server: TemporalAddress
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    addresses = Addresses(
        temporal_address=temporal_server.frontend, temporal_namespace=temporal_server.namespace
    )
    found = await report(Machine(addresses, cache=tmp_path / "cache"))
    assert found["Temporal"].status is Status.WARN
    assert found["Temporal cluster"].status is Status.OK


async def test_a_named_program_that_is_not_there_is_missing(tmp_path: Path) -> None:
    found = await report(Machine(temporal_cli=tmp_path / "absent"))
    assert found["Temporal"].status is Status.MISSING
    assert str(tmp_path / "absent") in found["Temporal"].detail


async def test_the_app_role_is_fine(database: Database) -> None:
    found = await report(Machine(Addresses(database_url=database.urls.app)))
    assert found["Database"].status is Status.OK
    assert "tc_app" in found["Database"].detail


@pytest.mark.parametrize("role", ["owner", "platform"])
async def test_a_role_that_row_security_does_not_bind_is_a_finding(
    database: Database, role: str
) -> None:
    url = getattr(database.urls, role)
    found = await report(Machine(Addresses(database_url=url)))
    assert found["Database"].status is Status.MISSING
    assert "row security would not protect" in found["Database"].detail
    assert "app role" in found["Database"].remedy


async def test_valkey_is_asked(valkey_url: str) -> None:
    found = await report(Machine(Addresses(redis_url=valkey_url)))
    assert found["Redis or Valkey"].status is Status.OK
    assert "version 9" in found["Redis or Valkey"].detail


async def test_servers_that_are_not_there_are_told_without_their_credentials() -> None:
    port = free_port()
    secret = "fake-canary-password"
    addresses = Addresses(
        database_url=f"postgresql://tc_app:{secret}@127.0.0.1:{port}/tc",
        redis_url=f"redis://:{secret}@127.0.0.1:{port}/0",
        temporal_address=f"127.0.0.1:{port}",
    )
    found = await report(Machine(addresses))
    for name in ("Database", "Redis or Valkey", "Temporal cluster"):
        assert found[name].status is Status.MISSING
        assert f"127.0.0.1:{port}" in found[name].detail
        assert secret not in found[name].detail


async def test_a_wrong_password_is_told_without_it(database: Database) -> None:
    wrong = database.urls.app.replace("fake-app-password", "fake-canary-password")
    found = await report(Machine(Addresses(database_url=wrong)))
    assert found["Database"].status is Status.MISSING
    assert "fake-canary-password" not in found["Database"].detail


async def test_a_namespace_that_is_not_served_is_told(temporal_server: TemporalAddress) -> None:
    addresses = Addresses(temporal_address=temporal_server.frontend, temporal_namespace="not-there")
    found = await report(Machine(addresses))
    assert found["Temporal cluster"].status is Status.MISSING
    assert "not-there" in found["Temporal cluster"].detail


async def test_a_cache_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    found = await report(Machine(cache=tmp_path / "file" / "cache"))
    assert found["Cache folder"].status is Status.MISSING
    assert "XDG_CACHE_HOME" in found["Cache folder"].remedy

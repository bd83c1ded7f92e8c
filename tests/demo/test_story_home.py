"""What a home remembers: its world, its tenant, and who serves it."""

import json
import os
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest

from demo.story.board import Stage, StageFailed
from demo.story.settings import Options
from demo.story.story import refuse_company
from demo.story.tenancy import Memory
from demo.story.worlds import prepare_world
from demo.world.spec import World, read_world
from tensorcost.runtime.home import Home


class Silence:
    def say(self, text: str) -> None:
        pass

    def bar(self, done: int, total: int, text: str) -> None:
        assert 0 < done <= total

    def close(self) -> None:
        pass


@pytest.fixture
def stage() -> Stage:
    return Stage(Silence())


def options(home: Path, requests: int = 200) -> Options:
    return Options(home=home, requests=requests, days=1)


def grow_old(world: World) -> None:
    earlier = timedelta(days=91)
    older = msgspec.structs.replace(world, start=world.start - earlier, end=world.end - earlier)
    (world.path / "facts.json").write_bytes(msgspec.json.encode(older))


async def test_a_world_is_built_once_and_found_again(tmp_path: Path, stage: Stage) -> None:
    built = await prepare_world(options(tmp_path), stage, connected=False)
    assert stage.detail.startswith("built 200 calls")
    assert await prepare_world(options(tmp_path), stage, connected=True) == built
    assert stage.detail.startswith("found again 200 calls")


async def test_an_interrupted_build_is_begun_again(tmp_path: Path, stage: Stage) -> None:
    (tmp_path / "world" / "s3").mkdir(parents=True)
    await prepare_world(options(tmp_path), stage, connected=False)
    assert read_world(tmp_path / "world").requests == 200


async def test_a_world_that_begins_too_early_for_a_backfill_is_built_anew_unless_it_is_connected(
    tmp_path: Path, stage: Stage
) -> None:
    grow_old(await prepare_world(options(tmp_path), stage, connected=False))
    await prepare_world(options(tmp_path), stage, connected=True)
    assert stage.detail.startswith("found again")
    await prepare_world(options(tmp_path), stage, connected=False)
    assert stage.detail.startswith("built")


async def test_a_connected_world_of_another_size_is_not_thrown_away(
    tmp_path: Path, stage: Stage
) -> None:
    built = await prepare_world(options(tmp_path), stage, connected=False)
    with pytest.raises(StageFailed, match="holds 200 calls"):
        await prepare_world(options(tmp_path, requests=300), stage, connected=True)
    assert read_world(tmp_path / "world") == built


def test_what_is_remembered_is_for_its_owner_alone(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    assert memory.read() == {}
    memory.write({"tenant_id": "t", "password": "fake"})
    assert not Memory(tmp_path).connected
    memory.note_connected()
    assert memory.connected
    assert memory.read()["password"] == "fake"
    assert (tmp_path / "tenant.json").stat().st_mode & 0o777 == 0o600


def test_a_home_that_another_process_serves_is_left_alone(tmp_path: Path) -> None:
    refuse_company(tmp_path)
    Home(tmp_path).announce({})
    refuse_company(tmp_path)
    (tmp_path / "running.json").write_text(json.dumps({"pid": os.getppid()}))
    with pytest.raises(StageFailed, match=f"in use by process {os.getppid()}"):
        refuse_company(tmp_path)

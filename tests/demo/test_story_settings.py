"""The demo's command line, and that nobody's own installation is touched."""

import os
from pathlib import Path

import pytest

from demo.story.settings import (
    DEFAULT_HOME,
    REPOSITORY,
    TENSORCOST,
    Options,
    forget_surroundings,
    own_commands,
    parse_options,
    product_env,
)


def test_the_default_is_the_published_size() -> None:
    chosen = parse_options([])
    assert chosen == Options(once=False, home=DEFAULT_HOME, requests=200_000, days=90)
    assert chosen.home.parts[-2:] == (".tensorcost", "demo")


def test_a_smaller_world_and_another_home_can_be_asked_for(tmp_path: Path) -> None:
    chosen = parse_options(["--once", "--requests", "3000", "--days", "8", "--home", str(tmp_path)])
    assert chosen == Options(once=True, home=tmp_path, requests=3000, days=8)


@pytest.mark.parametrize("arguments", [["--days", "91"], ["--requests", "0"], ["--days", "x"]])
def test_sizes_that_make_no_sense_are_refused(arguments: list[str]) -> None:
    with pytest.raises(SystemExit) as raised:
        parse_options(arguments)
    assert raised.value.code == 2


def test_settings_of_another_installation_do_not_reach_the_demo(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("DATABASE_URL", "TENSORCOST_HOME", "AWS_PROFILE", "TEMPORAL_ADDRESS"):
        monkeypatch.setenv(name, "somebody else's")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:4318")
    forget_surroundings()
    env = product_env(Options(home=tmp_path))
    assert "somebody else's" not in {*os.environ.values(), *env.values()}
    assert env["TENSORCOST_HOME"] == str(tmp_path)
    assert env["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://127.0.0.1:4318"


def test_the_commands_to_go_on_with_work_where_the_demo_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(REPOSITORY)
    first = own_commands(Options(), "northwind")[0]
    command = TENSORCOST.removeprefix(f"{REPOSITORY}/")
    assert first == f"TENSORCOST_HOME=.tensorcost/demo {command} cost --by team --tenant northwind"
    away = own_commands(Options(home=tmp_path / "a b"), "northwind")[0]
    assert away.startswith(f"TENSORCOST_HOME='{tmp_path / 'a b'}' ")

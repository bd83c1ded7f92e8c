"""The demo's command line, and that nobody's own installation is touched."""

import os
from pathlib import Path

import pytest

from demo.story.settings import (
    DEFAULT_HOME,
    Options,
    forget_surroundings,
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

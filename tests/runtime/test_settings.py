"""What the environment says, as the processes take it."""

from pathlib import Path

import pytest

from tensorcost.runtime.settings import Settings


def test_a_home_named_from_here_stays_where_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TENSORCOST_HOME", ".tensorcost/demo")
    home = Settings().home
    monkeypatch.chdir("/")
    assert home == tmp_path / ".tensorcost" / "demo"

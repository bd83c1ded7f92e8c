"""Where the development server is looked for, and how it is got when it is nowhere."""

from pathlib import Path

import pytest

from tensorcost.runtime.embedded import temporal_binary
from tensorcost.runtime.embedded.process import EmbeddedServerError
from tensorcost.runtime.embedded.temporal_download import download

BUILDS = """#!/bin/sh
if [ "$1" = env ]; then echo go1.26.1; exit 0; fi
printf '#!/bin/sh\\n' > "$GOBIN/temporal"
/bin/chmod 755 "$GOBIN/temporal"
echo "$@" > "$GOBIN/../../asked"
"""
TOO_OLD = "#!/bin/sh\necho go1.24.9\n"
FAILS = """#!/bin/sh
if [ "$1" = env ]; then echo go1.26.1; exit 0; fi
echo 'module lookup refused' >&2
exit 1
"""


def program(path: Path, text: str = "#!/bin/sh\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return path


@pytest.fixture
def bare_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A PATH with one empty folder, and no way to a download."""
    path = tmp_path / "path"
    path.mkdir()
    monkeypatch.setenv("PATH", str(path))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    return path


def test_the_setting_wins_over_path_and_cache(bare_machine: Path, tmp_path: Path) -> None:
    program(bare_machine / "temporal")
    program(tmp_path / "bin" / "temporal")
    named = program(tmp_path / "named")
    assert temporal_binary.find(named, tmp_path) == named


def test_a_setting_that_names_nothing_is_an_error_and_not_passed_over(
    bare_machine: Path, tmp_path: Path
) -> None:
    program(bare_machine / "temporal")
    with pytest.raises(EmbeddedServerError, match="TENSORCOST_TEMPORAL_CLI"):
        temporal_binary.find(tmp_path / "absent", tmp_path)


def test_path_comes_before_the_cache(bare_machine: Path, tmp_path: Path) -> None:
    on_path = program(bare_machine / "temporal")
    program(tmp_path / "bin" / "temporal")
    assert temporal_binary.find(None, tmp_path) == on_path


def test_the_cache_is_used_when_path_has_none(bare_machine: Path, tmp_path: Path) -> None:
    cached = program(tmp_path / "bin" / "temporal")
    assert temporal_binary.find(None, tmp_path) == cached


def test_a_download_that_cannot_come_is_given_up_and_leaves_nothing(
    bare_machine: Path, tmp_path: Path
) -> None:
    target = tmp_path / "bin" / "temporal"
    target.parent.mkdir()
    assert not download(target)
    assert list(target.parent.iterdir()) == []


def test_without_a_download_it_is_built_with_the_go_on_path(
    bare_machine: Path, tmp_path: Path
) -> None:
    program(bare_machine / "go", BUILDS)
    said: list[str] = []
    built = temporal_binary.ensure(None, tmp_path, said.append)
    assert built == tmp_path / "bin" / "temporal"
    assert temporal_binary.CLI_MODULE in (tmp_path / "asked").read_text()
    assert any("building" in line for line in said)


def test_a_failed_build_names_every_other_way(bare_machine: Path, tmp_path: Path) -> None:
    program(bare_machine / "go", FAILS)
    with pytest.raises(EmbeddedServerError, match=r"module lookup refused(.|\n)*on PATH"):
        temporal_binary.ensure(None, tmp_path, lambda _: None)
    assert not (tmp_path / "bin" / "temporal").exists()


def test_a_go_that_is_too_old_is_not_used(bare_machine: Path) -> None:
    program(bare_machine / "go", TOO_OLD)
    assert temporal_binary.go_on_path() is None


def test_the_cache_follows_the_users_setting() -> None:
    assert temporal_binary.cache_folder({"XDG_CACHE_HOME": "/caches"}) == Path("/caches/tensorcost")

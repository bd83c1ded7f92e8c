"""The shared child process: awaited, stopped in order, and its last words kept."""

import sys
from datetime import timedelta
from pathlib import Path

import pytest

from tensorcost.runtime.embedded.process import (
    ChildProcess,
    Command,
    EmbeddedServerError,
    child_env,
    command_line,
)

SHORT = timedelta(milliseconds=200)
LONG = timedelta(seconds=60)


def python(tmp_path: Path, code: str, grace: timedelta = LONG) -> Command:
    return Command(
        name="sample",
        argv=[sys.executable, "-c", code],
        log=tmp_path / "sample.log",
        env=child_env(),
        stop_grace=grace,
    )


def ready_in(log: Path) -> bool:
    return "ready" in log.read_text()


def test_a_child_that_dies_is_reported_with_its_last_words(tmp_path: Path) -> None:
    child = ChildProcess(python(tmp_path, "import sys; sys.exit('no such disk')"))
    with pytest.raises(EmbeddedServerError, match="no such disk"):
        child.wait_ready(lambda: False, LONG)


def test_words_of_an_earlier_run_are_not_repeated(tmp_path: Path) -> None:
    (tmp_path / "sample.log").write_text("an old complaint\n")
    child = ChildProcess(python(tmp_path, "import sys; sys.exit('a new one')"))
    with pytest.raises(EmbeddedServerError) as raised:
        child.wait_ready(lambda: False, LONG)
    assert "a new one" in raised.value.message
    assert "an old complaint" not in raised.value.message


def test_a_child_that_never_gets_ready_is_stopped(tmp_path: Path) -> None:
    child = ChildProcess(python(tmp_path, "import time; time.sleep(600)"))
    with pytest.raises(EmbeddedServerError, match="was not ready"):
        child.wait_ready(lambda: False, SHORT)
    assert not child.running


def test_a_child_that_ignores_the_request_is_killed(tmp_path: Path) -> None:
    code = (
        "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN);"
        "print('ready', flush=True); time.sleep(600)"
    )
    child = ChildProcess(python(tmp_path, code, grace=SHORT))
    child.wait_ready(lambda: ready_in(tmp_path / "sample.log"), LONG)
    child.stop()
    assert not child.running


def test_a_child_ends_in_its_own_order_when_asked(tmp_path: Path) -> None:
    code = (
        "import signal, sys, time\n"
        "def end(*_):\n print('tidied', flush=True); sys.exit(0)\n"
        "signal.signal(signal.SIGTERM, end)\n"
        "print('ready', flush=True); time.sleep(600)\n"
    )
    child = ChildProcess(python(tmp_path, code))
    child.wait_ready(lambda: ready_in(tmp_path / "sample.log"), LONG)
    child.stop()
    child.stop()
    assert "tidied" in child.log_since_start()


def test_a_missing_program_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(EmbeddedServerError, match="cannot be run"):
        ChildProcess(Command("sample", [str(tmp_path / "absent")], tmp_path / "sample.log"))


def test_secrets_of_our_environment_do_not_reach_a_child(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TENSORCOST_AUTH__SECRET", "fake-secret-canary")
    assert "fake-secret-canary" not in child_env().values()


def test_the_command_line_of_a_gone_process_is_empty(tmp_path: Path) -> None:
    child = ChildProcess(python(tmp_path, "import time; time.sleep(600)"))
    child.wait_ready(lambda: "time.sleep" in command_line(child.pid), LONG)
    child.kill()
    assert command_line(child.pid) == ""

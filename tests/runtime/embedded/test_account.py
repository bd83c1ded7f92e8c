"""Where an unprivileged account may work."""

from pathlib import Path

import pytest

from tensorcost.runtime.embedded.account import Account, can_reach, reachable_folder
from tests.support.folders import server_folder

STRANGER = Account(uid=54_321, gid=54_321)


def test_a_closed_parent_folder_hides_everything_below(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    (closed / "open").mkdir(parents=True)
    closed.chmod(0o700)
    assert not can_reach(closed / "open" / "not-made-yet", STRANGER)


def test_nobody_is_hindered_when_there_is_no_account_to_drop_to(tmp_path: Path) -> None:
    assert can_reach(tmp_path, None)


def test_an_open_folder_is_used_as_it_is() -> None:
    with server_folder() as base:
        assert reachable_folder(base / "data", STRANGER, base / "shared") == base / "data"
        assert not (base / "shared").exists()


def test_a_closed_folder_gets_one_stand_in_and_says_where(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with server_folder() as base:
        shared = base / "shared"
        first = reachable_folder(tmp_path / "data", STRANGER, shared)
        assert first == reachable_folder(tmp_path / "data", STRANGER, shared)
        assert first.parent == shared
        assert can_reach(first, STRANGER)
        assert (tmp_path / "data" / "location.txt").read_text().strip() == str(first)


@pytest.mark.parametrize("mode", [0o711, 0o755])
def test_passing_through_needs_no_right_to_list(mode: int) -> None:
    with server_folder() as base:
        inner = base / "inner"
        inner.mkdir()
        inner.chmod(mode)
        assert can_reach(inner, STRANGER)

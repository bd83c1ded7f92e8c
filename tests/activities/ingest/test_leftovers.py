"""What is never data in a folder, and what is told of it."""

from pathlib import Path

import pytest

from tensorcost.activities.ingest.leftovers import is_never_data, left_out


@pytest.mark.parametrize(
    "name",
    [".DS_Store", "_SUCCESS", "_delta_log/0.json", "README", "readme.txt", "a.csv.sha256", "x.crc",
     "SHA256SUMS", "Thumbs.db", "notes.md"],
)  # fmt: skip
def test_marks_checksums_and_notes_are_never_data(name: str) -> None:
    assert is_never_data(Path(name))


@pytest.mark.parametrize("name", ["a.csv", "a_b.jsonl.gz", "part-00000", "sums/a.csv"])
def test_a_name_that_says_nothing_may_be_data(name: str) -> None:
    assert not is_never_data(Path(name))


def test_what_is_left_out_is_named_and_a_hidden_folder_once(tmp_path: Path) -> None:
    for name in ("a.csv", "b/README", ".git/x", ".git/y/z", "c/data/1.json", "c/data/2.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    used = [tmp_path / "a.csv"]
    assert left_out(tmp_path, used, whole="data") == [".git/", "b/README", "c/data/"]
    assert left_out(tmp_path, used)[-2:] == ["c/data/1.json", "c/data/2.json"]

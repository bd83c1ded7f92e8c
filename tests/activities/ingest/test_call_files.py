"""Which files of a folder are read as calls, and what makes one of them unreadable."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tensorcost.activities.ingest.call_files import call_files, whole_file
from tensorcost.activities.ingest.stamps import Stamps, readable
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.formats import FileFormat
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.providers.exports.bad_file import BadFile


def test_a_folder_is_read_without_marks_hidden_files_and_bodies(tmp_path: Path) -> None:
    for name in ("a.json.gz", "b.csv", "_SUCCESS", ".a.json", "data/body.json.gz", "x/c.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()

    def found(kind: FileFormat) -> list[str]:
        return [one.relative_to(tmp_path).as_posix() for one in call_files(tmp_path, kind)]

    assert found(FileFormat.BEDROCK_LOGS) == ["a.json.gz", "x/c.json"]
    assert found(FileFormat.EVENTS) == ["a.json.gz", "b.csv", "data/body.json.gz", "x/c.json"]


def test_a_file_that_changes_while_it_is_read_is_no_version_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("x")

    def batches(text: str) -> Iterator[ParsedSpend]:
        yield ParsedSpend(Grain.REQUEST, rows_read=1)
        path.write_text(text)

    [same] = whole_file(path, batches(""), Stamps([]))
    assert same.rows_read == 1
    with pytest.raises(BadFile, match="changed while it was read") as found:
        list(whole_file(path, batches("longer"), Stamps([path])))
    assert found.value.reason == "broken_delivery"


def test_a_file_that_cannot_be_opened_is_named_and_other_errors_are_not_hidden(
    tmp_path: Path,
) -> None:
    with (
        pytest.raises(BadFile, match=r"gone.csv cannot be read: No such file") as found,
        readable(),
    ):
        (tmp_path / "gone.csv").read_bytes()
    assert found.value.reason == "broken_delivery"
    with pytest.raises(ConnectionRefusedError), readable():
        raise ConnectionRefusedError

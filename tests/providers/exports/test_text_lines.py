import gzip
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.exports import text_lines
from tensorcost.providers.exports.text_lines import content_hash, read_lines


def written(folder: Path, content: bytes) -> Path:
    path = folder / "file"
    path.write_bytes(content)
    return path


@given(lines=st.lists(st.binary(max_size=40).map(lambda b: b.translate(None, b"\r\n")), min_size=1))
def test_lines_come_back_whole_and_numbered_zipped_or_not(
    lines: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("lines")
    content = b"\n".join(lines) + b"\n"
    if content.startswith((b"\x1f\x8b", b"\xef\xbb\xbf")):
        content = b" " + content
        lines = [b" " + lines[0], *lines[1:]]
    for form in (content, gzip.compress(content)):
        got = list(read_lines(written(folder, form)))
        assert [line.raw for line in got] == lines
        assert [line.number for line in got] == list(range(1, len(lines) + 1))


def test_a_last_line_without_an_end_counts_and_ends_of_either_kind_are_dropped(
    tmp_path: Path,
) -> None:
    got = list(read_lines(written(tmp_path, b"\xef\xbb\xbfone\r\ntwo\nthree")))
    assert [line.raw for line in got] == [b"one", b"two", b"three"]


def test_the_rows_before_a_tear_are_kept_and_the_tear_is_named(tmp_path: Path) -> None:
    content = b"\n".join(f"{n:040d}".encode() for n in range(5000))
    torn = gzip.compress(content)[:-400]
    *whole, last = read_lines(written(tmp_path, torn))
    assert last.problem == RejectReason.TRUNCATED_GZIP
    assert last.number == len(whole) + 1
    assert len(whole) > 1000
    assert [int(line.raw) for line in whole] == list(range(len(whole)))


def test_several_gzip_members_are_one_file(tmp_path: Path) -> None:
    path = written(tmp_path, gzip.compress(b"a\nb\n") + gzip.compress(b"c\n") + b"\0\0")
    assert [line.raw for line in read_lines(path)] == [b"a", b"b", b"c"]


def test_a_line_that_is_too_long_is_passed_over_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(text_lines, "MAX_LINE_BYTES", 100)
    monkeypatch.setattr(text_lines, "_CHUNK", 64)
    path = written(tmp_path, b"short\n" + b"x" * 1000 + b"\nafter\n" + b"y" * 500)
    got = [(line.number, line.problem) for line in read_lines(path)]
    too_long = RejectReason.LINE_TOO_LONG
    assert got == [(1, ""), (2, too_long), (3, ""), (4, too_long)]


def test_the_content_hash_does_not_care_for_the_zip(tmp_path: Path) -> None:
    plain_file = tmp_path / "plain"
    zipped = tmp_path / "zipped"
    plain_file.write_bytes(b"a\nb\n")
    zipped.write_bytes(gzip.compress(b"a\nb\n", mtime=5))
    assert content_hash(plain_file) == content_hash(zipped)
    zipped.write_bytes(gzip.compress(b"a\nb\n")[:-3])
    assert content_hash(plain_file) != content_hash(zipped)

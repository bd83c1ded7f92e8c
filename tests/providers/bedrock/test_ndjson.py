import gzip

from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.bedrock.ndjson import read_lines
from tests.providers.bedrock.samples import chunked

LINES = [b'{"n": %d, "pad": "%s"}' % (n, b"x" * (n * 37 % 211)) for n in range(60)]
PACKED = gzip.compress(b"\n".join(LINES) + b"\n")


def read(data: bytes, size: int = 64, **options: int) -> tuple[dict[int, bytes], list[str]]:
    """(line by number, problems) of a stream given in small chunks."""
    found: dict[int, bytes] = {}
    problems = []
    for first, run, problem in read_lines(chunked(data, size), **options):
        if problem:
            problems.append(problem)
        else:
            found |= dict(enumerate(run, start=first))
    return found, problems


@given(cut=st.integers(0, len(PACKED)), size=st.integers(1, 300))
def test_a_tear_at_any_byte_keeps_the_lines_before_it(cut: int, size: int) -> None:
    found, problems = read(PACKED[:cut], size)
    assert list(found.values()) == LINES[: len(found)]
    assert list(found) == list(range(1, len(found) + 1))
    assert problems == ([] if cut in (0, len(PACKED)) else [RejectReason.TRUNCATED_GZIP])


@given(split=st.integers(0, len(LINES)), size=st.integers(1, 300))
def test_concatenated_gzip_members_read_as_one_stream(split: int, size: int) -> None:
    whole = b"\n".join(LINES) + b"\n"
    at = sum(len(line) + 1 for line in LINES[:split]) + 3
    found, problems = read(gzip.compress(whole[:at]) + gzip.compress(whole[at:]), size)
    assert (list(found.values()), problems) == (LINES, [])


def test_zero_padding_after_the_last_member_is_no_defect() -> None:
    assert read(PACKED + b"\0" * 200)[1] == []


def test_plain_ndjson_is_read_as_it_is() -> None:
    found, problems = read(b"\xef\xbb\xbf" + LINES[0] + b"\n" + LINES[1])
    assert (list(found.values()), problems) == (LINES[:2], [])


def test_bytes_that_are_neither_are_one_problem() -> None:
    assert read(b"%PDF-1.7 not a log") == ({}, [RejectReason.NOT_GZIP])


def test_a_flipped_byte_ends_the_stream_with_a_problem() -> None:
    spoilt = bytearray(PACKED)
    spoilt[len(PACKED) // 2] ^= 0xFF
    assert read(bytes(spoilt))[1] == [RejectReason.TRUNCATED_GZIP]


def test_a_line_beyond_the_limit_is_skipped_and_the_next_keeps_its_number() -> None:
    data = b'{"a":1}\n' + b'{"b":"' + b"y" * 5_000 + b'"}\n' + b'{"c":3}\n'
    for packed in (data, gzip.compress(data)):
        found, problems = read(packed, max_line=1_000)
        assert found == {1: b'{"a":1}', 3: b'{"c":3}'}
        assert problems == [RejectReason.LINE_TOO_LONG]


def test_an_empty_object_has_no_lines_and_no_problem() -> None:
    assert read(b"") == ({}, [])

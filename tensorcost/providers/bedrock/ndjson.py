"""Lines of a gzip (or plain) NDJSON stream in bounded memory, with every defect located."""

from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from isal import isal_zlib

from tensorcost.domain.spend.limits import RejectReason

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
"""A record holds two bodies of at most 100 kB; escaped and with events about a megabyte."""
_OUTPUT_BLOCK: Final = 512 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
_TORN: Final[type[Exception]] = isal_zlib.error  # type: ignore[assignment]
"""isal's stub declares its exception class as an instance."""


class Lines(NamedTuple):
    """Consecutive lines, the first of which is number ``first`` (1-based).

    ``problem`` is a reject reason: the one line given is then what is known of the bad line,
    or empty when the stream ends there.
    """

    first: int
    data: list[bytes]
    problem: str | None = None


def read_lines(chunks: Iterable[bytes], *, max_line: int = MAX_LINE_BYTES) -> Iterator[Lines]:
    """Split a stream of byte chunks into runs of lines, blank lines included.

    Everything before a tear in the gzip stream is yielded, then one problem stands for the
    rest. A last line without a newline is yielded like any other. Holds at most ``max_line``
    plus one block of decompressed bytes.
    """
    splitter = _Splitter(max_line)
    for block in inflate(chunks, plain_start=(b"{", b"[")):
        if isinstance(block, str):
            yield Lines(splitter.next_number, [b""], block)
            return
        yield from splitter.feed(block)
    yield from splitter.finish()


class _Splitter:
    def __init__(self, max_line: int) -> None:
        self.next_number = 1
        self._max_line = max_line
        self._carry = b""
        self._is_skipping = False

    def feed(self, block: bytes) -> Iterator[Lines]:
        lines = (self._carry + block).split(b"\n")
        self._carry = lines.pop()
        if self._is_skipping and lines:
            self._is_skipping = False
            del lines[0]
        if lines:
            yield from self._run(lines)
        if len(self._carry) > self._max_line:
            if not self._is_skipping:
                yield self._too_long(self._carry)
            self._is_skipping = True
            self._carry = b""

    def finish(self) -> Iterator[Lines]:
        if self._carry and not self._is_skipping:
            yield from self._run([self._carry])

    def _run(self, lines: list[bytes]) -> Iterator[Lines]:
        """The lines, in runs between those that are too long."""
        start = 0
        if sum(map(len, lines)) > self._max_line:
            for index, data in enumerate(lines):
                if len(data) > self._max_line:
                    yield from self._given(lines[start:index])
                    yield self._too_long(data)
                    start = index + 1
        yield from self._given(lines[start:] if start else lines)

    def _given(self, lines: list[bytes]) -> Iterator[Lines]:
        if lines:
            yield Lines(self.next_number, lines)
            self.next_number += len(lines)

    def _too_long(self, data: bytes) -> Lines:
        self.next_number += 1
        return Lines(self.next_number - 1, [data[:256]], RejectReason.LINE_TOO_LONG)


def inflate(
    chunks: Iterable[bytes], *, plain_start: bytes | tuple[bytes, ...] = b""
) -> Iterator[bytes | str]:
    """Decompressed blocks of a gzip stream, or the blocks as they are if it is none.

    A ``str`` is the reject reason that ends the stream. Text that is not gzip must begin with
    ``plain_start`` after blanks.
    """
    source = iter(chunks)
    head = b""
    for chunk in source:
        head += chunk
        if len(head) >= 2:
            break
    if not head:
        return
    if head.startswith(_GZIP_MAGIC):
        yield from _inflate(head, source)
    elif head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(plain_start):
        yield head.removeprefix(b"\xef\xbb\xbf")
        yield from source
    else:
        cut = _GZIP_MAGIC.startswith(head)
        yield RejectReason.TRUNCATED_GZIP if cut else RejectReason.NOT_GZIP


def _inflate(head: bytes, source: Iterator[bytes]) -> Iterator[bytes | str]:
    stream = isal_zlib.decompressobj(wbits=31)
    pending = head
    while True:
        try:
            block = stream.decompress(pending, _OUTPUT_BLOCK)
        except _TORN:
            yield RejectReason.TRUNCATED_GZIP
            return
        if block:
            yield block
        if stream.eof:
            pending = _next_member(stream.unused_data, source)
            if not pending:
                return
            stream = isal_zlib.decompressobj(wbits=31)
            continue
        pending = stream.unconsumed_tail
        if not pending and len(block) < _OUTPUT_BLOCK:
            pending = next(source, b"")
            if not pending:
                yield RejectReason.TRUNCATED_GZIP
                return


def _next_member(rest: bytes, source: Iterator[bytes]) -> bytes:
    """The bytes of the next gzip member; trailing zero padding is not one."""
    rest = rest.lstrip(b"\0")
    while not rest:
        chunk = next(source, None)
        if chunk is None:
            return b""
        rest = chunk.lstrip(b"\0")
    return rest

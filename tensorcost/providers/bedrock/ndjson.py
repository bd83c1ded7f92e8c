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


class Block:
    """The whole lines of a text, each cut out when it is its turn; what follows is ``rest``.

    A line that is dropped after use leaves its memory, still in the processor's cache, to the
    next one: cheaper than splitting the text, whose lines would be cold when they are read.
    """

    __slots__ = ("_ends", "_head", "_text")

    def __init__(self, head: bytes, text: bytes) -> None:
        """The lines of ``text``, the first of which began with ``head``."""
        self._head = head
        self._text = text
        self._ends: list[int] = []
        end = text.find(b"\n")
        while end >= 0:
            self._ends.append(end)
            end = text.find(b"\n", end + 1)

    def __len__(self) -> int:
        return len(self._ends)

    def __iter__(self) -> Iterator[bytes]:
        text, start = self._text, 0
        for end in self._ends:
            yield text[start:end] if start else self._head + text[:end]
            start = end + 1

    @property
    def rest(self) -> bytes:
        """The bytes after the last newline."""
        return self._text[self._ends[-1] + 1 :] if self._ends else self._head + self._text


class Lines(NamedTuple):
    """Consecutive lines, the first of which is number ``first`` (1-based).

    ``problem`` is a reject reason: the one line given is then what is known of the bad line,
    or empty when the stream ends there.
    """

    first: int
    data: list[bytes] | Block
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
        if self._is_skipping:
            _, found, block = block.partition(b"\n")
            self._is_skipping = not found
        lines, longest = Block(self._carry, block), len(self._carry) + len(block)
        self._carry = lines.rest
        if longest > self._max_line:
            yield from self._between_too_long(lines)
        else:
            yield from self._given(lines)
        if len(self._carry) > self._max_line:
            yield self._too_long(self._carry)
            self._is_skipping = True
            self._carry = b""

    def finish(self) -> Iterator[Lines]:
        if self._carry and not self._is_skipping:
            yield from self._given([self._carry])

    def _between_too_long(self, block: Block) -> Iterator[Lines]:
        """The lines, in runs between those that are too long."""
        fitting: list[bytes] = []
        for data in block:
            if len(data) <= self._max_line:
                fitting.append(data)
                continue
            yield from self._given(fitting)
            yield self._too_long(data)
            fitting = []
        yield from self._given(fitting)

    def _given(self, lines: list[bytes] | Block) -> Iterator[Lines]:
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

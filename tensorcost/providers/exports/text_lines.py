"""Lines of a file, gzip or not, in bounded memory; what is broken is located, the rest goes on."""

from collections.abc import Iterator, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import BinaryIO, Final, NamedTuple

from isal import isal_zlib

from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import Reject

MAX_LINE_BYTES: Final = 4 * 1024 * 1024
_CHUNK: Final = 256 * 1024
_GZIP: Final = b"\x1f\x8b"
_GZIP_BITS: Final = 31
_TORN: Final[type[Exception]] = isal_zlib.error  # type: ignore[assignment]
"""isal's stub declares its exception class as an instance."""
_BOM: Final = b"\xef\xbb\xbf"


class Line(NamedTuple):
    """A line without its end. With a ``problem`` it cannot be used, and may be cut short."""

    number: int
    raw: bytes
    problem: str = ""
    is_open: bool = False
    """The file ends before the line does."""


def line_hash(raw: bytes) -> bytes:
    """What is kept of a rejected line."""
    return blake2b(raw, digest_size=16).digest()


def reject_of(file: str, line: Line, reason: str, detail: str = "") -> Reject:
    return Reject(file, line.number, reason, detail, line_hash(line.raw))


def content_hash(path: Path) -> str:
    """Hash of the content, decompressed: the same rows zipped anew are the same file."""
    digest = blake2b(digest_size=16)
    with path.open("rb") as stream:
        for block in _blocks(stream):
            digest.update(b"\0torn" if isinstance(block, str) else block)
    return digest.hexdigest()


def combined_hash(hashes: Sequence[str]) -> str:
    """Hash of the content of several files, by theirs; of one it is its own."""
    if len(hashes) == 1:
        return hashes[0]
    return blake2b("/".join(hashes).encode(), digest_size=16).hexdigest()


def read_lines(path: Path) -> Iterator[Line]:
    """Lines in order, numbered from 1. A torn gzip ends with one line that says so."""
    with path.open("rb") as stream:
        number, carry, skipping = 0, bytearray(), False
        for block in _blocks(stream):
            if isinstance(block, str):
                yield Line(number + 1, bytes(carry), block)
                return
            *ends, rest = block.split(b"\n")
            for end in ends:
                number += 1
                if skipping:
                    skipping = False
                    continue
                raw = bytes(carry) + end
                carry.clear()
                yield _line(number, raw)
            if skipping:
                continue
            carry += rest
            if len(carry) > MAX_LINE_BYTES:
                yield Line(number + 1, bytes(carry[:256]), RejectReason.LINE_TOO_LONG)
                carry.clear()
                skipping = True
        if carry:
            yield _line(number + 1, bytes(carry))._replace(is_open=True)


def _line(number: int, raw: bytes) -> Line:
    if len(raw) > MAX_LINE_BYTES:
        return Line(number, raw[:256], RejectReason.LINE_TOO_LONG)
    raw = raw.removesuffix(b"\r")
    return Line(number, raw.removeprefix(_BOM) if number == 1 else raw)


def _blocks(stream: BinaryIO) -> Iterator[bytes | str]:
    """Decompressed blocks; a ``str`` is the reject reason with which the stream ends."""
    head = stream.read(_CHUNK)
    if not head.startswith(_GZIP):
        while head:
            yield head
            head = stream.read(_CHUNK)
        return
    inflater = isal_zlib.decompressobj(wbits=_GZIP_BITS)
    pending = head
    while True:
        try:
            block = inflater.decompress(pending, _CHUNK)
        except _TORN:
            yield RejectReason.TRUNCATED_GZIP
            return
        if block:
            yield block
        if inflater.eof:
            pending = (inflater.unused_data or stream.read(_CHUNK)).lstrip(b"\0")
            if not pending:
                return
            inflater = isal_zlib.decompressobj(wbits=_GZIP_BITS)
            continue
        pending = inflater.unconsumed_tail
        if not pending and len(block) < _CHUNK:
            pending = stream.read(_CHUNK)
            if not pending:
                yield RejectReason.TRUNCATED_GZIP
                return

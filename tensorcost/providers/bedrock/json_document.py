"""Log records that somebody saved as one JSON document instead of one record a line.

AWS never writes them so, but people who export and pretty-print do.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

import msgspec

from tensorcost.domain.spend.limits import RejectReason
from tensorcost.providers.bedrock.ndjson import Block, Lines

MAX_DOCUMENT_BYTES: Final = 64 * 1024 * 1024
_decode_array = msgspec.json.Decoder(list[msgspec.Raw]).decode


def one_record_a_line(runs: Iterable[Lines]) -> Iterator[Lines]:
    """``runs`` as they are, or the records of a document as if each had a line of its own.

    A document is an array, or an object spread over lines; a record's position in it counts
    as its line number. One beyond 64 MiB, or cut short, is a single problem.
    """
    source = iter(runs)
    first = next(source, None)
    if first is None:
        return
    rest = chain([first], source)
    if first.problem is None and _opens_document(first.data):
        yield from _records(rest)
    else:
        yield from rest


def _opens_document(lines: list[bytes] | Block) -> bool:
    head = next((line.strip() for line in lines if line and not line.isspace()), b"")
    return head == b"{" or head.startswith(b"[")


def _records(runs: Iterable[Lines]) -> Iterator[Lines]:
    text = bytearray()
    for run in runs:
        if run.problem:
            yield Lines(0, run.data, run.problem)
            return
        text += b"\n".join(run.data) + b"\n"
        if len(text) > MAX_DOCUMENT_BYTES:
            yield Lines(0, [b""], RejectReason.LINE_TOO_LONG)
            return
    if text.lstrip().startswith(b"{"):
        yield Lines(1, [bytes(text)])
        return
    try:
        found = _decode_array(text)
    except msgspec.DecodeError:
        yield Lines(0, [b""], RejectReason.NOT_JSON)
        return
    yield Lines(1, [bytes(record) for record in found])

"""Files of calls on disk: which of a folder are read, as which version, and their rows."""

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from pathlib import Path
from typing import Final

from tensorcost.activities.ingest.leftovers import is_never_data
from tensorcost.activities.ingest.stamps import CHANGED, Stamps
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.formats import FileFormat
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.providers.bedrock.invocation_log import LogParse, parse_object
from tensorcost.providers.exports.bad_file import BadFile
from tensorcost.providers.exports.event_spec import CachedTokens

BODIES: Final = "data"
"""The folder in which Bedrock keeps bodies that are too large for a log."""
_BLOCK: Final = 1 << 18


def call_files(path: Path, file_format: FileFormat) -> list[Path]:
    """The file, or the files of a folder that may be of the format, in order."""
    if path.is_file():
        return [path]
    return sorted(one for one in path.rglob("*") if _is_data(path, one, file_format))


def reading(
    file_hash: str, options: tuple[Mapping[str, str], ...], cached: CachedTokens, time_format: str
) -> str:
    """The version of a file as read: with other options it is read anew, for what they take."""
    told = [[f"{k}={v}" for k, v in sorted(one.items())] for one in options]
    if not any(told) and cached is CachedTokens.BESIDE and not time_format:
        return file_hash
    digest = blake2b(repr((told, cached.value, time_format)).encode(), digest_size=8)
    return f"{file_hash}:{digest.hexdigest()}"


def whole_file(path: Path, batches: Iterator[ParsedSpend], stamps: Stamps) -> Iterator[ParsedSpend]:
    """The batches; a file without a single row is told of, for it may have been lost on its way.

    Raises BadFile for one that changed under the reader: what was read is no version of it.
    """
    batch = None
    for batch in batches:
        yield batch
    if stamps.changed():
        raise BadFile(f"{path.name} {CHANGED}", RejectReason.BROKEN_DELIVERY, CHANGED)
    if batch is None:
        empty = Reject(path.name, 0, RejectReason.NO_ROWS)
        yield ParsedSpend(Grain.REQUEST, rejects=[empty], rows_read=1)


def log_rows(path: Path, parse: LogParse) -> Iterator[ParsedSpend]:
    """Calls of an invocation log."""
    with path.open("rb") as file:
        yield from parse_object(iter(lambda: file.read(_BLOCK), b""), parse)


def _is_data(top: Path, path: Path, file_format: FileFormat) -> bool:
    if is_never_data(path.relative_to(top)) or not path.is_file():
        return False
    if file_format is FileFormat.BEDROCK_LOGS:
        return path.parent.name != BODIES and ".json" in path.name
    return True

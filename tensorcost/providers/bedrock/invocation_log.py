"""Model invocation logs, from S3 objects or CloudWatch Logs, to columns of spend rows.

Streams: memory holds one block of text and one batch of rows, whatever the object's size.
Bodies are hashed in passing. What cannot be accepted becomes a ``Reject`` with its position,
and the rest goes on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Final, NamedTuple

import msgspec

from tensorcost.domain.spend.identity import file_row_native_id
from tensorcost.domain.spend.limits import RejectReason, TimeBounds
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.providers.bedrock import log_record as shape
from tensorcost.providers.bedrock.attribution import AttributionRules
from tensorcost.providers.bedrock.bodies import (
    BodyFacts,
    read_plain_request,
    read_plain_response,
    read_request,
    read_response,
)
from tensorcost.providers.bedrock.json_document import one_record_a_line
from tensorcost.providers.bedrock.log_row import Problem, RowAssembler
from tensorcost.providers.bedrock.ndjson import Lines, read_lines
from tensorcost.providers.bedrock.profiles import EMPTY_DIRECTORY, ProfileDirectory

SCHEMA_TYPE: Final = "ModelInvocationLog"
SCHEMA_VERSIONS: Final = frozenset({"1.0"})
_PERMISSION_NOTE: Final = b"Permissions are correctly set"
"""AWS writes this line once, when logging is switched on. It is not a record."""


@dataclass(frozen=True, slots=True)
class LogParse:
    """All that parsing one object needs.

    ``hash_key`` is the tenant's hashing key (16-64 bytes). ``file`` names the object in
    rejects; ``file_hash`` (an ETag or content hash) gives rows without a request id their
    identity.
    """

    file: str
    hash_key: bytes
    bounds: TimeBounds
    file_hash: str = ""
    directory: ProfileDirectory = EMPTY_DIRECTORY
    attribution: AttributionRules = field(default_factory=AttributionRules)
    batch_rows: int = 5_000


class LogMessage(NamedTuple):
    """One CloudWatch Logs event: its id and the record as text."""

    event_id: str
    message: str | bytes


def parse_object(chunks: Iterable[bytes], parse: LogParse) -> Iterator[ParsedSpend]:
    """Batches of an object given as byte chunks: NDJSON, gzip or plain, or a JSON document.

    A truncated gzip keeps everything before the tear and ends with one reject.
    """
    return _LogParser(parse).run(one_record_a_line(read_lines(chunks)))


def parse_messages(messages: Iterable[LogMessage], parse: LogParse) -> Iterator[ParsedSpend]:
    """Batches of CloudWatch Logs events; a reject's position is the event's 1-based order."""
    return _LogParser(parse).run_messages(messages)


class _LogParser:
    def __init__(self, parse: LogParse) -> None:
        self._parse = parse
        self._rows = RowAssembler(parse.hash_key, parse.directory, parse.attribution)
        self._rejects: list[Reject] = []
        self._read = 0
        self._times: dict[str, int] = {}

    def run(self, runs: Iterable[Lines]) -> Iterator[ParsedSpend]:
        for first, lines, problem in runs:
            if problem:
                self._read += 1
                self._reject(first, problem, data=lines[0])
                continue
            for number, data in enumerate(lines, start=first):
                self._accept(number, data, "")
                if self._read >= self._parse.batch_rows:
                    yield self._take()
        if self._read:
            yield self._take()

    def run_messages(self, messages: Iterable[LogMessage]) -> Iterator[ParsedSpend]:
        for number, (event_id, text) in enumerate(messages, start=1):
            data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
            self._accept(number, data, event_id)
            if self._read >= self._parse.batch_rows:
                yield self._take()
        if self._read:
            yield self._take()

    def _take(self) -> ParsedSpend:
        batch = self._rows.take(self._rejects, self._read)
        self._rejects, self._read = [], 0
        return batch

    def _reject(self, position: int, reason: str, *, detail: str = "", data: bytes = b"") -> None:
        line_hash = blake2b(data, digest_size=16).digest() if data else b""
        self._rejects.append(Reject(self._parse.file, position, reason, detail, line_hash))

    def _accept(self, number: int, data: bytes, event_id: str) -> None:
        """Append the line's row or its reject. This is the hot path: one decode, no copies."""
        self._read += 1
        facts = BodyFacts()
        try:
            record = shape.decode_record(data)
            is_known = self._read_bodies(record, facts)
        except (msgspec.DecodeError, RecursionError):
            is_known = False
        if is_known:
            problem = self._append(record, facts, number, event_id)
        else:
            problem = self._accept_plain(number, data, event_id)
        if problem is not None:
            self._reject(number, problem[0], detail=problem[1], data=data)

    def _read_bodies(self, record: shape.Record, facts: BodyFacts) -> bool:
        """Hash the bodies; False when one of them has none of the known shapes."""
        key, asked, answered = self._parse.hash_key, record.input, record.output
        body = asked.input_body_json if asked is not None else None
        said = answered.output_body_json if answered is not None else None
        if body is not None and not read_request(body, key, facts):
            return False
        return said is None or read_response(said, key, facts)

    def _accept_plain(self, number: int, data: bytes, event_id: str) -> Problem | None:
        """The slow road: for bodies of other shapes, and to say what is wrong with a line."""
        key, facts = self._parse.hash_key, BodyFacts()
        try:
            record = shape.decode_plain_record(data)
        except msgspec.ValidationError as error:
            return RejectReason.WRONG_TYPE, _path_of(error)
        except (msgspec.DecodeError, RecursionError):
            if not data or data.isspace() or data.startswith(_PERMISSION_NOTE):
                self._read -= 1
                return None
            return RejectReason.NOT_JSON, ""
        if record.input is not None:
            read_plain_request(record.input.input_body_json, key, facts)
        if record.output is not None:
            read_plain_response(record.output.output_body_json, key, facts)
        return self._append(record, facts, number, event_id)

    def _append(
        self, record: shape.Record | shape.PlainRecord, facts: BodyFacts, number: int, event_id: str
    ) -> Problem | None:
        """Append the record's row; None when that is done, else what is wrong with it.

        A record of another schema type is not ours: it is passed over, and is no defect.
        """
        if record.schema_type != SCHEMA_TYPE and record.schema_type is not None:
            self._read -= 1
            return None
        if problem := _schema_problem(record):
            return problem
        ts_us = self._times.get(record.timestamp or "")
        if ts_us is None:
            ts_us, reason = self._time_of(record.timestamp or "")
            if reason:
                return reason, "timestamp"
        native_id = record.request_id or event_id
        if not native_id:
            if not self._parse.file_hash:
                return RejectReason.MISSING_FIELD, "requestId"
            native_id = file_row_native_id(self._parse.file_hash, number)
        return self._rows.append(record, facts, ts_us, native_id)

    def _time_of(self, text: str) -> tuple[int, str]:
        """(microseconds, reject reason): only acceptable times are remembered."""
        try:
            moment = datetime.fromisoformat(text)
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
            ts_us = int(moment.timestamp()) * 1_000_000 + moment.microsecond
        except (ValueError, OverflowError):
            return 0, RejectReason.BAD_TIMESTAMP
        reason = self._parse.bounds.problem(ts_us)
        if reason is None:
            if len(self._times) > 10_000:
                self._times.clear()
            self._times[text] = ts_us
        return ts_us, reason or ""


def _schema_problem(record: shape.Record | shape.PlainRecord) -> Problem | None:
    if record.schema_type is None:
        return RejectReason.MISSING_FIELD, "schemaType"
    if record.schema_version not in SCHEMA_VERSIONS:
        return RejectReason.UNKNOWN_SCHEMA_VERSION, "schemaVersion"
    if record.timestamp and record.account_id and record.region and record.model_id:
        return None
    named = {
        "timestamp": record.timestamp,
        "accountId": record.account_id,
        "region": record.region,
        "modelId": record.model_id,
    }
    return RejectReason.MISSING_FIELD, next(name for name, value in named.items() if not value)


def _path_of(error: msgspec.ValidationError) -> str:
    """Only the JSON path of a type error: the message itself could quote a value."""
    _, found, path = str(error).partition(" - at `$.")
    return path.rstrip("`")[:120] if found else ""

"""Model invocation logs, from S3 objects or CloudWatch Logs, to columns of spend rows.

Streams: memory holds one block of text and one batch of rows, whatever the object's size.
Bodies are hashed in passing. What cannot be accepted becomes a ``Reject`` with its position,
and the rest goes on.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from itertools import islice
from typing import Final, NamedTuple, get_args

import msgspec

from tensorcost.domain.spend.identity import file_row_native_id
from tensorcost.domain.spend.limits import RejectReason, TimeBounds, to_us
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.providers.bedrock import log_record as shape
from tensorcost.providers.bedrock.attribution import AttributionRules
from tensorcost.providers.bedrock.bodies import (
    BodyFacts,
    keyed_hash,
    read_plain_request,
    read_plain_response,
    read_request,
    read_response,
)
from tensorcost.providers.bedrock.json_document import one_record_a_line
from tensorcost.providers.bedrock.log_row import Problem, RowAssembler
from tensorcost.providers.bedrock.ndjson import Lines, read_lines
from tensorcost.providers.bedrock.profiles import EMPTY_DIRECTORY, ProfileDirectory

_GROUP: Final = 16
_SCHEMA_TYPES: Final = frozenset(get_args(shape.SchemaType))
_SCHEMA_VERSIONS: Final = frozenset(get_args(shape.SchemaVersion))
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
        self._new_hash = keyed_hash(parse.hash_key)
        self._rows = RowAssembler(parse.directory, parse.attribution)
        self._rejects: list[Reject] = []
        self._read = 0

    def run(self, runs: Iterable[Lines]) -> Iterator[ParsedSpend]:
        for first, lines, problem in runs:
            if problem:
                self._read += 1
                self._reject(first, problem, data=next(iter(lines)))
                if self._read >= self._parse.batch_rows:
                    yield self._take()
            else:
                yield from self._run_lines(first, lines)
        if self._read:
            yield self._take()

    def run_messages(self, messages: Iterable[LogMessage]) -> Iterator[ParsedSpend]:
        for number, (event_id, text) in enumerate(messages, start=1):
            data = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
            self._read += 1
            record = _decoded(data)
            if record is None or not self._append_known(record, event_id):
                self._accept_plain(number, data, event_id)
            if self._read >= self._parse.batch_rows:
                yield self._take()
        if self._read:
            yield self._take()

    def _run_lines(self, number: int, lines: Iterable[bytes]) -> Iterator[ParsedSpend]:
        """A few lines are decoded at a time: code and data of each step stay cached."""
        source, limit = iter(lines), self._parse.batch_rows
        while group := list(islice(source, min(_GROUP, limit - self._read))):
            self._read += len(group)
            self._rows.mark_line(number)
            for data, record in zip(group, _all_decoded(group), strict=True):
                if record is None or not self._append_known(record):
                    self._accept_plain(number, data)
                    self._rows.mark_line(number + 1)
                number += 1
            if self._read >= limit:
                yield self._take()

    def _take(self) -> ParsedSpend:
        batch = self._rows.take(self._rejects, self._read)
        self._rejects, self._read = [], 0
        return batch

    def _reject(self, position: int, reason: str, *, detail: str = "", data: bytes = b"") -> None:
        line_hash = blake2b(data, digest_size=16).digest() if data else b""
        self._rejects.append(Reject(self._parse.file, position, reason, detail, line_hash))

    def _append_known(self, record: shape.Record, event_id: str = "") -> bool:
        """Append a record that is as it should be; False, with nothing done, for any other."""
        new_hash, facts = self._new_hash, BodyFacts()
        asked, answered = record.input, record.output
        if asked is not None:
            prompt = asked.input_body_json
            if prompt is not None and not read_request(prompt, new_hash, facts):
                return False
        if answered is not None:
            answer = answered.output_body_json
            if answer is not None and not read_response(answer, new_hash, facts):
                return False
        native_id = record.request_id or event_id
        if not native_id:
            return False
        ts_us = to_us(record.timestamp)
        if record.timestamp.microsecond or self._parse.bounds.problem(ts_us):
            return False  # the decoder rounds a seventh digit, the slow road cuts it
        return self._rows.append(record, facts, ts_us, native_id) is None

    def _accept_plain(self, number: int, data: bytes, event_id: str = "") -> None:
        """The slow road: for bodies of other shapes, and to say what is wrong with a line."""
        problem = self._append_line(number, data, event_id)
        if problem is not None:
            self._reject(number, problem[0], detail=problem[1], data=data)

    def _append_line(self, number: int, data: bytes, event_id: str) -> Problem | None:
        key, facts = self._parse.hash_key, BodyFacts()
        try:
            record = shape.decode_plain_record(data)
        except msgspec.ValidationError as error:
            return RejectReason.WRONG_TYPE, _path_of(error)
        except shape.UNREADABLE:
            if not data or data.isspace() or data.startswith(_PERMISSION_NOTE):
                self._read -= 1
                return None
            return RejectReason.NOT_JSON, ""
        if record.input is not None:
            read_plain_request(record.input.input_body_json, key, facts)
        if record.output is not None:
            read_plain_response(record.output.output_body_json, key, facts)
        return self._append_plain(record, facts, number, event_id)

    def _append_plain(
        self, record: shape.PlainRecord, facts: BodyFacts, number: int, event_id: str
    ) -> Problem | None:
        """Append the record's row; None when that is done, else what is wrong with it.

        A record of another schema type is not ours: it is passed over, and is no defect.
        """
        if record.schema_type not in _SCHEMA_TYPES and record.schema_type is not None:
            self._read -= 1
            return None
        if problem := _schema_problem(record):
            return problem
        ts_us, reason = _time_of(record.timestamp or "", self._parse.bounds)
        if reason:
            return reason, "timestamp"
        native_id = record.request_id or event_id
        if not native_id:
            if not self._parse.file_hash:
                return RejectReason.MISSING_FIELD, "requestId"
            native_id = file_row_native_id(self._parse.file_hash, number)
        return self._rows.append_plain(record, facts, ts_us, native_id)


def _all_decoded(group: list[bytes]) -> Iterable[shape.Record | None]:
    try:
        return list(map(shape.decode_record, group))
    except shape.UNREADABLE:
        return map(_decoded, group)


def _decoded(data: bytes) -> shape.Record | None:
    try:
        return shape.decode_record(data)
    except shape.UNREADABLE:
        return None


def _time_of(text: str, bounds: TimeBounds) -> tuple[int, str | None]:
    """(microseconds, reject reason) of an ISO 8601 time, UTC where it names no offset."""
    try:
        moment = datetime.fromisoformat(text.upper())
        ts_us = to_us(moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        return 0, RejectReason.BAD_TIMESTAMP
    return ts_us, bounds.problem(ts_us)


def _schema_problem(record: shape.PlainRecord) -> Problem | None:
    if record.schema_type is None:
        return RejectReason.MISSING_FIELD, "schemaType"
    if record.schema_version not in _SCHEMA_VERSIONS:
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

"""Request-level events of any origin: CSV or JSON lines, gzip or not, streamed in batches."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Final

import msgspec

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.identity import file_row_native_id
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.providers.exports.event_rows import EventRows, Get
from tensorcost.providers.exports.event_spec import EventSpec
from tensorcost.providers.exports.table import CsvTable
from tensorcost.providers.exports.text_lines import Line, content_hash, read_lines, reject_of
from tensorcost.providers.exports.values import BadValue

BATCH_ROWS: Final = 20_000
_MAX_BATCH_REJECTS: Final = 20_000
_JSON: Final = msgspec.json.Decoder(float_hook=Decimal)


def read_events(
    path: Path, spec: EventSpec, *, batch_rows: int = BATCH_ROWS
) -> Iterator[ParsedSpend]:
    """Batches of rows in the file's order; rejects say line and reason.

    A row without an id gets one from the file's content and its line, so that importing the
    same file again repeats the ids. Raises ValidationFailed for a file without usable header.
    """
    file_hash = cache(lambda: content_hash(path))
    rows = _json_rows(path, spec) if _is_json(path) else _csv_rows(path, spec)
    reader = EventRows(spec)
    parsed = ParsedSpend(Grain.REQUEST)
    for line, get in rows:
        parsed.rows_read += 1
        if isinstance(get, Reject):
            parsed.rejects.append(get)
        else:
            try:
                reader.append(parsed, get, _fallback(file_hash, line))
            except BadValue as bad:
                parsed.rejects.append(reject_of(path.name, line, bad.reason, bad.detail))
        if len(parsed) >= batch_rows or len(parsed.rejects) >= _MAX_BATCH_REJECTS:
            yield parsed
            parsed = ParsedSpend(Grain.REQUEST)
    if parsed.rows_read:
        yield parsed


def parse_event_objects(
    events: list[Mapping[str, object]], spec: EventSpec, *, origin: str
) -> ParsedSpend:
    """The same for events pushed in one request, in order; each must carry an ``id``.

    A reject's position is the event's place in the list, from 1, its file is ``origin``.
    """
    parsed = ParsedSpend(Grain.REQUEST)
    reader = EventRows(spec)
    columns = _json_columns(spec)
    for position, event in enumerate(events, start=1):
        parsed.rows_read += 1
        line = Line(position, msgspec.json.encode(event, enc_hook=str))
        try:
            reader.append(parsed, _json_getter(event, columns, spec), _no_id)
        except BadValue as bad:
            parsed.rejects.append(reject_of(origin, line, bad.reason, bad.detail))
    return parsed


def _fallback(file_hash: Callable[[], str], line: Line) -> Callable[[], str]:
    return lambda: file_row_native_id(file_hash(), line.number)


def _no_id() -> str:
    raise BadValue(RejectReason.MISSING_FIELD, "id")


def _is_json(path: Path) -> bool:
    first = next((line for line in read_lines(path) if line.raw.strip() or line.problem), None)
    if first is None:
        raise ValidationFailed(f"{path.name} is empty", field="path")
    text = first.raw.lstrip()
    if text.startswith(b"["):
        raise ValidationFailed(
            f"{path.name} holds a JSON array; write one object per line", field="path"
        )
    return text.startswith(b"{")


def _csv_rows(path: Path, spec: EventSpec) -> Iterator[tuple[Line, Get | Reject]]:
    table = CsvTable(path)
    places = {name: place for place, name in reversed(list(enumerate(table.columns)))}
    for name, column in spec.mapping.items():
        if column not in places:
            raise ValidationFailed(
                f"--map {name}={column}: {path.name} has no such column, only "
                + ", ".join(table.columns),
                field=name,
            )
    wanted = {name: places[col] for name, col in spec.columns().items() if col in places}
    for row in table.rows():
        if isinstance(row, Reject):
            yield Line(row.position, b""), row
        else:
            yield row.line, _csv_getter(row.values, wanted, spec.constants)


def _csv_getter(values: list[str], wanted: dict[str, int], constants: Mapping[str, str]) -> Get:
    def get(name: str) -> object:
        place = wanted.get(name)
        return constants.get(name) if place is None else values[place]

    return get


def _json_rows(path: Path, spec: EventSpec) -> Iterator[tuple[Line, Get | Reject]]:
    columns = _json_columns(spec)
    for line in read_lines(path):
        if line.problem:
            yield line, reject_of(path.name, line, line.problem)
            continue
        if not line.raw.strip():
            continue
        try:
            event = _JSON.decode(line.raw)
        except (msgspec.DecodeError, RecursionError, ValueError) as error:
            yield line, reject_of(path.name, line, RejectReason.NOT_JSON, _short(error))
            continue
        if not isinstance(event, dict):
            yield line, reject_of(path.name, line, RejectReason.NOT_JSON, "not an object")
            continue
        yield line, _json_getter(event, columns, spec)


def _json_columns(spec: EventSpec) -> dict[str, tuple[str, tuple[str, ...]]]:
    """Field to its column, whole and split at the dots."""
    return {name: (col, tuple(col.split("."))) for name, col in spec.columns().items()}


def _json_getter(
    event: Mapping[str, object],
    columns: dict[str, tuple[str, tuple[str, ...]]],
    spec: EventSpec,
) -> Get:
    def get(name: str) -> object:
        column = columns.get(name)
        if column is None:
            return spec.constants.get(name)
        whole, parts = column
        if whole in event:
            return event[whole]
        value: object = event
        for part in parts:
            value = value.get(part) if isinstance(value, dict) else None
        return value

    return get


def _short(error: Exception) -> str:
    """A decoder's complaint; it names a place, never the line's content."""
    return str(error)[:200]

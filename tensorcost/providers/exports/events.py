"""Request-level events of any origin: CSV or JSON lines, gzip or not, streamed in batches."""

from collections.abc import Callable, Iterator, Mapping
from decimal import Decimal
from functools import cache
from itertools import islice
from pathlib import Path
from typing import Final

import msgspec

from tensorcost.domain.spend.facts import Grain
from tensorcost.domain.spend.identity import file_row_native_id
from tensorcost.domain.spend.limits import RejectReason
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.providers.exports.bad_file import BadFile
from tensorcost.providers.exports.event_rows import EventRows, Values
from tensorcost.providers.exports.event_spec import EventSpec
from tensorcost.providers.exports.table import CsvTable
from tensorcost.providers.exports.text_lines import Line, content_hash, read_lines, reject_of
from tensorcost.providers.exports.values import BadValue, plain

BATCH_ROWS: Final = 20_000
_MAX_BATCH_REJECTS: Final = 20_000
_SNIFFED_LINES: Final = 8
_JSON_NAMES: Final = frozenset({".json", ".jsonl", ".ndjson"})
_NEEDED: Final = ("timestamp", "model_id")
_JSON: Final = msgspec.json.Decoder(float_hook=Decimal)


def read_events(
    path: Path, spec: EventSpec, *, batch_rows: int = BATCH_ROWS
) -> Iterator[ParsedSpend]:
    """Batches of rows in the file's order; rejects say line and reason.

    A row without an id gets one from the file's content and its line, so that importing the
    same file again repeats the ids. A file without rows gives no batch; raises BadFile for one
    without a usable header, or without the columns that no event can be without.
    """
    file_hash = cache(lambda: content_hash(path))
    starts = _starts(path)
    if not starts:
        return
    rows = _json_rows(path, spec) if _is_json_lines(path, starts) else _csv_rows(path, spec)
    reader = EventRows(spec)
    parsed = ParsedSpend(Grain.REQUEST)
    for line, values in rows:
        parsed.rows_read += 1
        if isinstance(values, Reject):
            parsed.rejects.append(values)
        else:
            parsed.mark_line(len(parsed), line.number)
            try:
                reader.append(parsed, values, _fallback(file_hash, line))
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
    fields = _JsonFields(spec)
    for position, event in enumerate(events, start=1):
        parsed.rows_read += 1
        line = Line(position, msgspec.json.encode(event, enc_hook=str))
        try:
            reader.append(parsed, fields.values(event), _no_id)
        except BadValue as bad:
            parsed.rejects.append(reject_of(origin, line, bad.reason, bad.detail))
    return parsed


def _fallback(file_hash: Callable[[], str], line: Line) -> Callable[[], str]:
    return lambda: file_row_native_id(file_hash(), line.number)


def _no_id() -> str:
    raise BadValue(RejectReason.MISSING_FIELD, "id")


def _starts(path: Path) -> list[bytes]:
    """First two bytes of the first lines that are not blank."""
    written = (line.raw.strip() for line in read_lines(path))
    return list(islice((raw[:2] for raw in written if raw), _SNIFFED_LINES))


def _is_json_lines(path: Path, starts: list[bytes]) -> bool:
    """By name, else by content: a bad first line does not turn JSON lines into CSV."""
    if starts[0][:1] == b"[" or starts[0] == b"{":
        what = "an object over several lines" if starts[0] == b"{" else "a JSON array"
        raise BadFile(f"{path.name} holds {what}; write one object per line", RejectReason.NOT_JSON)
    is_named_so = bool(_JSON_NAMES & {suffix.lower() for suffix in path.suffixes})
    return is_named_so or any(start[:1] == b"{" for start in starts)


def _csv_rows(path: Path, spec: EventSpec) -> Iterator[tuple[Line, Values | Reject]]:
    table = CsvTable(path)
    places = {name: place for place, name in reversed(list(enumerate(table.columns)))}
    for name, column in spec.mapping.items():
        if column not in places:
            raise BadFile(
                f"--map {name}={column}: {path.name} has no such column, only "
                + ", ".join(table.columns),
                RejectReason.MISSING_FIELD,
                f"no column {column}, which --map {name} names",
                field=name,
            )
    _require(path, spec, table.columns)
    wanted = [(name, places[col]) for name, col in spec.columns().items() if col in places]
    for row in table.rows():
        if isinstance(row, Reject):
            yield Line(row.position, b""), row
            continue
        values: dict[str, object] = dict(spec.constants)
        for name, place in wanted:
            value = plain(row.values[place])
            if value is not None:
                values[name] = value
        yield row.line, values


def _require(path: Path, spec: EventSpec, columns: list[str]) -> None:
    read = spec.columns()
    missing = [name for name in _NEEDED if name in read and read[name] not in columns]
    if missing:
        told = f"no column {' and no '.join(missing)}"
        raise BadFile(
            f"{path.name} has {told}, only {', '.join(columns)}: name the column that holds it "
            "with --map, or a value with --set",
            RejectReason.MISSING_FIELD,
            told,
        )


def _json_rows(path: Path, spec: EventSpec) -> Iterator[tuple[Line, Values | Reject]]:
    reader = _JsonFields(spec)
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
        if isinstance(event, dict):
            yield line, reader.values(event)
        else:
            yield line, reject_of(path.name, line, RejectReason.NOT_JSON, "not an object")


class _JsonFields:
    """Picks our fields out of an object: a member of the column's name, else a dotted path."""

    def __init__(self, spec: EventSpec) -> None:
        self._constants: dict[str, object] = dict(spec.constants)
        self._whole: dict[str, list[str]] = {}
        self._dotted: list[tuple[str, list[str]]] = []
        for name, column in spec.columns().items():
            self._whole.setdefault(column, []).append(name)
            if "." in column:
                self._dotted.append((name, column.split(".")))

    def values(self, event: Mapping[str, object]) -> Values:
        values: dict[str, object] = self._constants.copy()
        for member, said in event.items():
            value = plain(said) if member in self._whole else None
            if value is not None:
                values.update(dict.fromkeys(self._whole[member], value))
        for name, parts in self._dotted:
            if name not in values and (value := plain(_at(event, parts))) is not None:
                values[name] = value
        return values


def _at(event: Mapping[str, object], parts: list[str]) -> object:
    value: object = event
    for part in parts:
        value = value.get(part) if isinstance(value, dict) else None
    return value


def _short(error: Exception) -> str:
    """A decoder's complaint; it names a place, never the line's content."""
    return str(error)[:200]

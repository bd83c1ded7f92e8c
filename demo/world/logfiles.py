"""Where log records land: gzip objects by delivery hour, and files of log group events."""

from __future__ import annotations

import gzip
import hashlib
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO

import msgspec
import numpy as np
from isal import igzip
from numpy.typing import NDArray

from demo.aws.logstore import GroupFile
from demo.world.records import RecordWriter
from demo.world.spec import WorldSpec
from demo.world.story import LogPlace
from demo.world.traffic import Calls

STREAM = "aws/bedrock/modelinvocations"
_HOUR_MS = 3_600_000
_LATEST_DELIVERY_MS = 300_000
_LINES_PER_OBJECT = 500
_SCATTER = 2_654_435_761
_MOVED_BODIES = 400
"""Bodies written as data objects; the file count of a world must stay small."""


def base_key(place: LogPlace) -> str:
    prefix = f"{place.key_prefix}/" if place.key_prefix else ""
    return f"{prefix}AWSLogs/{place.account}/BedrockModelInvocationLogs/{place.region}/"


def hour_key(place: LogPlace, hour: int) -> str:
    """The folder of an hour (epoch hours) in which objects were delivered."""
    at = datetime.fromtimestamp(hour * 3600, UTC)
    return f"{base_key(place)}{at:%Y/%m/%d/%H}/"


def object_name(at_ms: int, salt: str) -> str:
    at = datetime.fromtimestamp(at_ms / 1000, UTC)
    digits = hashlib.blake2b(f"{at_ms}/{salt}".encode(), digest_size=8).hexdigest()
    return f"{at:%Y%m%dT%H%M%S}{at_ms % 1000:03d}Z_{digits}.json.gz"


@dataclass(slots=True)
class _Pending:
    lines: list[bytes] = field(default_factory=list)
    last_ms: int = 0


class LogFiles:
    """Collects records and writes an hour's objects once no more can arrive in it."""

    def __init__(self, spec: WorldSpec, folder: Path) -> None:
        self._spec = spec
        self._folder = folder
        self._end_ms = int(spec.end.timestamp() * 1000)
        self.records = RecordWriter(spec)
        self.objects = 0
        self.bytes = 0
        self._moved = 0
        self._pending: dict[tuple[int, int], _Pending] = {}
        self._groups: dict[int, IO[str]] = {}
        for at, place in enumerate(spec.story.logs):
            if place.bucket:
                self._write(place, base_key(place) + "amazon-bedrock-logs-permission-check", b"", 0)
            if place.log_group:
                (folder / "logs").mkdir(parents=True, exist_ok=True)
                path = folder / "logs" / _group_file(at)
                self._groups[at] = gzip.open(path, "wt", compresslevel=1)  # noqa: SIM115

    def logged(self, calls: Calls) -> NDArray[np.bool_]:
        """Which calls can be found in some log."""
        found = np.zeros(len(calls), bool)
        for at, place in enumerate(self._spec.story.logs):
            if place.bucket:
                found |= self._at_place(calls, at)
            else:
                found |= self._in_group(calls, at)
        return found

    def _at_place(self, calls: Calls, at: int) -> NDArray[np.bool_]:
        story = self._spec.story
        place = story.logs[at]
        here = np.array([story.log_place(stream) is place for stream in story.streams])
        fate = calls.number * _SCATTER % 2**32
        return np.asarray(here[calls.stream] & (fate >= int(place.lost * 2**32)))

    def _in_group(self, calls: Calls, at: int) -> NDArray[np.bool_]:
        days = self._spec.story.logs[at].retention_days or 0
        kept_from = self._end_ms - int(timedelta(days=days).total_seconds() * 1000)
        return np.asarray(self._at_place(calls, at) & (calls.ts >= kept_from))

    def add(self, calls: Calls, rng: np.random.Generator) -> int:
        """Write a day's records; returns how many went to a bucket and to a log group."""
        delivered = calls.ts + rng.integers(500, _LATEST_DELIVERY_MS, len(calls))
        delivered = np.minimum(delivered, self._end_ms - 1)
        twice = 0
        for at, place in enumerate(self._spec.story.logs):
            in_group = self._in_group(calls, at)
            mask = self._at_place(calls, at) if place.bucket else in_group
            for index in np.flatnonzero(mask).tolist():
                line = self._to_bucket(calls, index, at, place, int(delivered[index]))
                if place.log_group and in_group[index]:
                    self._groups[at].write(f"{calls.ts[index]}\t{line.decode()}\n")
                    twice += 1 if place.bucket else 0
        return twice

    def _to_bucket(
        self, calls: Calls, index: int, at: int, place: LogPlace, delivered: int
    ) -> bytes:
        if place.bucket is None:
            return self.records.line(calls, index, None)[0]
        hour = delivered // _HOUR_MS
        data = hour_key(place, hour) + "data/"
        room = self._moved < _MOVED_BODIES
        base = f"s3://{place.bucket}/{data}" if room else None
        line, moved = self.records.line(calls, index, base)
        if moved is not None:
            self._moved += 1
            name = line.split(b'_input.json.gz"', 1)[0].rsplit(b"/", 1)[1].decode()
            body = igzip.compress(moved, 1, mtime=0)
            self._write(place, f"{data}{name}_input.json.gz", body, delivered)
        pending = self._pending.setdefault((at, hour), _Pending())
        pending.lines.append(line)
        pending.last_ms = max(pending.last_ms, delivered)
        return line

    def flush(self, before: datetime) -> None:
        """Write the objects of every delivery hour that ended by ``before``."""
        limit = int(before.timestamp()) // 3600
        for key in sorted(key for key in self._pending if key[1] < limit):
            place = self._spec.story.logs[key[0]]
            pending = self._pending.pop(key)
            for chunk, first in enumerate(range(0, len(pending.lines), _LINES_PER_OBJECT)):
                lines = pending.lines[first : first + _LINES_PER_OBJECT]
                name = object_name(pending.last_ms, f"{key}/{chunk}")
                body = igzip.compress(b"\n".join(lines) + b"\n", 1, mtime=0)
                self._write(place, hour_key(place, key[1]) + name, body, pending.last_ms)

    def write_object(self, place: LogPlace, key: str, body: bytes, at: datetime) -> None:
        """Put any object beside the records, delivered at ``at``."""
        self._write(place, key, body, int(at.timestamp() * 1000))

    def close(self) -> None:
        for group in self._groups.values():
            group.close()
        if self._groups:
            index = [self._group_entry(at) for at in self._groups]
            (self._folder / "logs" / "index.json").write_bytes(msgspec.json.encode(index))

    def sample(self, count: int) -> list[bytes]:
        """Some of the first place's records that wait to be written, for planting repeats."""
        waiting = [p.lines for key, p in self._pending.items() if key[0] == 0]
        return [line for lines in waiting for line in lines][:count]

    def _group_entry(self, at: int) -> GroupFile:
        place = self._spec.story.logs[at]
        return GroupFile(
            account=place.account,
            region=place.region,
            group=place.log_group or "",
            stream=STREAM,
            file=_group_file(at),
        )

    def _write(self, place: LogPlace, key: str, body: bytes, at_ms: int) -> None:
        path = self._folder / "s3" / (place.bucket or "") / key
        try:
            path.write_bytes(body)
        except FileNotFoundError:
            path.parent.mkdir(parents=True)
            path.write_bytes(body)
        if at_ms:
            os.utime(path, (at_ms / 1000, at_ms / 1000))
        self.objects += 1
        self.bytes += len(body)


def _group_file(at: int) -> str:
    return f"group-{at}.tsv.gz"

"""Defects planted beside a world's clean objects, each counted in the answer key.

Valid lines in these objects repeat records of clean objects: whether a reader keeps or drops
them, the totals stay the same.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import orjson
from isal import igzip

from demo.world import curfiles
from demo.world.logfiles import LogFiles, hour_key, object_name
from demo.world.spec import WorldSpec
from demo.world.story import LogPlace
from demo.world.truth import Planted

_SECRET = "TC-CANARY-REJECTED-LINE"


def plant_logs(spec: WorldSpec, files: LogFiles, repeats: list[bytes]) -> Planted:
    """Write the defective log objects; ``repeats`` are records that exist elsewhere too."""
    place = next(place for place in spec.story.logs if place.bucket)
    planted = Planted(secrets=[_SECRET])
    lines = _defective_lines(repeats[0], planted)
    mixed = b"\n".join([*repeats[:3], *lines, b"", *repeats[3:6]]) + b"\n"
    planted.repeated_lines += len(repeats[:6])
    whole = igzip.compress(b"\n".join(repeats) + b"\n", 1, mtime=0)
    planted.repeated_lines += len(repeats)
    objects = {
        "defective_lines": igzip.compress(mixed, 1, mtime=0),
        "truncated_gzip": whole[: len(whole) * 6 // 10],
        "not_gzip": b"<html>not a gzip file</html>",
        "empty_gzip": igzip.compress(b"", 1, mtime=0),
        "cut_last_line": igzip.compress(
            b"\n".join(repeats[:2]) + b"\n" + repeats[2][:90], 1, mtime=0
        ),
    }
    planted.repeated_lines += 2
    for number, (reason, body) in enumerate(objects.items()):
        key = _key(spec, place, number, reason)
        at = spec.end - timedelta(hours=30 + number)
        files.write_object(place, key, body, at)
        planted.objects[reason] = f"s3://{place.bucket}/{key}"
    return planted


def _key(spec: WorldSpec, place: LogPlace, number: int, reason: str) -> str:
    at = spec.end - timedelta(hours=30 + number)
    hour = int(at.timestamp()) // 3600
    return hour_key(place, hour) + object_name(int(at.timestamp() * 1000), f"dirty/{reason}")


def _defective_lines(good: bytes, planted: Planted) -> list[bytes]:
    def changed(number: int, **members: Any) -> bytes:
        record = orjson.loads(good)
        record["requestId"] = f"00000000-0000-4000-8000-{number:012d}"
        return orjson.dumps(record | members)

    def tokens(number: int, count: int) -> bytes:
        record = orjson.loads(changed(number))
        record["input"]["inputTokenCount"] = count
        return orjson.dumps(record)

    def without(number: int, name: str) -> bytes:
        record = orjson.loads(changed(number))
        del record[name]
        return orjson.dumps(record)

    lines = {
        "not_json": [f'{{"schemaType": "ModelInvocationLog", {_SECRET}'.encode()],
        "not_an_object": [b'["ModelInvocationLog"]'],
        "unknown_schema_version": [changed(1, schemaVersion="9.0")],
        "negative_tokens": [tokens(2, -5)],
        "absurd_tokens": [tokens(3, 10**15)],
        "bad_account_id": [changed(4, accountId="22223333444455")],
        "far_past": [changed(5, timestamp="1999-12-31T23:59:59Z")],
        "far_future": [changed(6, timestamp="2099-01-01T00:00:00Z")],
        "bad_timestamp": [changed(7, timestamp="yesterday")],
        "missing_request_id": [without(8, "requestId")],
    }
    planted.lines = {reason: len(found) for reason, found in lines.items()}
    planted.skipped_lines = 1
    foreign = changed(9, schemaType="SomethingElse")
    return [*(line for found in lines.values() for line in found), foreign]


def plant_bill(spec: WorldSpec, folder: Path, export: str, planted: Planted) -> None:
    """A billing period before the world's first, whose only Parquet file is cut in half."""
    bucket = spec.story.cur_bucket
    before = (spec.start.replace(day=1) - timedelta(days=1)).replace(day=1, hour=0)
    period = f"{before:%Y-%m}"
    data = folder / curfiles.PREFIX / export / "data" / f"BILLING_PERIOD={period}"
    data.mkdir(parents=True)
    path = data / f"{export}-00001.snappy.parquet"
    rows = [{"line_item_line_item_type": "Usage", "line_item_unblended_cost": 1.0}] * 50
    curfiles.write_parquet(path, rows)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    uri = f"s3://{bucket}/{path.relative_to(folder).as_posix()}"
    curfiles.write_manifest(folder, export, period, [uri])
    planted.objects["truncated_parquet"] = uri

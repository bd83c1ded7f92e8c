"""An independent reading of a world's files, by the vendor's rules, not by the builder's code."""

from __future__ import annotations

import csv
import gzip
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from demo.world.spec import World

FIELDS = {
    "input": "input_cost_per_token",
    "cached": "cache_read_input_token_cost",
    "cache_write_5m": "cache_creation_input_token_cost",
    "cache_write_1h": "cache_creation_input_token_cost_above_1hr",
    "output": "output_cost_per_token",
}


def log_objects(world: World) -> Iterator[Path]:
    for place in world.log_buckets:
        folder = world.path / "s3" / place.bucket
        for path in sorted(folder.rglob("*.json.gz")):
            if "/data/" not in path.as_posix():
                yield path


def records(world: World) -> Iterator[dict[str, Any]]:
    """Every readable record, once per request id, from buckets and log groups."""
    seen: set[str] = set()
    for line in (*_object_lines(world), *_group_lines(world)):
        try:
            record = json.loads(line)
        except ValueError:
            continue
        if not isinstance(record, dict) or not _is_valid(record):
            continue
        if record["requestId"] not in seen:
            seen.add(record["requestId"])
            yield record


def _is_valid(record: dict[str, Any]) -> bool:
    tokens = record.get("input", {}).get("inputTokenCount", 0)
    return (
        record.get("schemaType") == "ModelInvocationLog"
        and record.get("schemaVersion") == "1.0"
        and "requestId" in record
        and len(record["accountId"]) == 12
        and record["timestamp"][:2] == "20"
        and record["timestamp"][:4] < "2030"
        and 0 <= tokens < 10**9
    )


def _object_lines(world: World) -> Iterator[bytes]:
    for path in log_objects(world):
        try:
            with gzip.open(path) as lines:
                yield from lines
        except (OSError, EOFError):
            continue


def _group_lines(world: World) -> Iterator[bytes]:
    for path in sorted((world.path / "logs").glob("*.tsv.gz")):
        with gzip.open(path) as lines:
            for line in lines:
                yield line.partition(b"\t")[2]


def tokens_of(record: dict[str, Any]) -> dict[str, int]:
    written = record["input"].get("cacheWriteInputTokenCount", 0)
    hour = _one_hour_tokens(record["output"].get("outputBodyJson")) if written else 0
    return {
        "input": record["input"]["inputTokenCount"],
        "cached": record["input"].get("cacheReadInputTokenCount", 0),
        "cache_write_5m": written - hour,
        "cache_write_1h": hour,
        "output": record["output"]["outputTokenCount"],
    }


def _one_hour_tokens(body: Any) -> int:
    if isinstance(body, list):
        body = body[0]["message"]
    usage = body["usage"]
    if "cacheDetails" in usage:
        return sum(d["inputTokens"] for d in usage["cacheDetails"] if d["ttl"] == "1h")
    return int(usage["cache_creation"]["ephemeral_1h_input_tokens"])


@dataclass
class Reading:
    requests: int = 0
    unpriced: int = 0
    tokens: Counter[str] = field(default_factory=Counter)
    usd: Decimal = Decimal(0)
    by_application: Counter[str] = field(default_factory=Counter)
    texts: list[str] = field(default_factory=list)


def _profiles(world: World) -> dict[str, Any]:
    state = json.loads((world.path / "world.json").read_bytes())
    return {_arn(p): p for p in state["profiles"] if p["type"] == "APPLICATION"}


def _model(called: str, profile: dict[str, Any] | None) -> str:
    return _geo(profile["model_arns"]) if profile else called.rpartition("/")[2]


def logged_tokens(world: World) -> Counter[tuple[str, ...]]:
    """Tokens by account, day, region, model and kind."""
    profiles, found = _profiles(world), Counter[tuple[str, ...]]()
    for record in records(world):
        model = _model(record["modelId"], profiles.get(record["modelId"]))
        place = (record["accountId"], record["timestamp"][:10], record["region"], model)
        for kind, count in tokens_of(record).items():
            found[(*place, kind)] += count
    return +found


def read_logs(world: World) -> Reading:
    prices = json.loads(Path(world.price_file).read_text(), parse_float=Decimal)
    profiles = _profiles(world)
    found = Reading()
    for record in records(world):
        profile = profiles.get(record["modelId"])
        model = _model(record["modelId"], profile)
        counted = tokens_of(record)
        found.requests += 1
        found.tokens.update(counted)
        if model not in prices:
            found.unpriced += 1
        else:
            price = prices[model]
            found.usd += sum(n * Decimal(price[FIELDS[k]]) for k, n in counted.items() if n)
        metadata = record.get("requestMetadata") or (profile or {}).get("tags") or {}
        found.by_application[metadata.get("application") or metadata.get("app") or ""] += 1
        if "CANARY" in (text := json.dumps(record)):
            found.texts.append(text)
    return found


def _arn(profile: dict[str, Any]) -> str:
    place = f"{profile['region']}:{profile['account']}"
    return f"arn:aws:bedrock:{place}:application-inference-profile/{profile['id']}"


def _geo(model_arns: list[str]) -> str:
    regions = {arn.split(":")[3].partition("-")[0] for arn in model_arns}
    assert len(regions) == 1
    return f"{regions.pop()}.{model_arns[0].rpartition('/')[2]}"


def bill_rows(world: World, parquet: bool) -> list[dict[str, Any]]:
    """Rows of every data file that a readable manifest names."""
    export = next(e for e in world.cur_exports if e.parquet is parquet)
    folder = world.path / "s3" / export.bucket
    rows: list[dict[str, Any]] = []
    for period in export.periods:
        manifest = (
            folder / export.prefix / export.name / "metadata" / f"BILLING_PERIOD={period}"
        ) / f"{export.name}-Manifest.json"
        for uri in json.loads(manifest.read_bytes())["dataFiles"]:
            path = folder / uri.removeprefix(f"s3://{export.bucket}/")
            if parquet:
                rows += pq.read_table(path).to_pylist()
            else:
                with gzip.open(path, "rt", newline="") as lines:
                    rows += list(csv.DictReader(lines))
    return rows

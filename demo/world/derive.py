"""Derives the small samples in ``data/`` from the public data sets named in ATTRIBUTION.md.

Run once by a maintainer who has the data sets; users carry the result:
``python -m demo.world.derive --from FOLDER``.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

DATA = Path(__file__).parent / "data"
_CLIENTS = (
    ("m-large", 48),
    ("m-large", 21),
    ("m-large", 78),
    ("m-large", 66),
    ("m-large", 120),
    ("m-mid", 93),
    ("m-mid", 84),
    ("m-small", 39),
)
_HOURS = 14 * 24
_PREFIX_REQUESTS = 1400
_MODELS = (
    "claude-sonnet-4-5",
    "claude-opus-4-5",
    "claude-haiku-4-5",
    "claude-3-haiku",
    "amazon.nova-micro-v1",
    "amazon.nova-lite-v1",
    "amazon.nova-pro-v1",
    "titan-embed-text-v2",
)
_PRICE_FIELDS = {
    "input_cost_per_token": "input_usd_per_mtok",
    "output_cost_per_token": "output_usd_per_mtok",
    "cache_read_input_token_cost": "cache_read_usd_per_mtok",
    "cache_creation_input_token_cost": "cache_write_5m_usd_per_mtok",
    "cache_creation_input_token_cost_above_1hr": "cache_write_1h_usd_per_mtok",
    "input_cost_per_token_above_200k_tokens": "long_context_input_usd_per_mtok",
    "output_cost_per_token_above_200k_tokens": "long_context_output_usd_per_mtok",
    "cache_read_input_token_cost_above_200k_tokens": "long_context_cache_read_usd_per_mtok",
}


def _rows(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", newline="") as lines:
        yield from csv.DictReader(lines)


def _write(name: str, header: list[str], rows: Iterable[Iterable[object]]) -> None:
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    (DATA / name).write_bytes(gzip.compress(buffer.getvalue().encode(), 9, mtime=0))


def _azure(source: Path) -> None:
    rows: list[tuple[str, str, str]] = []
    for trace, step in (("conv", 4), ("code", 3)):
        path = source / "llm_traces" / f"AzureLLMInferenceTrace_{trace}.csv.gz"
        kept = list(_rows(path))[::step]
        rows += [(trace, row["ContextTokens"], row["GeneratedTokens"]) for row in kept]
    _write("azure_requests.csv.gz", ["trace", "input_tokens", "output_tokens"], rows)


def _mooncake(source: Path) -> None:
    """Whole conversations (equal second block), so that follow-ups meet their prefixes."""
    path = source / "llm_traces" / "mooncake_conversation_trace.jsonl.gz"
    with gzip.open(path, "rt") as lines:
        records = [json.loads(line) for line in lines]
    turns = Counter(tuple(record["hash_ids"][:2]) for record in records)
    names: dict[int, int] = {}
    rows: list[tuple[int, int, str]] = []
    for record in records:
        root = tuple(record["hash_ids"][:2])
        if len(root) < 2 or turns[root] < 2 or record["input_length"] > 150_000:
            continue
        blocks = [names.setdefault(block, len(names)) for block in record["hash_ids"]]
        rows.append((record["input_length"], record["output_length"], _runs(blocks)))
    header = ["input_tokens", "output_tokens", "blocks"]
    _write("mooncake_prefixes.csv.gz", header, rows[:_PREFIX_REQUESTS])


def _runs(blocks: list[int]) -> str:
    """``0 14-27`` for 0, 14, 15, … 27."""
    runs: list[list[int]] = []
    for block in blocks:
        if runs and block == runs[-1][1] + 1:
            runs[-1][1] = block
        else:
            runs.append([block, block])
    return " ".join(str(a) if a == b else f"{a}-{b}" for a, b in runs)


def _servegen(source: Path) -> None:
    totals: dict[tuple[str, int], list[float]] = {c: [0.0] * _HOURS for c in _CLIENTS}
    for row in _rows(source / "llm_traces" / "servegen_client_rates_10min.csv.gz"):
        client = (row["model"], int(row["client_id"]))
        hour = int(row["timestamp"]) // 3600
        if client in totals and hour < _HOURS:
            totals[client][hour] += float(row["rate"]) / 6
    rows = [
        (f"{pool}-{number}", hour, f"{rate:.4g}")
        for (pool, number), rates in totals.items()
        for hour, rate in enumerate(rates)
    ]
    _write("servegen_hourly_rates.csv.gz", ["client", "hour", "requests_per_second"], rows)


def _aider(source: Path) -> None:
    sessions: dict[str, list[list[tuple[int, int, int]]]] = defaultdict(list)
    last: dict[str, int] = {}
    with gzip.open(source / "llm_traces" / "aider_agent_events.jsonl.gz", "rt") as lines:
        for line in lines:
            event = json.loads(line)
            used = event["properties"]
            if event["event"] != "message_send" or not used.get("prompt_tokens"):
                continue
            user, at = event["user_id"], int(event["time"])
            if not sessions[user] or at - last[user] > 1800:
                sessions[user].append([])
            last[user] = at
            sessions[user][-1].append((at, used["prompt_tokens"], used["completion_tokens"]))
    rows: list[tuple[int, int, int, int]] = []
    kept = [s for listed in sessions.values() for s in listed if 2 <= len(s) <= 40]
    for number, session in enumerate(sorted(kept)):
        begin = session[0][0]
        rows += [(number, at - begin, p, c) for at, p, c in session if p <= 150_000]
    header = ["session", "seconds", "prompt_tokens", "completion_tokens"]
    _write("aider_sessions.csv.gz", header, rows)


def _orphan(field: str, row: dict[str, Any]) -> bool:
    """A cache price of a model without a price for cache reads is a slip of the source."""
    return field.startswith("cache_creation") and row["cache_read_usd_per_mtok"] is None


def _prices(source: Path) -> None:
    catalogue = json.loads((source / "prices" / "model_prices_slim_2026-07-24.json").read_text())
    prices: dict[str, dict[str, Any]] = {}
    for row in catalogue["models"]:
        model = row["model_id"]
        if row["provider"] != "bedrock" or not any(part in model for part in _MODELS):
            continue
        entry: dict[str, Any] = {"litellm_provider": "bedrock", "mode": row["mode"]}
        for field, column in _PRICE_FIELDS.items():
            if row[column] is not None and not _orphan(field, row):
                entry[field] = float(Decimal(str(row[column])) / 1_000_000)
        entry["max_input_tokens"] = row["max_input_tokens"]
        prices[model] = entry
    (DATA / "prices.json").write_text(json.dumps(prices, indent=1) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(prog="demo.world.derive")
    parser.add_argument("--from", dest="source", type=Path, required=True)
    source: Path = parser.parse_args().source
    DATA.mkdir(exist_ok=True)
    for step in (_azure, _mooncake, _servegen, _aider, _prices):
        step(source)


if __name__ == "__main__":
    main()

"""Invocation-log parsing against the ``json`` module: same object, same machine, same run.

Prints the ratio of rates (ours through to filled columns, bodies hashed, prefixes hashed)
to two baselines built on the standard library's gzip and json:

* ``same columns``: the same work. Every record is decoded whole, one tuple of its fields kept,
  the prompt hashed with its prefixes at each boundary, the answer hashed. Decoded bodies must
  be serialised again for that. The target is meant against this one.
* ``tuples``: the same without any hashing, a harder one: it leaves out what costs ours most.

And ``libraries alone``: the libraries that ours stands on (isal, msgspec, BLAKE2b) called for
the same bytes with nothing kept and nothing checked. No change to our own code gets below it,
so it also bounds both ratios.

CPU time, each ratio taken inside one round; median with smallest and largest.
"""

import argparse
import gzip
import json
import random
import statistics
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import blake2b
from io import BufferedReader, BytesIO
from typing import Any

from isal import igzip

from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.providers.bedrock.invocation_log import LogParse, parse_object
from tensorcost.providers.bedrock.log_record import decode_record

KEY = b"k" * 32
NOW = datetime(2026, 11, 4, tzinfo=UTC)
WORDS = [
    "the",
    "customer",
    "asked",
    "about",
    "invoice",
    "totals",
    "and",
    "a",
    "refund",
    "for",
    "order",
    "number",
    "shipment",
    "delayed",
    "please",
    "summarise",
    "this",
    "conversation",
    "in",
    "three",
    "bullets",
    '"quoted"',
    "line\nbreak",
    "½",
    "café",
]


def prose(rng: random.Random, size: int) -> str:
    words: list[str] = []
    length = 0
    while length < size:
        word = rng.choice(WORDS)
        words.append(word)
        length += len(word) + 1
    return " ".join(words)


def record(rng: random.Random, index: int) -> dict[str, object]:
    """One Converse record, bodies of about 4 kB together; a conversation has four of them."""
    talk = random.Random(index // 4)
    turns = [
        {"role": "user" if turn % 2 == 0 else "assistant", "content": [{"text": prose(rng, 500)}]}
        for turn in range(4)
    ]
    body_in = {
        "system": [{"text": prose(rng, 600)}, {"cachePoint": {"type": "default"}}],
        "messages": turns,
        "inferenceConfig": {"maxTokens": 1024, "temperature": 0.2},
    }
    body_out = {
        "output": {"message": {"role": "assistant", "content": [{"text": prose(rng, 1000)}]}},
        "stopReason": "end_turn",
        "metrics": {"latencyMs": rng.randrange(200, 9000)},
        "usage": {"inputTokens": 900, "outputTokens": 250, "totalTokens": 1150},
    }
    return {
        "schemaType": "ModelInvocationLog",
        "schemaVersion": "1.0",
        "timestamp": f"2026-11-03T08:{index // 60 % 60:02d}:{index % 60:02d}Z",
        "accountId": "111122223333",
        "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/Bot/ana@example.test"},
        "region": "us-east-1",
        "requestId": f"0b7c7a52-2f0e-4a56-9f0c-{index:012x}",
        "operation": "Converse",
        "modelId": talk.choice(["us.anthropic.claude-sonnet-4-6", "amazon.nova-lite-v1:0"]),
        "requestMetadata": {
            "application": talk.choice(["support-bot", "search", "coder"]),
            "team": talk.choice(["care", "platform"]),
            "environment": "prod",
            "conversation_id": f"c-{index // 4}",
        },
        "input": {
            "inputContentType": "application/json",
            "inputBodyJson": body_in,
            "inputTokenCount": 900,
            "cacheReadInputTokenCount": 0,
            "cacheWriteInputTokenCount": 0,
        },
        "output": {
            "outputContentType": "application/json",
            "outputBodyJson": body_out,
            "outputTokenCount": 250,
        },
    }


def json_hashes(prompt: dict[str, Any], answer: dict[str, Any]) -> tuple[bytes, ...]:
    running = blake2b(digest_size=16, key=KEY)
    prefixes = []
    for part in (prompt["system"], *prompt["messages"]):
        running.update(json.dumps(part).encode())
        prefixes.append(running.digest()[:8])
    said = blake2b(json.dumps(answer["output"]).encode(), digest_size=16, key=KEY)
    return running.digest(), b"".join(prefixes), said.digest()


def json_tuples(packed: bytes, *, hashed: bool) -> int:
    rows = []
    for line in gzip.decompress(packed).split(b"\n"):
        if not line:
            continue
        found = json.loads(line)
        asked, answered, meta = found["input"], found["output"], found["requestMetadata"]
        hashes: tuple[bytes, ...] = ()
        if hashed:
            hashes = json_hashes(asked["inputBodyJson"], answered["outputBodyJson"])
        rows.append(
            (
                datetime.fromisoformat(found["timestamp"]),
                found["requestId"],
                found["accountId"],
                found["region"],
                found["modelId"],
                found["operation"],
                found["identity"]["arn"],
                meta.get("application"),
                meta.get("team"),
                meta.get("environment"),
                meta.get("conversation_id"),
                asked["inputTokenCount"],
                asked.get("cacheReadInputTokenCount", 0),
                asked.get("cacheWriteInputTokenCount", 0),
                answered["outputTokenCount"],
                answered["outputBodyJson"]["metrics"]["latencyMs"],
                hashes,
            )
        )
    return len(rows)


def ours(packed: bytes) -> int:
    parse = LogParse(file="bench", hash_key=KEY, bounds=TimeBounds.at(NOW))
    chunks = (packed[at : at + 262_144] for at in range(0, len(packed), 262_144))
    return sum(len(batch) for batch in parse_object(chunks, parse))


def libraries(packed: bytes) -> int:
    keyed, rows = blake2b(digest_size=16, key=KEY), 0
    unpacked: Any = igzip.IGzipFile(fileobj=BytesIO(packed))  # type: ignore[no-untyped-call]
    for line in BufferedReader(unpacked, 524_288):
        found: Any = decode_record(line)
        prompt = found.input.input_body_json
        running = keyed.copy()
        for part in (prompt.system, *prompt.messages):
            running.update(part)
            running.digest()
        said = keyed.copy()
        said.update(found.output.output_body_json.output)
        said.digest()
        rows += 1
    return rows


def cpu_seconds(work: Callable[[], int], expected: int) -> float:
    start = time.process_time()
    rows = work()
    spent = time.process_time() - start
    if rows != expected:
        raise SystemExit(f"{rows} rows instead of {expected}")
    return spent


def show(name: str, ratios: list[float]) -> None:
    middle = statistics.median(ratios)
    print(f"{name:30} {middle:5.2f}  ({min(ratios):.2f} .. {max(ratios):.2f})")


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--records", type=int, default=10_000)
    arguments.add_argument("--rounds", type=int, default=5)
    chosen = arguments.parse_args()
    rng = random.Random(7)
    lines = [json.dumps(record(rng, index)).encode() for index in range(chosen.records)]
    packed = gzip.compress(b"\n".join(lines) + b"\n", 6)
    size = sum(map(len, lines)) / chosen.records
    print(f"{chosen.records} records of {size:.0f} bytes, {len(packed) / 1e6:.1f} MB of gzip")
    per_row, floor, bound, plain, hashed = [], [], [], [], []
    for _ in range(chosen.rounds):
        mine = cpu_seconds(lambda: ours(packed), chosen.records)
        tuples = cpu_seconds(lambda: json_tuples(packed, hashed=False), chosen.records)
        full = cpu_seconds(lambda: json_tuples(packed, hashed=True), chosen.records)
        alone = cpu_seconds(lambda: libraries(packed), chosen.records)
        per_row.append(mine / chosen.records * 1e6)
        floor.append(alone / chosen.records * 1e6)
        bound.append(mine / alone)
        plain.append(tuples / mine)
        hashed.append(full / mine)
    show("ours, microseconds a record", per_row)
    show("libraries alone, the same", floor)
    show("ours / libraries alone", bound)
    show("x json to the same columns", hashed)
    show("x json to tuples, no hashing", plain)


if __name__ == "__main__":
    main()

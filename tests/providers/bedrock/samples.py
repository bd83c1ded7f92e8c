"""Invocation log records in AWS's shape, written for these tests."""

import copy
import gzip
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

from tensorcost.domain.spend.facts import RoutingScope
from tensorcost.domain.spend.limits import TimeBounds
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.providers.bedrock.invocation_log import LogParse, parse_object
from tensorcost.providers.bedrock.profiles import ProfileDirectory, ProfileEntry

NOW = datetime(2026, 11, 4, tzinfo=UTC)
BOUNDS = TimeBounds.at(NOW)
KEY = b"test-tenant-hash-key-0000000000"
PROFILE = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/ab12cd34ef56"
DIRECTORY = ProfileDirectory.of(
    [
        ProfileEntry(
            arn=PROFILE,
            model_id="anthropic.claude-sonnet-4-6",
            routing_scope=RoutingScope.GEO,
            tags=(("Team", "care-from-tag"), ("owner", "ana@example.test")),
            name="support-bot-prod",
        )
    ]
)

CONVERSE: dict[str, Any] = {
    "schemaType": "ModelInvocationLog",
    "schemaVersion": "1.0",
    "timestamp": "2026-11-03T08:15:42Z",
    "accountId": "111122223333",
    "identity": {"arn": "arn:aws:sts::111122223333:assumed-role/SupportBot/ana@example.test"},
    "region": "us-east-1",
    "inferenceRegion": "us-west-2",
    "requestId": "0b7c7a52-2f0e-4a56-9f0c-6b1d1a2f0001",
    "operation": "Converse",
    "modelId": PROFILE,
    "requestMetadata": {
        "application": "support-bot",
        "environment": "prod",
        "agent_id": "triage-1",
        "conversation_id": "c-77",
    },
    "input": {
        "inputContentType": "application/json",
        "inputBodyJson": {
            "system": [{"text": "You answer briefly."}],
            "messages": [{"role": "user", "content": [{"text": "Where is my parcel?"}]}],
        },
        "inputTokenCount": 120,
        "cacheReadInputTokenCount": 40,
        "cacheWriteInputTokenCount": 5200,
    },
    "output": {
        "outputContentType": "application/json",
        "outputBodyJson": {
            "output": {"message": {"role": "assistant", "content": [{"text": "On its way."}]}},
            "stopReason": "end_turn",
            "metrics": {"latencyMs": 1840},
            "usage": {
                "inputTokens": 120,
                "outputTokens": 310,
                "cacheDetails": [
                    {"ttl": "1h", "inputTokens": 5000},
                    {"ttl": "5m", "inputTokens": 200},
                ],
            },
        },
        "outputTokenCount": 310,
    },
}

STREAMED_BODY: list[Any] = [
    {
        "type": "message_start",
        "message": {
            "usage": {
                "input_tokens": 40,
                "cache_creation": {
                    "ephemeral_5m_input_tokens": 100,
                    "ephemeral_1h_input_tokens": 900,
                },
            }
        },
    },
    {"type": "content_block_delta", "delta": {"text": "On its way."}},
    {"type": "message_delta", "usage": {"output_tokens": 88}},
    {
        "type": "message_stop",
        "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": 40,
            "outputTokenCount": 88,
            "invocationLatency": 2210,
            "firstByteLatency": 410,
        },
    },
    "[DONE]",
]


def record(**changes: Any) -> dict[str, Any]:
    """A Converse record with top-level members replaced; ``...`` removes one."""
    made = copy.deepcopy(CONVERSE)
    for name, value in changes.items():
        if value is ...:
            del made[name]
        else:
            made[name] = value
    return made


def lines(*records: Any) -> bytes:
    """NDJSON; a ``bytes`` argument is taken as a line as it is."""
    parts = [r if isinstance(r, bytes) else json.dumps(r).encode() for r in records]
    return b"".join(part + b"\n" for part in parts)


def chunked(data: bytes, size: int = 97) -> Iterator[bytes]:
    return (data[at : at + size] for at in range(0, len(data), size))


def settings(**changes: Any) -> LogParse:
    given: dict[str, Any] = {
        "file": "logs/one.json.gz",
        "hash_key": KEY,
        "bounds": BOUNDS,
        "directory": DIRECTORY,
    }
    return LogParse(**(given | changes))


def parse(*records: Any, **changes: Any) -> ParsedSpend:
    """Parse a gzipped object into one batch."""
    packed = gzip.compress(lines(*records))
    (batch,) = parse_object(chunked(packed), settings(**({"batch_rows": 10_000} | changes)))
    return batch


def merged(batches: Iterable[ParsedSpend]) -> tuple[list[str], list[tuple[int, str]], int]:
    """(native ids, (position, reason) of rejects, rows read) over batches."""
    ids: list[str] = []
    rejects: list[tuple[int, str]] = []
    read = 0
    for batch in batches:
        ids += batch.native_id
        rejects += [(r.position, r.reason) for r in batch.rejects]
        read += batch.rows_read
    return ids, rejects, read

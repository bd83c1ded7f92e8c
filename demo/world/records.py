"""Invocation log records: the JSON lines that Bedrock writes for the story's calls."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import orjson

from demo.aws.metrics import CLIENT_ERROR, OK, SERVER_ERROR, THROTTLED
from demo.world.bodies import Usage, request_body, response_body
from demo.world.spec import WorldSpec
from demo.world.story import GEO_REGIONS, Caching, Shape, Stream
from demo.world.traffic import Calls

ERROR_CODES = {
    THROTTLED: "ThrottlingException",
    CLIENT_ERROR: "ValidationException",
    SERVER_ERROR: "InternalServerException",
}
CANARIES = 12
_INLINE_TOKENS = 25_000
"""About 100 KB of text: longer bodies move to a data object."""
_PEOPLE = ("ana", "bo", "chen", "dee", "eli", "fay", "gus", "hana", "ivo", "jun")
_METADATA_KEYS = {
    "plain": (
        "application",
        "team",
        "environment",
        "user_id",
        "agent_id",
        "workflow_id",
        "conversation_id",
    ),
    "short": ("app", "team", "env", "user", "agent", "workflow", "session_id"),
}


@dataclass(frozen=True, slots=True)
class Canary:
    """A text that must never be found anywhere behind the parser."""

    request_id: str
    prompt: str
    response: str


@dataclass(slots=True)
class RecordWriter:
    """Turns calls into lines, and remembers which texts it planted."""

    spec: WorldSpec
    canaries: list[Canary] = field(default_factory=list)

    def line(self, calls: Calls, at: int, key_base: str | None) -> tuple[bytes, bytes | None]:
        """One record and, when its request body is too long for it, the data object's body.

        ``key_base`` is where data objects of this record's hour go (``s3://…/data/``).
        """
        stream = self.spec.story.streams[int(calls.stream[at])]
        number, outcome = int(calls.number[at]), int(calls.outcome[at])
        request_id = self._request_id(number)
        agent = stream.agents[int(calls.agent[at])] if stream.agents else None
        usage = self._usage(calls, at, stream, number, request_id)
        moment = datetime.fromtimestamp(int(calls.ts[at]) // 1000, UTC)
        record: dict[str, Any] = {
            "schemaType": "ModelInvocationLog",
            "schemaVersion": "1.0",
            "timestamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}",
            "accountId": stream.account,
            "identity": {"arn": _identity(stream, int(calls.user[at]))},
            "region": stream.region,
            "requestId": request_id,
            "operation": stream.operation,
            "modelId": stream.called_model,
        }
        served = int(calls.served[at])
        if served >= 0 and (region := GEO_REGIONS[stream.scope][served]) != stream.region:
            record["inferenceRegion"] = region
        if calls.has_metadata[at]:
            record["requestMetadata"] = _metadata(stream, calls, at, agent)
        if outcome != OK:
            record["errorCode"] = ERROR_CODES[outcome]
        moved = _bodies(record, stream, agent, usage, outcome, key_base)
        return orjson.dumps(record), moved

    def _request_id(self, number: int) -> str:
        seed = f"{self.spec.seed}/{number}".encode()
        digits = hashlib.blake2b(seed, digest_size=16).hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"

    def _usage(self, calls: Calls, at: int, stream: Stream, number: int, request_id: str) -> Usage:
        prompt = f"Question {number} to {stream.application}."
        answer = f"Answer {number}."
        step = max(self.spec.requests // CANARIES, 1)
        due = len(self.canaries) < number // step + 1
        if due and calls.outcome[at] == OK and stream.shape is not Shape.EMBEDDING:
            canary = Canary(
                request_id, f"TC-CANARY-PROMPT-{number}", f"TC-CANARY-RESPONSE-{number}"
            )
            self.canaries.append(canary)
            prompt, answer = f"{prompt} {canary.prompt}", f"{answer} {canary.response}"
        return Usage(
            input=int(calls.input[at]),
            cached=int(calls.cached[at]),
            write_5m=int(calls.write_5m[at]),
            write_1h=int(calls.write_1h[at]),
            output=int(calls.output[at]),
            latency=int(calls.latency[at]),
            first_token=int(calls.first_token[at]),
            row=int(calls.row[at]),
            prompt=prompt,
            answer=answer,
        )


def _bodies(
    record: dict[str, Any],
    stream: Stream,
    agent: str | None,
    usage: Usage,
    outcome: int,
    key_base: str | None,
) -> bytes | None:
    sent: dict[str, Any] = {"inputContentType": "application/json"}
    got: dict[str, Any] = {"outputContentType": "application/json"}
    moved: bytes | None = None
    if stream.shape is not Shape.EMBEDDING:
        body = request_body(stream, agent, usage)
        if usage.input + usage.cached + usage.written < _INLINE_TOKENS:
            sent["inputBodyJson"] = body
        elif key_base is not None:
            moved = orjson.dumps(body)
            sent["inputBodyS3Path"] = f"{key_base}{record['requestId']}_input.json.gz"
        if outcome == OK:
            got["outputBodyJson"] = response_body(stream, usage)
    sent["inputTokenCount"] = usage.input
    if stream.caching is not Caching.NONE:
        sent["cacheReadInputTokenCount"] = usage.cached
        sent["cacheWriteInputTokenCount"] = usage.written
    got["outputTokenCount"] = usage.output
    record["input"], record["output"] = sent, got
    return moved


def _identity(stream: Stream, user: int) -> str:
    person = _PEOPLE[user % len(_PEOPLE)]
    base = f"arn:aws:sts::{stream.account}:assumed-role/{stream.role}"
    if stream.shape in (Shape.CHAT, Shape.CODE):
        return f"{base}/{person}@northwind.example"
    return f"{base}/i-0{user:016x}"


def _metadata(stream: Stream, calls: Calls, at: int, agent: str | None) -> dict[str, str]:
    user, conversation = int(calls.user[at]), int(calls.conversation[at])
    values = (
        stream.application,
        stream.team,
        stream.environment,
        f"u-{user:03d}",
        agent,
        stream.workflow,
        f"c-{int(calls.stream[at])}-{conversation}",
    )
    keys = _METADATA_KEYS[stream.metadata_style]
    return {key: value for key, value in zip(keys, values, strict=True) if value is not None}

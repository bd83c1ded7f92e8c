"""Request and response bodies of the story's calls: short, fake, and shaped as the real ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from demo.world import samples
from demo.world.story import Caching, Shape, Stream

_SYSTEM = {
    "concierge": "You are the concierge of Northwind Robotics. Answer from the handbook.",
    "refunds": "You decide refunds for Northwind Robotics by the refund policy.",
    "returns": "You arrange returns for Northwind Robotics.",
}
_GROUP = 8
_MOST_GROUPS = 10


@dataclass(frozen=True, slots=True)
class Usage:
    """What one call used; ``prompt`` and ``answer`` are the texts of its bodies."""

    input: int
    cached: int
    write_5m: int
    write_1h: int
    output: int
    latency: int
    first_token: int
    row: int
    prompt: str
    answer: str

    @property
    def written(self) -> int:
        return self.write_5m + self.write_1h


def request_body(stream: Stream, agent: str | None, usage: Usage) -> dict[str, Any]:
    """The body as the caller sent it, in the API's own vocabulary."""
    if stream.shape is Shape.EMBEDDING:
        return {"inputText": usage.prompt, "dimensions": 512, "normalize": True}
    system, turns = _texts(stream, agent, usage)
    if stream.operation.startswith("Converse"):
        return _converse_request(stream, system, turns)
    return _anthropic_request(stream, system, turns)


def _texts(stream: Stream, agent: str | None, usage: Usage) -> tuple[str, list[str]]:
    if stream.shape is not Shape.DOCUMENTS:
        system = _SYSTEM.get(agent or "", f"You work for {stream.application}.")
        return system, [usage.prompt]
    blocks = samples.documents().blocks[usage.row]
    groups = [blocks[at : at + _GROUP] for at in range(0, len(blocks), _GROUP)]
    groups = [*groups[:_MOST_GROUPS], blocks[_GROUP * _MOST_GROUPS :]]
    turns = [f"Pages {' '.join(map(str, group))}." for group in groups if group]
    return f"Corpus of {stream.application}.", [*turns, usage.prompt]


def _converse_request(stream: Stream, system: str, turns: list[str]) -> dict[str, Any]:
    point = {"cachePoint": {"type": "default"}}
    listed: list[dict[str, Any]] = [{"text": system}]
    if stream.caching is Caching.SYSTEM:
        listed.append(point)
    messages: list[dict[str, Any]] = [
        {"role": "assistant" if at % 2 else "user", "content": [{"text": text}]}
        for at, text in enumerate(turns)
    ]
    if stream.caching is Caching.PREFIX and len(messages) > 1:
        messages[-2]["content"].append(point)
    return {"system": listed, "messages": messages, "inferenceConfig": {"maxTokens": 1024}}


def _anthropic_request(stream: Stream, system: str, turns: list[str]) -> dict[str, Any]:
    messages: list[dict[str, Any]] = [
        {"role": "assistant" if at % 2 else "user", "content": text}
        for at, text in enumerate(turns)
    ]
    body: dict[str, Any] = {
        "anthropic_version": "bedrock-2023-05-31",
        "max_tokens": 1024,
        "system": system,
        "messages": messages,
    }
    if stream.caching is Caching.SESSION:
        hour, short = {"type": "ephemeral", "ttl": "1h"}, {"type": "ephemeral"}
        body["system"] = [{"type": "text", "text": system, "cache_control": hour}]
        block = {"type": "text", "text": turns[-1], "cache_control": short}
        messages[-1]["content"] = [block]
    return body


def response_body(stream: Stream, usage: Usage) -> Any:
    """An object, or the list of events of a streamed InvokeModel."""
    match stream.operation:
        case "Converse" | "ConverseStream":
            return _converse_response(stream, usage)
        case "InvokeModelWithResponseStream":
            return _event_stream(usage)
    return {
        "type": "message",
        "role": "assistant",
        "content": [{"type": "text", "text": usage.answer}],
        "stop_reason": "end_turn",
        "usage": _anthropic_usage(usage) | {"output_tokens": usage.output},
    }


def _converse_response(stream: Stream, usage: Usage) -> dict[str, Any]:
    counted: dict[str, Any] = {
        "inputTokens": usage.input,
        "outputTokens": usage.output,
        "totalTokens": usage.input + usage.cached + usage.written + usage.output,
    }
    if stream.caching is not Caching.NONE:
        counted |= {
            "cacheReadInputTokens": usage.cached,
            "cacheWriteInputTokens": usage.written,
            "cacheDetails": [
                {"ttl": ttl, "inputTokens": tokens}
                for ttl, tokens in (("1h", usage.write_1h), ("5m", usage.write_5m))
                if tokens
            ],
        }
    message = {"role": "assistant", "content": [{"text": usage.answer}]}
    return {
        "output": {"message": message},
        "stopReason": "end_turn",
        "metrics": {"latencyMs": usage.latency},
        "usage": counted,
    }


def _anthropic_usage(usage: Usage) -> dict[str, Any]:
    return {
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.write_5m,
            "ephemeral_1h_input_tokens": usage.write_1h,
        },
    }


def _event_stream(usage: Usage) -> list[dict[str, Any]]:
    started = _anthropic_usage(usage) | {"output_tokens": 1}
    metrics = {
        "inputTokenCount": usage.input,
        "outputTokenCount": usage.output,
        "invocationLatency": usage.latency,
        "firstByteLatency": usage.first_token,
        "cacheReadInputTokenCount": usage.cached,
        "cacheWriteInputTokenCount": usage.written,
    }
    return [
        {"type": "message_start", "message": {"role": "assistant", "usage": started}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "text_delta", "text": usage.answer},
        },
        {
            "type": "message_delta",
            "delta": {"stop_reason": "end_turn"},
            "usage": {"output_tokens": usage.output},
        },
        {"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics},
    ]

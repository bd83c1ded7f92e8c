"""A canary in every place where a prompt may stand must not come out of the parser."""

from typing import Any

import pytest

from tensorcost.providers.bedrock.attribution import AttributionRules
from tests.providers.bedrock.samples import STREAMED_BODY, parse, record

CANARY = "canary-7f3a-do-not-store"

BODIES: list[Any] = [
    {"messages": [{"role": "user", "content": [{"text": CANARY}]}], "system": CANARY},
    {"prompt": CANARY},
    {"inputText": CANARY, "tools": [CANARY]},
    {"messages": CANARY},
    {"unknown": {"deep": [CANARY]}},
    CANARY,
    [CANARY],
]
ANSWERS: list[Any] = [
    {"output": {"message": {"content": [{"text": CANARY}]}}},
    {"content": CANARY, "stopReason": CANARY},
    {"service_tier": {"type": 5, "x": CANARY}},
    [*STREAMED_BODY, {"delta": CANARY}],
    CANARY,
]


@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("answer", ANSWERS)
def test_nothing_of_a_body_survives_parsing(body: Any, answer: Any) -> None:
    batch = parse(
        record(
            input={"inputTokenCount": 1, "inputBodyJson": body},
            output={"outputTokenCount": 1, "outputBodyJson": answer},
            system=CANARY,
            messages=[CANARY],
        )
    )
    assert batch.prompt_hash[0] is not None
    assert CANARY not in repr(batch)


@pytest.mark.parametrize(
    "changes",
    [
        {"timestamp": CANARY},
        {"accountId": CANARY},
        {"region": CANARY},
        {"schemaVersion": CANARY},
        {"input": {"inputTokenCount": CANARY}},
        {"input": CANARY},
    ],
)
def test_a_reject_quotes_nothing_of_its_line(changes: dict[str, Any]) -> None:
    batch = parse(record(**changes))
    assert len(batch.rejects) == 1
    assert CANARY not in repr(batch)


def test_a_line_that_is_not_json_leaves_only_its_hash() -> None:
    batch = parse(b'{"broken": "' + CANARY.encode())
    assert len(batch.rejects[0].line_hash) == 16
    assert CANARY not in repr(batch)


def test_metadata_that_no_rule_names_is_dropped() -> None:
    batch = parse(record(requestMetadata={"note": CANARY}))
    assert CANARY not in repr(batch)
    kept = parse(record(requestMetadata={"application": CANARY}))
    assert CANARY in repr(kept)
    off = AttributionRules(capture_request_metadata=False)
    silent = parse(record(requestMetadata={"application": CANARY}), attribution=off)
    assert CANARY not in repr(silent)

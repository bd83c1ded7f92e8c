from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.spend.identity import content_hash
from tensorcost.providers.bedrock.bodies import (
    FIRST_PREFIXES,
    LAST_PREFIXES,
    PREFIX_BYTES,
    keyed_hash,
    prefix_size,
)
from tests.providers.bedrock.samples import KEY, parse, record


def entries(messages: list[Any], **body: Any) -> list[bytes]:
    part = {"inputTokenCount": 1, "inputBodyJson": {"messages": messages, **body}}
    joined = parse(record(input=part)).prefix_hashes[0]
    assert joined is not None
    return [joined[at : at + PREFIX_BYTES] for at in range(0, len(joined), PREFIX_BYTES)]


def turns(count: int, start: int = 0) -> list[dict[str, str]]:
    return [{"role": "user", "content": f"turn {n}"} for n in range(start, start + count)]


def test_boundaries_stand_after_tools_system_and_each_message() -> None:
    assert len(entries(turns(3), system="s", tools=[1])) == 5
    assert len(entries(turns(3), system="s", toolConfig={"tools": []})) == 5


def test_two_requests_share_the_prefixes_of_what_they_share() -> None:
    one, two = entries(turns(3), system="same"), entries(turns(2) + turns(1, 9), system="same")
    assert one[:3] == two[:3]
    assert one[3] != two[3]


def test_a_change_in_an_earlier_section_changes_all_later_prefixes() -> None:
    one, two = entries(turns(2), system="a"), entries(turns(2), system="b")
    assert not set(one) & set(two)


def test_sampling_parameters_do_not_change_the_prompt() -> None:
    assert entries(turns(2), temperature=0.1) == entries(turns(2), temperature=0.9)


def test_a_growing_conversation_finds_its_earlier_self_among_its_prefixes() -> None:
    before, after = entries(turns(40)), entries(turns(42))
    assert len(after) == FIRST_PREFIXES + LAST_PREFIXES
    assert before[-1] in after


def test_equal_prompts_of_two_tenants_hash_differently() -> None:
    ours = parse(record())
    theirs = parse(record(), hash_key=b"another-tenants-hash-key-0000000")
    assert ours.prompt_hash != theirs.prompt_hash
    assert ours.response_hash != theirs.response_hash
    assert ours.prefix_hashes != theirs.prefix_hashes


def test_hashing_in_steps_is_the_hash_of_the_whole() -> None:
    running = keyed_hash(KEY)()
    for part in (b"one ", b"", b"two"):
        running.update(part)
    assert running.digest() == content_hash(KEY, b"one two")
    assert keyed_hash(KEY)().digest() == content_hash(KEY, b"")


def test_equal_answers_hash_equally_whatever_their_latency() -> None:
    def answer(latency: int) -> Any:
        body = {"output": {"message": "hi"}, "metrics": {"latencyMs": latency}}
        return parse(record(output={"outputTokenCount": 1, "outputBodyJson": body}))

    fast, slow = answer(10), answer(900)
    assert fast.response_hash == slow.response_hash
    assert fast.latency_ms != slow.latency_ms


def test_absurd_latencies_are_left_out() -> None:
    for latency in (-1, 1e12, None, "soon"):
        body = {"output": "x", "metrics": {"latencyMs": latency}}
        part = {"outputTokenCount": 1, "outputBodyJson": body}
        assert parse(record(output=part)).latency_ms == [None]


@given(st.integers(1, 400_000))
def test_a_prefix_entry_tells_its_size_within_an_eighth(size: int) -> None:
    text = "x" * max(0, size - 2)
    (entry,) = entries([text])
    true_size = len(text) + 2
    assert prefix_size(entry) <= true_size < prefix_size(entry) * 1.126 + 1

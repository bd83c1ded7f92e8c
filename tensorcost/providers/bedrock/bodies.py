"""Prompt and response bodies become hashes and a few counters here, and go no further.

The prompt hash runs over tools, system and messages in the order in which a prompt cache
reads them, so that one pass gives the prompt's hash and the hashes of its prefixes, and so
that sampling parameters do not change it. The response hash covers what the model said, not
the latency and usage that stand beside it. A body of another shape is hashed whole. The keys
are per tenant: equal texts of two tenants hash differently.
"""

from collections.abc import Callable
from contextlib import suppress
from hashlib import blake2b
from struct import Struct
from typing import Final

import msgspec

from tensorcost.domain.spend.identity import content_hash
from tensorcost.providers.bedrock import log_record as shape
from tensorcost.providers.bedrock.log_record import NO_RAW

HASH_BYTES: Final = 16
PREFIX_BYTES: Final = 8
FIRST_PREFIXES: Final = 8
LAST_PREFIXES: Final = 8
"""A conversation grows at its end and shares its beginning: both ends are kept."""
MAX_LATENCY_MS: Final = 86_400_000
_NULL: Final = b"null"
_MAX_PREFIXES: Final = FIRST_PREFIXES + LAST_PREFIXES
_PACK: Final = tuple(
    Struct(f"{PREFIX_BYTES - 1}sB" * entries).pack for entries in range(_MAX_PREFIXES + 1)
)
"""By number of entries: of each, the digest cut to seven bytes and its size class."""
_SIZE_CLASS: Final = bytes(range(16)) + b"".join(
    bytes([code]) * (1 << code // 8 - 1) for code in range(16, 120)
)
"""Of sizes up to 128 KiB; AWS logs no larger body."""
_TABLED_SIZES: Final = len(_SIZE_CLASS)
_OPEN_OBJECT: Final = 0x7B

NewHash = Callable[[], blake2b]
"""Gives a hash that holds the tenant's key and nothing else yet."""


def keyed_hash(secret: bytes) -> NewHash:
    """``content_hash`` in steps, for many texts of one tenant: copying beats keying anew."""
    return blake2b(digest_size=HASH_BYTES, key=secret).copy


class BodyFacts(msgspec.Struct, gc=False):
    """All that survives of a record's bodies."""

    prompt_hash: bytes | None = None
    prefix_hashes: bytes | None = None
    response_hash: bytes | None = None
    latency_ms: int | None = None
    cache_write_1h: int = 0
    service_tier: str | None = None


def read_request(body: shape.InputBody, new_hash: NewHash, facts: BodyFacts) -> bool:
    """Hash a request body of known shape; False when it has none of the known members."""
    chunks = body.messages
    if not chunks:
        whole = body.prompt if body.prompt is not NO_RAW else body.inputText
        if whole is NO_RAW:
            return False
        chunks = [whole]
    if body.system is not NO_RAW:
        chunks.insert(0, body.system)
    if body.toolConfig is not NO_RAW:
        chunks.insert(0, body.toolConfig)
    if body.tools is not NO_RAW:
        chunks.insert(0, body.tools)
    _hash_prompt(chunks, new_hash, facts)
    if body.service_tier is not NO_RAW or body.serviceTier is not NO_RAW:
        facts.service_tier = read_tier(body.service_tier) or read_tier(body.serviceTier)
    return True


def read_response(
    body: shape.OutputBody | list[msgspec.Raw], new_hash: NewHash, facts: BodyFacts
) -> bool:
    """Hash a response body; take latency, cache writes by time to live and service tier.

    False when it has none of the members that hold what the model said.
    """
    if isinstance(body, list):
        _read_events(body, facts)
        data: bytes | msgspec.Raw = b",".join([memoryview(event) for event in body])
    else:
        _read_counters(body, facts)
        data = body.output if body.output is not NO_RAW else _what_was_said(body)
        if data is NO_RAW:
            return False
    running = new_hash()
    running.update(data)
    facts.response_hash = running.digest()
    return True


def read_plain_request(raw: msgspec.Raw, secret: bytes, facts: BodyFacts) -> None:
    """The same for a request body in which no known shape was found, keyed by ``secret``."""
    with suppress(*shape.UNREADABLE):
        if read_request(shape.decode_input_body(raw), keyed_hash(secret), facts):
            return
    facts.prompt_hash = _hash_whole(raw, secret)


def read_plain_response(raw: msgspec.Raw, secret: bytes, facts: BodyFacts) -> None:
    """The same for a response body in which no known shape was found, keyed by ``secret``."""
    with suppress(*shape.UNREADABLE):
        if read_response(shape.decode_any_output(raw), keyed_hash(secret), facts):
            return
    facts.response_hash = _hash_whole(raw, secret)


def _hash_whole(raw: msgspec.Raw, secret: bytes) -> bytes | None:
    data = bytes(raw)
    return None if data in (b"", _NULL) else content_hash(secret, data)


def prefix_size(entry: bytes) -> int:
    """Approximate size in bytes (lower end, 12 %) of the prefix behind an 8-byte entry.

    The last byte of an entry is its size class, eight classes a doubling; the first seven
    are the hash. The size lets a recommender tell which prefixes are long enough to cache.
    """
    code = entry[-1]
    if code < 16:
        return code
    shift = code // 8 - 1
    return (code - shift * 8) << shift


def read_tier(raw: msgspec.Raw) -> str | None:
    """A service tier given as text or as ``{"type": …}``; None when neither."""
    if raw is NO_RAW:
        return None
    try:
        found = shape.decode_tier(raw)
    except shape.UNREADABLE:
        return None
    return found.type if isinstance(found, shape.TierObject) else found


def _hash_prompt(chunks: list[msgspec.Raw], new_hash: NewHash, facts: BodyFacts) -> None:
    running = new_hash()
    update, digest = running.update, running.digest
    size, now = 0, b""
    entries: list[bytes | int] = []
    add = entries.append
    for chunk in chunks if len(chunks) <= _MAX_PREFIXES else _without_middle(chunks):
        update(chunk)
        size += len(chunk)
        now = digest()
        add(now)
        add(_SIZE_CLASS[size] if size < _TABLED_SIZES else _size_class(size))
    facts.prompt_hash = now
    facts.prefix_hashes = _PACK[len(entries) // 2](*entries)


def _size_class(size: int) -> int:
    """``_SIZE_CLASS`` of any size; the table is only faster."""
    shift = size.bit_length() - 4
    return shift * 8 + (size >> shift) if shift > 0 else size


def _without_middle(chunks: list[msgspec.Raw]) -> list[msgspec.Raw | bytes]:
    """The same bytes, with only the first and the last boundaries between them."""
    first_of_last = len(chunks) - LAST_PREFIXES + 1
    joined = b"".join([memoryview(chunk) for chunk in chunks[FIRST_PREFIXES:first_of_last]])
    return [*chunks[:FIRST_PREFIXES], joined, *chunks[first_of_last:]]


def _read_events(events: list[msgspec.Raw], facts: BodyFacts) -> None:
    """The counters stand at the two ends of a stream; what lies between is text."""
    for event in (*events[:1], *events[1:][-3:]):
        if memoryview(event)[0] == _OPEN_OBJECT:
            with suppress(*shape.UNREADABLE):
                _read_counters(shape.decode_output_body(event), facts)


def _what_was_said(body: shape.OutputBody) -> msgspec.Raw:
    for raw in (body.content, body.generation, body.results, body.choices):
        if raw is not NO_RAW:
            return raw
    return NO_RAW


def _read_counters(body: shape.OutputBody, facts: BodyFacts) -> None:
    if body.metrics is not None:
        facts.latency_ms = _latency(body.metrics.latencyMs)
    if body.invocation is not None:
        facts.latency_ms = _latency(body.invocation.invocationLatency)
    if body.usage is not None and (body.usage.cacheDetails or body.usage.cache_creation):
        facts.cache_write_1h = max(facts.cache_write_1h, _written_1h(body.usage))
    if body.message is not NO_RAW:
        facts.cache_write_1h = max(facts.cache_write_1h, _message_1h(body.message))
    if body.service_tier is not NO_RAW or body.serviceTier is not NO_RAW:
        tier = read_tier(body.service_tier) or read_tier(body.serviceTier)
        facts.service_tier = tier or facts.service_tier


def _latency(milliseconds: float | None) -> int | None:
    if milliseconds is None or not 0 <= milliseconds <= MAX_LATENCY_MS:
        return None
    return round(milliseconds)


def _message_1h(raw: msgspec.Raw) -> int:
    try:
        message = shape.decode_message(raw)
    except shape.UNREADABLE:
        return 0
    return _written_1h(message.usage) if message else 0


def _written_1h(usage: shape.Usage | None) -> int:
    if usage is None:
        return 0
    if usage.cacheDetails:
        return sum(d.input_tokens or 0 for d in usage.cacheDetails if d.ttl == "1h")
    if usage.cache_creation:
        return usage.cache_creation.ephemeral_1h_input_tokens or 0
    return 0

"""Priced columns to the Arrow batch that storage loads: ids, exact money, one row an event."""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
import pyarrow as pa

from tensorcost.domain.cost.pricing import PricedColumns
from tensorcost.domain.spend.facts import Actor, Dimension
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.storage.spend.events import EVENT_SCHEMA

_UUID_TEXT = 36


# Hashing the same combination chunk after chunk costs more than pricing small objects.
_dimension_id: Final = lru_cache(maxsize=65_536)(Dimension.stable_id)
_actor_id: Final = lru_cache(maxsize=65_536)(Actor.stable_id)


def with_batch_id(events: pa.RecordBatch, batch_id: int) -> pa.RecordBatch:
    """The batch as the table wants it."""
    index = EVENT_SCHEMA.get_field_index("batch_id")
    column = pa.array(np.full(events.num_rows, batch_id, dtype=np.int64))
    return events.set_column(index, EVENT_SCHEMA.field(index), column)


def to_events(parsed: ParsedSpend, priced: PricedColumns) -> pa.RecordBatch:
    """Build the Arrow columns, all but the batch id, which the load itself assigns.

    Lengths of ``parsed`` and ``priced`` must agree.
    """
    dims = np.array([_dimension_id(d) for d in parsed.dimensions], dtype=np.int64)
    actors = np.array([_actor_id(a) for a in parsed.actors], dtype=np.int64)
    rows = len(parsed)
    unpriced = ~priced.priced
    request_ids, request_refs = _split_request_ids(parsed.request_id)
    columns = [
        pa.array(np.array(parsed.ts_us, dtype=np.int64)).cast(EVENT_SCHEMA.field("ts").type),
        pa.array(event_ids(parsed), pa.binary(16)),
        pa.array(dims[np.array(parsed.dim, dtype=np.int64)]),
        pa.array(actors[np.array(parsed.actor, dtype=np.int64)]),
        pa.array(np.zeros(rows, dtype=np.int64)),
        pa.array(np.full(rows, int(parsed.grain), dtype=np.int16)),
        pa.array(parsed.requests, pa.int64()),
        pa.array(parsed.input_tokens, pa.int64()),
        pa.array(parsed.cached_tokens, pa.int64()),
        pa.array(parsed.cache_write_5m_tokens, pa.int64()),
        pa.array(parsed.cache_write_1h_tokens, pa.int64()),
        pa.array(parsed.output_tokens, pa.int64()),
        pa.array(parsed.quantity_micro, pa.int64()),
        pa.array(parsed.unit, pa.string()),
        pa.array(priced.cost_nano, mask=unpriced),
        pa.array(
            priced.price_version.astype(np.int32), mask=unpriced | (priced.price_version == 0)
        ),
        pa.array(parsed.recorded_cost_nano, pa.int64()),
        pa.array(parsed.recorded_currency, pa.string()),
        pa.array(parsed.latency_ms, pa.int32()),
        pa.array(parsed.error_code, pa.string()),
        pa.array(request_ids, pa.binary(16)),
        pa.array(request_refs, pa.string()),
        pa.array(parsed.conversation_id, pa.string()),
        pa.array(parsed.session_id, pa.string()),
        pa.array(parsed.prompt_hash, pa.binary(16)),
        pa.array(parsed.response_hash, pa.binary(16)),
        pa.array(parsed.prefix_hashes, pa.binary()),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=EVENT_SCHEMA)


def event_ids(parsed: ParsedSpend) -> list[bytes]:
    """``domain.spend.identity.event_key`` of every row, hashing each dimension's part once."""
    heads = []
    for dimension in parsed.dimensions:
        head = blake2b(digest_size=16)
        for part in (dimension.source.value, dimension.account_id, dimension.region):
            head.update(part.encode())
            head.update(b"\x1f")
        heads.append(head)
    ids: list[bytes] = []
    for dim, native_id in zip(parsed.dim, parsed.native_id, strict=True):
        digest = heads[dim].copy()
        digest.update(native_id.encode())
        ids.append(digest.digest())
    return ids


def _split_request_ids(
    request_ids: list[str | None],
) -> tuple[list[bytes | None], list[str | None]]:
    """Request ids as 16 bytes where they are UUIDs, as text where they are not."""
    uuids: list[bytes | None] = []
    texts: list[str | None] = []
    for request_id in request_ids:
        raw = _uuid_bytes(request_id) if request_id is not None else None
        uuids.append(raw)
        texts.append(None if raw is not None else request_id)
    return uuids, texts


def _uuid_bytes(text: str) -> bytes | None:
    """The bytes of a lower-case UUID in its canonical form, else None: the text must come back."""
    if len(text) != _UUID_TEXT or text != text.lower():
        return None
    if not text[8] == text[13] == text[18] == text[23] == "-":
        return None
    try:
        raw = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return raw if len(raw) == 16 else None

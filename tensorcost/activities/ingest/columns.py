"""Priced columns to the Arrow batch that storage loads: ids, exact money, one row an event."""

from functools import lru_cache
from hashlib import blake2b
from typing import Final

import numpy as np
import pyarrow as pa

from tensorcost.domain.cost.pricing import PricedColumns
from tensorcost.domain.cost.rates import Int64
from tensorcost.domain.spend.facts import Actor, Dimension
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.storage.spend.events import EVENT_SCHEMA

_UUID_TEXT: Final = 36
_HYPHENS: Final = [8, 13, 18, 23]
_ID_BYTES: Final = 16


# Hashing the same combination chunk after chunk costs more than pricing small objects.
_dimension_id: Final = lru_cache(maxsize=65_536)(Dimension.stable_id)
_actor_id: Final = lru_cache(maxsize=65_536)(Actor.stable_id)


def with_batch_id(events: pa.RecordBatch, batch_id: int) -> pa.RecordBatch:
    """The batch as the table wants it."""
    index = EVENT_SCHEMA.get_field_index("batch_id")
    column = pa.array(np.full(events.num_rows, batch_id, dtype=np.int64))
    return events.set_column(index, EVENT_SCHEMA.field(index), column)


def time_order(events: pa.RecordBatch) -> Int64 | None:
    """The rows' numbers in order of time; None where they are in it."""
    ts_us = events.column("ts").cast(pa.int64()).to_numpy()
    if (ts_us[1:] >= ts_us[:-1]).all():
        return None
    return np.argsort(ts_us, kind="stable")


def reordered(events: pa.RecordBatch, order: Int64) -> pa.RecordBatch:
    """The rows in this order: neighbours in the primary key are then stored together."""
    taken = pa.array(order)
    # Taking from a column of nothing but NULL costs as much as from any other.
    columns = [c if c.null_count == len(c) else c.take(taken) for c in events.columns]
    return pa.RecordBatch.from_arrays(columns, schema=EVENT_SCHEMA)


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
        pa.array(priced.ts_us).cast(EVENT_SCHEMA.field("ts").type),
        _ids(b"".join(event_ids(parsed)), rows),
        pa.array(dims[priced.dim]),
        pa.array(actors[np.array(parsed.actor, dtype=np.int64)]),
        pa.array(np.zeros(rows, dtype=np.int64)),
        pa.array(np.full(rows, int(parsed.grain), dtype=np.int16)),
        pa.array(parsed.requests, pa.int64()),
        *map(pa.array, priced.tokens),
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
        request_ids,
        request_refs,
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
        head = blake2b(digest_size=_ID_BYTES)
        for part in (dimension.source.value, dimension.account_id, dimension.region):
            head.update(part.encode())
            head.update(b"\x1f")
        heads.append(head.copy)
    ids: list[bytes] = []
    for dim, native_id in zip(parsed.dim, parsed.native_id, strict=True):
        digest = heads[dim]()
        digest.update(native_id.encode())
        ids.append(digest.digest())
    return ids


def _split_request_ids(request_ids: list[str | None]) -> tuple[pa.Array, pa.Array]:
    """Request ids as 16 bytes where they are UUIDs, as text where they are not."""
    rows = len(request_ids)
    together = _all_uuids(request_ids)
    if together is not None:
        return _ids(together, rows), pa.nulls(rows, pa.string())
    uuids = [None if text is None else _uuid_bytes(text) for text in request_ids]
    texts = [None if raw else text for raw, text in zip(uuids, request_ids, strict=True)]
    return pa.array(uuids, pa.binary(16)), pa.array(texts, pa.string())


def _all_uuids(texts: list[str | None]) -> bytes | None:
    """What ``_uuid_bytes`` gives for each text, joined; None unless all of them are UUIDs."""
    present = [text for text in texts if text is not None]
    if len(present) < len(texts) or set(map(len, present)) != {_UUID_TEXT}:
        return None
    joined = "".join(present)
    if not joined.isascii() or joined != joined.lower():
        return None
    characters = np.frombuffer(joined.encode(), dtype=np.uint8).reshape(-1, _UUID_TEXT)
    if not (characters[:, _HYPHENS] == ord("-")).all():
        return None
    try:
        raw = bytes.fromhex(joined.replace("-", ""))
    except ValueError:
        return None
    return raw if len(raw) == _ID_BYTES * len(texts) else None


def _ids(joined: bytes, rows: int) -> pa.Array:
    """An Arrow column of ids that follow one another in ``joined``."""
    buffers = [None, pa.py_buffer(joined)]
    return pa.FixedSizeBinaryArray.from_buffers(pa.binary(_ID_BYTES), rows, buffers)


def _uuid_bytes(text: str) -> bytes | None:
    """The bytes of a lower-case UUID in its canonical form, else None: the text must come back."""
    if len(text) != _UUID_TEXT or text != text.lower():
        return None
    if any(text[place] != "-" for place in _HYPHENS):
        return None
    try:
        raw = bytes.fromhex(text.replace("-", ""))
    except ValueError:
        return None
    return raw if len(raw) == _ID_BYTES else None

"""Deterministic ids of spend events (decisions 10), so that a repeat is recognised as one."""

from hashlib import blake2b

_SEPARATOR = b"\x1f"


def event_key(source: str, account_id: str, region: str, native_id: str) -> bytes:
    """16-byte BLAKE2b of (source, account, region, native id); the event_id as bytes."""
    parts = (source.encode(), account_id.encode(), region.encode(), native_id.encode())
    return blake2b(_SEPARATOR.join(parts), digest_size=16).digest()


def file_row_native_id(file_hash: str, line_number: int) -> str:
    """Native id of a file row that carries none: the file's content hash and its line (1-based)."""
    return f"file:{file_hash}:{line_number}"


def metric_native_id(model_id: str, window_start_epoch: int, period_seconds: int) -> str:
    """Native id of a metric row (decisions 11): re-reads of the same window meet the same row."""
    return f"metric:{model_id}:{window_start_epoch}:{period_seconds}"


def content_hash(secret: bytes, payload: bytes) -> bytes:
    """16-byte keyed BLAKE2b of a prompt or response body: equality within one tenant only.

    ``secret`` is the tenant's hashing key (16-64 bytes); equal texts of two tenants differ.
    """
    return blake2b(payload, digest_size=16, key=secret).digest()

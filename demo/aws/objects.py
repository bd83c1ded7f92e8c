"""Objects served from folders on disk, with what tests put on top kept in memory."""

from __future__ import annotations

import hashlib
import os
from bisect import bisect_left, bisect_right
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class StoredObject:
    key: str
    size: int
    modified: datetime
    path: Path | None
    body: bytes | None


class ObjectStore:
    """Buckets as ``<folder>/<bucket>/<key>``; a world's folder is never written to."""

    def __init__(self) -> None:
        self._folders: list[Path] = []
        self._overlay: dict[str, dict[str, StoredObject]] = {}
        self._index: dict[str, dict[str, StoredObject]] = {}
        self._sorted: dict[str, list[str]] = {}
        self._etags: dict[tuple[str, str], str] = {}
        self._revision: dict[tuple[str, str], int] = {}

    def add_folder(self, folder: Path) -> None:
        self._folders.append(folder)
        self._forget()

    def clear(self) -> None:
        self._folders.clear()
        self._overlay.clear()
        self._forget()

    def reindex(self) -> None:
        """Look at the disk again after somebody changed it."""
        self._forget()

    def put(self, bucket: str, key: str, body: bytes) -> str:
        """Store an object over the folders; returns its ETag."""
        item = StoredObject(key, len(body), datetime.now(UTC), None, body)
        self._overlay.setdefault(bucket, {})[key] = item
        self._index.pop(bucket, None)
        self._sorted.pop(bucket, None)
        self._etags.pop((bucket, key), None)
        return self.etag(bucket, item)

    def replace(self, bucket: str, key: str) -> None:
        """Pretend that somebody rewrote the object: same bytes, new ETag and time."""
        self._revision[bucket, key] = self._revision.get((bucket, key), 0) + 1

    def undo_replacements(self) -> None:
        self._revision.clear()

    def find(self, bucket: str, key: str) -> StoredObject | None:
        return self._objects(bucket).get(key)

    def read(self, item: StoredObject) -> bytes:
        if item.body is not None:
            return item.body
        return item.path.read_bytes() if item.path else b""

    def etag(self, bucket: str, item: StoredObject) -> str:
        """The quoted MD5 of the content, as for objects uploaded in one part."""
        known = self._etags.get((bucket, item.key))
        if known is None:
            known = hashlib.md5(self.read(item), usedforsecurity=False).hexdigest()
            self._etags[bucket, item.key] = known
        if revision := self._revision.get((bucket, item.key)):
            salted = f"{known}/{revision}".encode()
            known = hashlib.md5(salted, usedforsecurity=False).hexdigest()
        return f'"{known}"'

    def keys(self, bucket: str, prefix: str, after: str) -> list[str]:
        """Keys that start with ``prefix`` and sort after ``after``, in order."""
        ordered = self._sorted.get(bucket)
        if ordered is None:
            ordered = sorted(self._objects(bucket), key=str.encode)
            self._sorted[bucket] = ordered
        low = bisect_left(ordered, prefix)
        if after:
            low = max(low, bisect_right(ordered, after))
        high = bisect_left(ordered, prefix + "\U0010ffff")
        return ordered[low:high]

    def _objects(self, bucket: str) -> dict[str, StoredObject]:
        found = self._index.get(bucket)
        if found is None:
            found = {}
            for folder in self._folders:
                found |= _walk(folder / bucket)
            found |= self._overlay.get(bucket, {})
            self._index[bucket] = found
        return found

    def _forget(self) -> None:
        self._index.clear()
        self._sorted.clear()
        self._etags.clear()
        self._revision.clear()


def _walk(root: Path) -> dict[str, StoredObject]:
    found: dict[str, StoredObject] = {}
    pending = [root] if root.is_dir() else []
    while pending:
        with os.scandir(pending.pop()) as entries:
            for entry in entries:
                if entry.is_dir():
                    pending.append(Path(entry.path))
                    continue
                status = entry.stat()
                path = Path(entry.path)
                key = path.relative_to(root).as_posix()
                modified = datetime.fromtimestamp(int(status.st_mtime), UTC)
                found[key] = StoredObject(key, status.st_size, modified, path, None)
    return found

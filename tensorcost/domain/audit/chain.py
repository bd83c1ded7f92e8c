"""A tenant's audit entries as a chain of hashes: what is changed, missing or put in, shows.

Each seal's hash covers the hash before it and the canonical JSON of its entry. Cutting off the
chain's tail leaves a shorter valid chain: keep the head (number and hash) elsewhere, as the
sealer's log does, and verify against it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from tensorcost.domain.ids import TenantId

GENESIS: Final = bytes(32)


@dataclass(frozen=True, slots=True)
class Entry:
    """One audited fact, as stored."""

    tenant_id: TenantId
    entry_id: UUID
    at: datetime
    actor: str
    action: str
    resource_type: str
    resource_id: str
    detail: dict[str, Any]
    trace_id: str | None


@dataclass(frozen=True, slots=True)
class Seal:
    """An entry's place in the chain; numbers run from 1 without gaps."""

    chain_no: int
    entry_id: UUID
    previous_hash: bytes
    hash: bytes


@dataclass(frozen=True, slots=True)
class ChainHead:
    """The newest seal, as remembered outside of the database."""

    chain_no: int
    hash: bytes


class Tampering(StrEnum):
    CHANGED = "changed"
    REMOVED = "removed"
    INSERTED = "inserted"
    CUT_OFF = "cut_off"


@dataclass(frozen=True, slots=True)
class Finding:
    """Where the chain does not hold, and how."""

    chain_no: int
    entry_id: UUID | None
    kind: Tampering


def canonical(entry: Entry) -> bytes:
    """The entry as JSON with sorted keys, no blanks, UTC microseconds."""
    return json.dumps(
        {
            "tenant_id": str(entry.tenant_id),
            "entry_id": str(entry.entry_id),
            "at": entry.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "actor": entry.actor,
            "action": entry.action,
            "resource_type": entry.resource_type,
            "resource_id": entry.resource_id,
            "detail": entry.detail,
            "trace_id": entry.trace_id,
        },
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    ).encode()


def hash_of(previous: bytes, chain_no: int, entry: Entry) -> bytes:
    """SHA-256 over the previous hash, the number and the entry."""
    return sha256(previous + chain_no.to_bytes(8, "big") + canonical(entry)).digest()


def seal(last: Seal | None, entries: Iterable[Entry]) -> Sequence[Seal]:
    """The seals of ``entries`` in their order, continuing after ``last``."""
    number, previous = (last.chain_no, last.hash) if last else (0, GENESIS)
    seals = []
    for entry in entries:
        number += 1
        made = Seal(number, entry.entry_id, previous, hash_of(previous, number, entry))
        seals.append(made)
        previous = made.hash
    return seals


@dataclass(slots=True)
class ChainCheck:
    """Walks a chain page by page. ``findings`` holds what did not fit, ``head`` where it is."""

    tenant_id: TenantId
    findings: list[Finding]
    head: ChainHead

    @classmethod
    def start(cls, tenant_id: TenantId) -> "ChainCheck":
        return cls(tenant_id, [], ChainHead(0, GENESIS))

    def walk(self, page: Iterable[tuple[Seal, Entry | None]]) -> None:
        """Check the next seals. After a break the walk goes on from the stored hash, so that one
        break is one finding."""
        for sealed, entry in page:
            if sealed.chain_no != self.head.chain_no + 1:
                self._note(self.head.chain_no + 1, None, Tampering.REMOVED)
            elif sealed.previous_hash != self.head.hash:
                self._note(sealed.chain_no, sealed.entry_id, Tampering.INSERTED)
            if entry is None:
                self._note(sealed.chain_no, sealed.entry_id, Tampering.REMOVED)
            elif hash_of(sealed.previous_hash, sealed.chain_no, entry) != sealed.hash:
                self._note(sealed.chain_no, sealed.entry_id, Tampering.CHANGED)
            self.head = ChainHead(sealed.chain_no, sealed.hash)

    def finish(self, remembered: ChainHead | None, passed: bytes | None) -> None:
        """Compare with a remembered head: ``passed`` is the stored hash at its number, if any."""
        if remembered is None or remembered.chain_no == 0:
            return
        if passed is None:
            self._note(remembered.chain_no, None, Tampering.CUT_OFF)
        elif passed != remembered.hash:
            self._note(remembered.chain_no, None, Tampering.CHANGED)

    def _note(self, chain_no: int, entry_id: UUID | None, kind: Tampering) -> None:
        self.findings.append(Finding(chain_no, entry_id, kind))

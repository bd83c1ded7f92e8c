"""One hash of a day's result, so that a day that says the same again keeps its rows."""

import json
from collections.abc import Sequence
from hashlib import blake2b
from typing import Final

from tensorcost.domain.cost.reconciliation.facts import CellSum, DayResult, Gap

_FORM: Final = b"reconciled-day-1"
"""Names the canonical form: another form may not give the hash of this one."""
_DIGEST_SIZE: Final = 16
RULES: Final = "rules-3"
"""Names what the rules make of a bill and usage, the sums of its lines by day included. Whoever
changes that, or sums stored bills anew, gives it another name: then months that are not final are
due, and every day of them is reconciled anew."""


def content_hash(result: DayResult) -> bytes:
    """128-bit BLAKE2b of everything in the result. Equal results have equal hashes."""
    digest = blake2b(digest_size=_DIGEST_SIZE, person=_FORM)
    parts: list[Sequence[object]] = [
        result.allocations,
        [_of_cell(cell) for cell in result.cells],
        [_of_gap(gap) for gap in result.gaps],
    ]
    if result.unpriced:  # Days without any keep the hash that they had before these were told.
        parts.append(result.unpriced)
    for part in parts:
        text = json.dumps(part, separators=(",", ":"))
        digest.update(text.encode())
    return digest.digest()


def _of_cell(cell: CellSum) -> tuple[object, ...]:
    return (
        cell.cell,
        cell.currency,
        None if cell.grain is None else int(cell.grain),
        cell.requests,
        cell.logged_tokens,
        cell.billed_tokens,
        cell.lines,
        cell.estimate_nano,
        cell.billed,
        cell.attributed,
    )


def _of_gap(gap: Gap) -> tuple[object, ...]:
    return (gap.cell, gap.currency, gap.gap_class, gap.money, sorted(gap.evidence.items()))

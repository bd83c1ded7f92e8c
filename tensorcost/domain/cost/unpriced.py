"""What could not be priced, counted by reason and model."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from tensorcost.domain.cost.price import UnpricedReason, price_provider
from tensorcost.domain.cost.rates import REASONS, Int64
from tensorcost.domain.spend.parsed import ParsedSpend


@dataclass(frozen=True, slots=True)
class UnpricedGroup:
    """Rows that have no price for the same reason and model."""

    reason: UnpricedReason
    provider: str
    """The price list that was asked, see ``price.price_provider``."""
    model_id: str
    rows: int
    requests: int
    tokens: int


def group_unpriced(
    parsed: ParsedSpend, tokens: Sequence[Int64], code: NDArray[np.int8]
) -> tuple[UnpricedGroup, ...]:
    """Groups of the rows whose reason code is not 0."""
    rows = np.flatnonzero(code)
    if not len(rows):
        return ()
    dim = np.array(parsed.dim, dtype=np.int64)[rows]
    requests = np.array(parsed.requests, dtype=np.int64)[rows]
    used = np.zeros(len(rows), dtype=np.int64)
    for column in tokens:
        used += column[rows]
    kinds, group = np.unique(np.stack([code[rows], dim]), axis=1, return_inverse=True)
    found: list[UnpricedGroup] = []
    for index in range(kinds.shape[1]):
        dimension = parsed.dimensions[int(kinds[1, index])]
        mine = group == index
        found.append(
            UnpricedGroup(
                reason=REASONS[int(kinds[0, index]) - 1],
                provider=price_provider(dimension),
                model_id=dimension.model_id,
                rows=int(mine.sum()),
                requests=int(requests[mine].sum()),
                tokens=int(used[mine].sum()),
            )
        )
    return merge_unpriced(found)


def merge_unpriced(groups: Iterable[UnpricedGroup]) -> tuple[UnpricedGroup, ...]:
    """One group per (reason, provider, model), the most tokens first; also over batches."""
    merged: dict[tuple[UnpricedReason, str, str], UnpricedGroup] = {}
    for group in groups:
        key = (group.reason, group.provider, group.model_id)
        known = merged.get(key)
        if known is None:
            merged[key] = group
            continue
        merged[key] = replace(
            known,
            rows=known.rows + group.rows,
            requests=known.requests + group.requests,
            tokens=known.tokens + group.tokens,
        )
    return tuple(sorted(merged.values(), key=_order))


def _order(group: UnpricedGroup) -> tuple[int, str, str, str]:
    return (-group.tokens, group.reason, group.provider, group.model_id)

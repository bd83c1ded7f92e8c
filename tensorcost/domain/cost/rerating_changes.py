"""What a change of prices does to the sums: exact, by month and model, of what counts alone.

One call may stand in a request row and in a metric row. Both are re-rated; in amounts and requests
it is one call, in the row of the finer grain (decisions 1).
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import astuple, dataclass, field
from datetime import date
from enum import StrEnum
from hashlib import blake2b

import numpy as np

from tensorcost.domain.cost.rates import Int64
from tensorcost.domain.cost.rerating import Bools, Repriced


class ChangeKind(StrEnum):
    NEWLY_PRICED = "newly_priced"
    CHANGED = "changed"


class Standing(StrEnum):
    """How a row stands in the answers about cost."""

    COUNTED = "counted"
    BILLED = "billed"
    """A reconciled bill answers for its day: its cost is an estimate and in no total."""
    BESIDE = "beside"
    """A row of finer grain tells of the same calls."""


@dataclass(frozen=True, slots=True)
class HeldRows:
    """Rows of one month held against other prices; columns of equal length."""

    dim: Int64
    """Index into the names that they are added with."""
    requests: Int64
    repriced: Repriced
    beside: Bools
    billed: Bools
    """As ``Standing`` says; a row is one of both at most."""


@dataclass(frozen=True, slots=True, order=True)
class ChangeKey:
    period: date
    provider: str
    model_id: str
    kind: ChangeKind


@dataclass(frozen=True, slots=True)
class ChangeSum:
    """Rows that change, and what those that count cost before and after; without a price 0."""

    rows: int = 0
    """Every row that is written anew, those that stand beside too."""
    requests: int = 0
    before_nano: int = 0
    after_nano: int = 0
    unpriced_rows: int = 0
    """Rows that lose their price."""
    beside_rows: int = 0
    """Rows that are in no amount and not in ``requests``: a finer row tells of their calls."""
    drift_nano: int = 0
    """The part of the difference on days that a bill answers for: no total changes by it."""

    def __add__(self, other: "ChangeSum") -> "ChangeSum":
        pairs = zip(astuple(self), astuple(other), strict=True)
        return ChangeSum(*(mine + more for mine, more in pairs))

    @property
    def delta_nano(self) -> int:
        """What the estimates that count change by, as the ledger shows them."""
        return self.after_nano - self.before_nano

    @property
    def totals_nano(self) -> int:
        """What the totals of cost change by."""
        return self.delta_nano - self.drift_nano


@dataclass(slots=True)
class Changes:
    """Exact sums of a preview; memory goes by months and models, not by rows."""

    sums: dict[ChangeKey, ChangeSum] = field(default_factory=dict)

    def add(self, period: date, names: Sequence[tuple[str, str]], rows: HeldRows) -> None:
        """Rows of one month; ``names`` are (provider, model)."""
        for kind, changed in (
            (ChangeKind.NEWLY_PRICED, rows.repriced.newly_priced),
            (ChangeKind.CHANGED, rows.repriced.changed),
        ):
            for index in np.unique(rows.dim[changed]).tolist():
                provider, model_id = names[index]
                key = ChangeKey(period, provider, model_id, kind)
                found = _sum(rows, changed & (rows.dim == index))
                self.sums[key] = self.sums.get(key, ChangeSum()) + found

    def total(self, open_months: Iterable[date], *, approved: bool) -> ChangeSum:
        """What is to be written without approval, or (``approved``) only with it."""
        months = set(open_months)
        total = ChangeSum()
        for key, found in self.sums.items():
            if needs_approval(key, months) is approved:
                total += found
        return total

    def digest(self, open_months: Iterable[date]) -> str:
        """What an approval stands for: equal exactly where all that needs it is equal."""
        months = set(open_months)
        waiting = sorted(
            (item for item in self.sums.items() if needs_approval(item[0], months)),
            key=lambda item: item[0],
        )
        return blake2b(repr(waiting).encode(), digest_size=16).hexdigest()


def needs_approval(key: ChangeKey, open_months: Collection[date]) -> bool:
    """Only rows that have a price, of a month that is over (decisions 4)."""
    return key.kind is ChangeKind.CHANGED and key.period not in open_months


def _sum(rows: HeldRows, mine: Bools) -> ChangeSum:
    counted = mine & ~rows.beside
    before, after = _costs(rows.repriced, counted)
    billed_before, billed_after = _costs(rows.repriced, counted & rows.billed)
    return ChangeSum(
        rows=int(mine.sum()),
        requests=int(rows.requests[counted].sum()),
        before_nano=before,
        after_nano=after,
        unpriced_rows=int((mine & ~rows.repriced.new_priced).sum()),
        beside_rows=int((mine & rows.beside).sum()),
        drift_nano=billed_after - billed_before,
    )


def _costs(repriced: Repriced, rows: Bools) -> tuple[int, int]:
    """What the rows cost before and after, each where it is priced."""
    return (
        int(repriced.old_nano[rows & repriced.old_priced].sum()),
        int(repriced.new_nano[rows & repriced.new_priced].sum()),
    )

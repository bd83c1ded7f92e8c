"""The deltas between two versions of a month, summed and cut to the largest."""

from collections.abc import Sequence
from datetime import date

from tensorcost.domain.cost.reconciliation.closing import Cause
from tensorcost.domain.cost.reconciliation.facts import Money
from tensorcost.services.reconciliation.answers import DeltaTotal, Difference
from tensorcost.storage.reconciliation.versions import Delta, Version


def difference_of(
    period: date,
    former: int,
    latter: int,
    deltas: Sequence[Delta],
    *,
    versions: Sequence[Version],
    most: int,
) -> Difference:
    """All deltas summed by currency; of the single ones the ``most`` that changed the bill most.
    ``versions`` are the month's."""
    low, high = sorted((former, latter))
    causes = {cause for one in versions if low < one.version <= high for cause in one.causes}
    totals: dict[str, DeltaTotal] = {}
    for delta in deltas:
        before = totals.get(delta.currency, DeltaTotal(delta.currency, 0, Money(), Money()))
        totals[delta.currency] = DeltaTotal(
            delta.currency,
            before.estimate_nano + delta.estimate_nano,
            before.billed.plus(delta.billed),
            before.attributed.plus(delta.attributed),
        )
    largest = sorted(deltas, key=_size, reverse=True)
    return Difference(
        period=period,
        former=former,
        latter=latter,
        causes=tuple(cause for cause in Cause if cause in causes),
        totals=tuple(totals[currency] for currency in sorted(totals)),
        deltas=tuple(largest[:most]),
        rest_count=max(0, len(largest) - most),
    )


def _size(delta: Delta) -> tuple[int, int, int]:
    return (
        abs(delta.billed.unblended),
        abs(delta.attributed.unblended),
        abs(delta.estimate_nano),
    )

"""Bill lines as columns: what many lines have in common stands once, their numbers in arrays."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from tensorcost.domain.spend.bill import BillLine
from tensorcost.domain.spend.limits import to_us

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
Int64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class BillColumns:
    """Lines of a delivery; every array has one entry a line.

    Times are microseconds since the Unix epoch, amounts integer nano-units of the pattern's
    currency, quantities millionths of its unit.
    """

    patterns: Sequence[BillLine]
    """One line of each kind. Its number, times and amounts say nothing."""
    pattern: Int64
    """Index into ``patterns``."""
    line_no: Int64
    start_us: Int64
    end_us: Int64
    quantity_micro: Int64
    unblended_nano: Int64
    amortized_nano: Int64
    net_nano: Int64
    """0 where the line has none."""
    has_net: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.line_no)

    @classmethod
    def of_lines(cls, lines: Sequence[BillLine]) -> "BillColumns":
        """The same lines. Raises OverflowError for an amount of more than 64 bits."""
        known: dict[BillLine, int] = {}
        pattern = [known.setdefault(_pattern(line), len(known)) for line in lines]

        def column(values: list[int]) -> Int64:
            return np.array(values, dtype=np.int64)

        return cls(
            patterns=list(known),
            pattern=column(pattern),
            line_no=column([line.line_no for line in lines]),
            start_us=column([to_us(line.usage_start) for line in lines]),
            end_us=column([to_us(line.usage_end) for line in lines]),
            quantity_micro=column([line.quantity_micro for line in lines]),
            unblended_nano=column([line.unblended_nano for line in lines]),
            amortized_nano=column([line.amortized_nano for line in lines]),
            net_nano=column([line.net_nano or 0 for line in lines]),
            has_net=np.array([line.net_nano is not None for line in lines], dtype=np.bool_),
        )

    def lines(self) -> Iterator[BillLine]:
        """One by one, in their order."""
        for index, pattern in enumerate(self.pattern.tolist()):
            yield replace(
                self.patterns[pattern],
                line_no=int(self.line_no[index]),
                usage_start=_EPOCH + int(self.start_us[index]) * _MICROSECOND,
                usage_end=_EPOCH + int(self.end_us[index]) * _MICROSECOND,
                quantity_micro=int(self.quantity_micro[index]),
                unblended_nano=int(self.unblended_nano[index]),
                amortized_nano=int(self.amortized_nano[index]),
                net_nano=int(self.net_nano[index]) if self.has_net[index] else None,
            )

    def months(self) -> set[date]:
        """First days of the months that bill the lines; of those that name none, in which their
        usage begins."""
        return {month.item() for month in np.unique(self._months())}

    def of_month(self, month: date) -> "BillColumns":
        """The lines of the month that begins with ``month``, as ``months`` tells it."""
        return self.only(self._months() == np.datetime64(month, "M"))

    def only(self, chosen: NDArray[np.bool_]) -> "BillColumns":
        """The lines where ``chosen`` is true."""
        if chosen.all():
            return self
        used, pattern = np.unique(self.pattern[chosen], return_inverse=True)
        return BillColumns(
            patterns=[self.patterns[index] for index in used.tolist()],
            pattern=pattern.astype(np.int64),
            line_no=self.line_no[chosen],
            start_us=self.start_us[chosen],
            end_us=self.end_us[chosen],
            quantity_micro=self.quantity_micro[chosen],
            unblended_nano=self.unblended_nano[chosen],
            amortized_nano=self.amortized_nano[chosen],
            net_nano=self.net_nano[chosen],
            has_net=self.has_net[chosen],
        )

    def _months(self) -> NDArray[np.datetime64]:
        began = self.start_us.astype("datetime64[us]").astype("datetime64[M]")
        stated = np.array([one.billing_period for one in self.patterns], dtype="datetime64[M]")
        named = stated[self.pattern]
        return np.where(np.isnat(named), began, named)


def _pattern(line: BillLine) -> BillLine:
    return replace(
        line,
        line_no=0,
        usage_start=_EPOCH,
        usage_end=_EPOCH,
        quantity_micro=0,
        unblended_nano=0,
        amortized_nano=0,
        net_nano=None,
    )

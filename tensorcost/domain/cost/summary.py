"""Sums of spend facts, and the rule of what counts (decisions 1).

Storage judges every row: it counts, or it stands beside with a reason. Here the judged rows
are only added up. What stands beside is never part of a sum of what counts.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from operator import attrgetter
from typing import Final

from tensorcost.domain.cost.rollup import MEASURE_NAMES, RollupMeasures
from tensorcost.domain.spend.facts import Grain

CURRENCY: Final = "USD"
NOTHING: Final = RollupMeasures()
_VALUES: Final = attrgetter(*MEASURE_NAMES)
Key = tuple[str, ...]


class Verdict(StrEnum):
    """Whether a row counts, or why it does not."""

    COUNTED = "counted"
    FINER_GRAIN = "finer_grain"
    """A finer row explains the same account, day, region and model."""
    PARTIAL_DAY = "partial_day"
    """A bill line's day is not wholly inside the window, or the answer is by the hour."""
    NOT_BILLED = "not_billed"
    """An estimate of usage that no bill of its day covers, where the invoices are asked for."""
    OUT_OF_SCOPE = "out_of_scope"
    COMMITMENT = "commitment"
    TAX = "tax"
    CREDIT = "credit"
    REFUND = "refund"
    DISCOUNT = "discount"
    OTHER_CURRENCY = "other_currency"


@dataclass(frozen=True, slots=True)
class Fact:
    """Sums of rows that share key, bucket, grain, verdict and currency.

    A bill fact has money and no volumes: the same tokens are in the finer rows or unknown.
    """

    key: Key
    bucket: datetime | None
    """UTC start of the hour or day in a series, else None."""
    grain: Grain
    verdict: Verdict
    currency: str
    measures: RollupMeasures
    is_billed: bool = False
    """Money that a reconciled bill puts here. The volumes behind it are in facts without it."""


@dataclass(frozen=True, slots=True)
class Sums:
    """What counts, by grain."""

    by_grain: Mapping[Grain, RollupMeasures] = field(default_factory=dict)
    billed_nano: int = 0
    """The part of the cost that is reconciled with a bill."""

    @property
    def total(self) -> RollupMeasures:
        return sum(self.by_grain.values(), NOTHING)

    @property
    def usage(self) -> RollupMeasures:
        """Without bill lines: money and volumes of the same rows, fit for unit costs."""
        return sum((m for grain, m in self.by_grain.items() if grain is not Grain.BILL), NOTHING)

    @property
    def cost_nano(self) -> int | None:
        """Nano-USD of what is priced; None where nothing is, because unpriced is not zero."""
        return known_cost(self.total)

    @property
    def estimated_nano(self) -> int | None:
        """Nano-USD of the rest of the cost, by list price; None where none of it has one."""
        if not self.billed_nano:
            return self.cost_nano
        total = self.total
        rest = total.cost_nano - self.billed_nano
        is_unpriced = total.unpriced_requests > 0 or total.unpriced_tokens > 0
        return None if is_unpriced and not rest else rest


@dataclass(frozen=True, slots=True)
class Row:
    """One group. An empty text in ``key`` means that the rows name nothing there."""

    key: Key
    sums: Sums


@dataclass(frozen=True, slots=True)
class Beside:
    """Money and volumes that are shown and not added, in their own currency."""

    grain: Grain
    reason: Verdict
    currency: str
    measures: RollupMeasures


@dataclass(frozen=True, slots=True)
class Table:
    """Groups with the largest cost first; ``rest`` sums those beyond the limit."""

    rows: tuple[Row, ...]
    rest: Row | None
    rest_count: int
    sums: Sums
    beside: tuple[Beside, ...]


@dataclass(frozen=True, slots=True)
class Point:
    bucket: datetime
    sums: Sums


@dataclass(frozen=True, slots=True)
class Line:
    """One group over time, a point a bucket, empty buckets included."""

    key: Key
    sums: Sums
    points: tuple[Point, ...]


def known_cost(measures: RollupMeasures) -> int | None:
    """Nano-USD, or None where usage was found and none of it has a price."""
    unpriced = measures.unpriced_requests > 0 or measures.unpriced_tokens > 0
    nothing_priced = measures.unpriced_requests >= measures.requests and measures.cost_nano == 0
    return None if unpriced and nothing_priced else measures.cost_nano


def add_up(facts: Iterable[Fact]) -> Sums:
    """Sums of the facts that count."""
    by_grain: dict[Grain, list[RollupMeasures]] = {}
    billed_nano = 0
    for fact in facts:
        if fact.verdict is Verdict.COUNTED:
            by_grain.setdefault(fact.grain, []).append(fact.measures)
            if fact.is_billed:
                billed_nano += fact.measures.cost_nano
    return Sums({grain: _sum(by_grain[grain]) for grain in sorted(by_grain)}, billed_nano)


def tabulate(
    facts: Sequence[Fact],
    *,
    limit: int | None = None,
    key: Callable[[Fact], Key] = lambda fact: fact.key,
) -> Table:
    """One row a group that counts. Rows add up to ``sums``, ``rest`` included."""
    groups: dict[Key, list[Fact]] = {}
    for fact in facts:
        if fact.verdict is Verdict.COUNTED:
            groups.setdefault(key(fact), []).append(fact)
    rows = sorted((Row(k, add_up(found)) for k, found in groups.items()), key=_largest_first)
    shown = rows if limit is None else rows[:limit]
    hidden = {row.key for row in rows[len(shown) :]}
    rest = add_up(fact for k in hidden for fact in groups[k])
    return Table(
        rows=tuple(shown),
        rest=Row((), rest) if hidden else None,
        rest_count=len(hidden),
        sums=add_up(facts),
        beside=set_beside(facts),
    )


def set_beside(facts: Iterable[Fact]) -> tuple[Beside, ...]:
    """What does not count, by grain, reason and currency."""
    found: dict[tuple[Grain, Verdict, str], list[RollupMeasures]] = {}
    for fact in facts:
        if fact.verdict is not Verdict.COUNTED:
            at = (fact.grain, fact.verdict, fact.currency)
            found.setdefault(at, []).append(fact.measures)
    return tuple(Beside(*at, _sum(found[at])) for at in sorted(found))


def draw(facts: Sequence[Fact], buckets: Sequence[datetime], *, most: int) -> tuple[Line, ...]:
    """Lines of the ``most`` largest groups, the others folded into one last line.

    The folded line has the key ``()``. Without any group there is one empty line, so that a
    chart of nothing still has its axis.
    """
    table = tabulate(facts)
    names = [row.key for row in table.rows[:most]]
    shown = set(names)
    folded = [f for f in facts if f.key not in shown and f.verdict is Verdict.COUNTED]
    lines = [_line(name, [f for f in facts if f.key == name], buckets) for name in names]
    if folded or not lines:
        lines.append(_line((), folded, buckets))
    return tuple(lines)


def _line(name: Key, facts: Sequence[Fact], buckets: Sequence[datetime]) -> Line:
    by_bucket: dict[datetime, list[Fact]] = {bucket: [] for bucket in buckets}
    for fact in facts:
        if fact.bucket is not None:
            by_bucket[fact.bucket].append(fact)
    points = tuple(Point(bucket, add_up(found)) for bucket, found in by_bucket.items())
    return Line(name, add_up(facts), points)


def _sum(parts: Sequence[RollupMeasures]) -> RollupMeasures:
    """Column by column: adding pairs would build an object a fact."""
    if len(parts) == 1:
        return parts[0]
    return RollupMeasures(*map(sum, zip(*map(_VALUES, parts), strict=True)))


def _largest_first(row: Row) -> tuple[int, int, Key]:
    total = row.sums.total
    return (-total.cost_nano, -total.all_tokens, row.key)

"""What the cost use cases answer. Amounts are integer nano-USD; None means unpriced."""

from dataclasses import dataclass
from datetime import datetime

from tensorcost.domain.cost.query import Charges, CostBasis, GroupBy, Step
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.summary import Beside, Line, Sums, Table
from tensorcost.domain.cost.summary_freshness import Watermark
from tensorcost.domain.cost.summary_unpriced import UnpricedPart
from tensorcost.storage.cost_queries.billed import ReconciledDays


@dataclass(frozen=True, slots=True)
class Settlement:
    """How far an answer is the bill's and how far an estimate; both parts add up to its total."""

    basis: CostBasis
    charges: Charges
    reconciled: ReconciledDays
    billed_nano: int
    estimated_nano: int | None
    """None where nothing of what is not billed has a price."""


@dataclass(frozen=True, slots=True)
class CostSummary:
    """Totals of a window, what they leave out, and how complete the sources are."""

    window: Window
    as_of: datetime | None
    settlement: Settlement
    by_workload: Table
    """Keys ``gpu``, ``inference``, ``agent``: disjoint. ``beside`` holds what is not added."""
    by_source: Table
    unpriced: tuple[UnpricedPart, ...]
    freshness: tuple[Watermark, ...]
    """As of now; empty for an ``as_of`` question."""

    @property
    def sums(self) -> Sums:
        return self.by_source.sums


@dataclass(frozen=True, slots=True)
class Breakdown:
    """One row a group, the largest cost first."""

    window: Window
    as_of: datetime | None
    settlement: Settlement
    group_by: GroupBy
    table: Table


@dataclass(frozen=True, slots=True)
class Bucket:
    """A UTC day or hour. One that is not whole must not be compared with one that is."""

    start: datetime
    is_whole: bool


@dataclass(frozen=True, slots=True)
class TimeSeries:
    """Lines over the same buckets."""

    window: Window
    as_of: datetime | None
    settlement: Settlement
    step: Step
    group_by: GroupBy | None
    buckets: tuple[Bucket, ...]
    lines: tuple[Line, ...]
    """A point a bucket each. The key ``()`` is the total, or what the other lines leave."""
    sums: Sums
    beside: tuple[Beside, ...]

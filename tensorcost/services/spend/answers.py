"""What the spend use cases answer. Amounts are integer nano-USD; None means unpriced."""

from dataclasses import dataclass
from datetime import datetime

from tensorcost.domain.cost.query import GroupBy
from tensorcost.domain.cost.query_listing import ListedEvent
from tensorcost.domain.cost.query_window import Window
from tensorcost.domain.cost.summary import Beside, Key, Line, Sums, Table
from tensorcost.domain.cost.summary_unpriced import UnpricedPart
from tensorcost.domain.cost.unit_economics import UnitEconomics
from tensorcost.services.cost.answers import Bucket, Settlement
from tensorcost.storage.price_queries import PriceVersion


@dataclass(frozen=True, slots=True)
class PricedEvent:
    """An event and where its price came from; None where it is unpriced or free by rule."""

    event: ListedEvent
    price: PriceVersion | None


@dataclass(frozen=True, slots=True)
class EventPage:
    """Events of ``window``, newest first. Read on with the last event's ``key``."""

    window: Window
    rows: tuple[PricedEvent, ...]
    has_more: bool


@dataclass(frozen=True, slots=True)
class SpendSummary:
    """AI spend without GPU hours, four ways; each table adds up to ``sums``."""

    window: Window
    as_of: datetime | None
    settlement: Settlement
    sums: Sums
    by_provider: Table
    by_model: Table
    by_application: Table
    by_team: Table
    beside: tuple[Beside, ...]
    unpriced: tuple[UnpricedPart, ...]


@dataclass(frozen=True, slots=True)
class UnitRow:
    """One group's figures and the sums behind them."""

    key: Key
    figures: UnitEconomics
    sums: Sums


@dataclass(frozen=True, slots=True)
class UnitEconomicsAnswer:
    """Figures of rows that have volumes: bill lines, which have none, are left out.

    ``rest_count`` groups lie beyond the limit; ``total`` has them too.
    """

    window: Window
    as_of: datetime | None
    settlement: Settlement
    group_by: GroupBy
    total: UnitRow
    rows: tuple[UnitRow, ...]
    rest_count: int


@dataclass(frozen=True, slots=True)
class ActorCost:
    """What one agent or workflow cost: in sum, by day, by model and by whom it works with."""

    name: str
    window: Window
    as_of: datetime | None
    settlement: Settlement
    sums: Sums
    buckets: tuple[Bucket, ...]
    daily: Line
    by_model: Table
    by_partner: Table
    """By workflow for an agent, by agent for a workflow."""
    beside: tuple[Beside, ...]
    figures: UnitEconomics

"""Questions about cost: what to group by, what to keep, over which window, as known when."""

from dataclasses import dataclass, field, fields
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Final

from tensorcost.domain.cost.query_window import Window, WindowRule
from tensorcost.domain.cost.reserved import RESERVED
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.spend.facts import Source

DAILY: Final = WindowRule(default=timedelta(days=30), longest=timedelta(days=400))
HOURLY: Final = WindowRule(default=timedelta(days=2), longest=timedelta(days=35))
LISTING: Final = WindowRule(default=timedelta(hours=24), longest=timedelta(days=92))
MAX_ROWS: Final = 1_000
DEFAULT_ROWS: Final = 100
MAX_SERIES: Final = 25


class GroupBy(StrEnum):
    """What cost can be broken down by. ``account`` is the account that used the service."""

    SOURCE = "source"
    PROVIDER = "provider"
    MODEL = "model"
    MODEL_FAMILY = "model_family"
    MODEL_TIER = "model_tier"
    SERVICE_TIER = "service_tier"
    ACCOUNT = "account"
    REGION = "region"
    OPERATION = "operation"
    APPLICATION = "application"
    TEAM = "team"
    ENVIRONMENT = "environment"
    OWNER = "owner"
    USER = "user"
    AGENT = "agent"
    WORKFLOW = "workflow"
    WORKLOAD = "workload"
    """``gpu``, ``agent`` (an agent or a workflow is named) or ``inference``: disjoint."""


TAGS: Final = (GroupBy.APPLICATION, GroupBy.TEAM, GroupBy.ENVIRONMENT, GroupBy.OWNER)
ACTORS: Final = frozenset({GroupBy.USER, GroupBy.AGENT, GroupBy.WORKFLOW})


class Step(StrEnum):
    DAY = "day"
    HOUR = "hour"


class CostBasis(StrEnum):
    """In which of the bill's bases reconciled days answer. Only unblended equals the invoice."""

    UNBLENDED = "unblended"
    AMORTIZED = "amortized"
    NET = "net"
    ESTIMATE = "estimate"
    """By list price on every day, as if nothing had been reconciled."""


class Charges(StrEnum):
    """Which of the billed charges count on reconciled days; the others stand beside."""

    USAGE = "usage"
    """AI usage: what logs explain, what they do not, and estimates where nothing is billed."""
    INVOICE = "invoice"
    """On reconciled days everything on the invoices and nothing else: over any dimension the sum
    is the bill. Days that are not reconciled, and parts of a day, count list estimates."""


@dataclass(frozen=True, slots=True)
class SpendFilter:
    """Rows to keep. None keeps all; the empty text keeps the rows that name nothing.

    A name in ``reserved`` keeps the billed money of that member.
    """

    source: Source | None = None
    provider: str | None = None
    model_id: str | None = None
    account: str | None = None
    region: str | None = None
    application: str | None = None
    team: str | None = None
    environment: str | None = None
    owner: str | None = None
    user: str | None = None
    agent: str | None = None
    workflow: str | None = None
    ai_only: bool = False
    """Leaves GPU hours out."""

    def names_an_actor(self) -> bool:
        """True when the filter asks for somebody whom no bill line can name."""
        named = (self.user, self.agent, self.workflow)
        return any(name and name not in RESERVED for name in named)

    def given(self) -> dict[str, str]:
        """The filters that are set, by name."""
        texts = (f.name for f in fields(self) if f.name != "ai_only")
        return {name: str(v) for name in texts if (v := getattr(self, name)) is not None}


@dataclass(frozen=True, slots=True)
class CostQuery:
    """One question to the rollups. ``as_of`` asks what was known then (decisions 8)."""

    window: Window
    group_by: tuple[GroupBy, ...] = ()
    filter: SpendFilter = field(default_factory=SpendFilter)
    step: Step | None = None
    as_of: datetime | None = None
    basis: CostBasis = CostBasis.UNBLENDED
    charges: Charges = Charges.USAGE

    def __post_init__(self) -> None:
        if not self.window.is_whole_hours():
            raise ValidationFailed(
                "costs are summed by the hour: 'from' and 'to' must be whole hours", field="from"
            )
        if self.as_of is not None and (self.step is Step.HOUR or not self.window.is_whole_days()):
            raise ValidationFailed(
                "'as_of' knows whole days: 'from' and 'to' must be dates, and the step a day",
                field="as_of",
            )
        if self.step is Step.HOUR:
            HOURLY.check(self.window)
        if self.basis is CostBasis.ESTIMATE and self.charges is Charges.INVOICE:
            raise ValidationFailed(
                "an estimate knows no invoice: ask for another 'basis', or for 'charges' of usage",
                field="charges",
            )

    def billed_days(self) -> tuple[date, date] | None:
        """``[first, end)`` of the days that bills may answer for, or None where there are none.

        An hour has no bill, and a day of which the window holds a part has none either.
        """
        if self.basis is CostBasis.ESTIMATE or self.step is Step.HOUR:
            return None
        return self.window.whole_days()


def check_rows(limit: int | None, *, default: int = DEFAULT_ROWS, most: int = MAX_ROWS) -> int:
    """How many rows to answer with; ValidationFailed outside 1 … ``most``."""
    if limit is None:
        return default
    if not 1 <= limit <= most:
        raise ValidationFailed(f"'limit' must be between 1 and {most}", field="limit")
    return limit

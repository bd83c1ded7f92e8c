"""Query parameters that cost and spend routes share. Unknown ones are refused, not ignored:
a mistyped filter would answer with everybody's cost. Frozen, so that they can be remembered."""

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from tensorcost.domain.cost.query import (
    MAX_ROWS,
    Charges,
    CostBasis,
    GroupBy,
    SpendFilter,
    Step,
)
from tensorcost.domain.spend.facts import Source
from tensorcost.services.cost.asking import CostRequest
from tensorcost.services.prices import MAX_SOURCE

_NAMES_NOTHING = "The empty text keeps the rows that name nothing here."
_TEXT = 2048


class WindowParams(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    from_: str | None = Field(
        default=None,
        alias="from",
        max_length=64,
        description="Start, inclusive: a UTC date or a timestamp with an offset.",
        examples=["2026-10-01"],
    )
    to: str | None = Field(
        default=None,
        max_length=64,
        description="End, exclusive.",
        examples=["2026-11-01"],
    )


class FilterParams(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    source: Source | None = None
    provider: str | None = Field(default=None, max_length=_TEXT)
    model_id: str | None = Field(default=None, max_length=_TEXT)
    account: str | None = Field(default=None, max_length=_TEXT)
    region: str | None = Field(default=None, max_length=_TEXT)
    application: str | None = Field(default=None, max_length=_TEXT, description=_NAMES_NOTHING)
    team: str | None = Field(default=None, max_length=_TEXT, description=_NAMES_NOTHING)
    environment: str | None = Field(default=None, max_length=_TEXT, description=_NAMES_NOTHING)
    owner: str | None = Field(default=None, max_length=_TEXT, description=_NAMES_NOTHING)
    user: str | None = Field(default=None, max_length=_TEXT, description=_NAMES_NOTHING)
    agent: str | None = Field(default=None, max_length=_TEXT, description=_NAMES_NOTHING)
    workflow: str | None = Field(default=None, max_length=_TEXT, description=_NAMES_NOTHING)

    def filter(self) -> SpendFilter:
        """The rows to keep."""
        return SpendFilter(**{name: getattr(self, name) for name in FilterParams.model_fields})


class CostParams(WindowParams, FilterParams):
    as_of: str | None = Field(
        default=None,
        max_length=64,
        description="Answer with what was known then; a date means its end.",
        examples=["2026-10-31"],
    )

    basis: CostBasis = Field(
        default=CostBasis.UNBLENDED,
        description="How reconciled days are costed: in one of the bill's bases, or estimated.",
    )
    charges: Charges = Field(
        default=Charges.USAGE,
        description="What counts on reconciled days: AI usage, or everything on the invoice, "
        "taxes and credits in rows of their own. Other days, and parts of a day, count list "
        "estimates either way.",
    )

    def ask(self) -> CostRequest:
        """The question as the services take it."""
        return CostRequest(
            start=self.from_,
            end=self.to,
            as_of=self.as_of,
            filter=self.filter(),
            basis=self.basis,
            charges=self.charges,
        )


class LimitedParams(CostParams):
    limit: int | None = Field(default=None, ge=1, le=MAX_ROWS, description="Groups to list.")


class TagParams(LimitedParams):
    tag: Literal[GroupBy.APPLICATION, GroupBy.TEAM, GroupBy.ENVIRONMENT, GroupBy.OWNER] = (
        GroupBy.APPLICATION
    )


class GroupParams(LimitedParams):
    group_by: GroupBy = Field(default=GroupBy.MODEL, description="What to break the cost down by.")


class SeriesParams(CostParams):
    step: Step = Step.DAY
    group_by: GroupBy | None = Field(default=None, description="One line a group; else the total.")
    lines: int | None = Field(default=None, ge=1, le=25, description="Largest groups to draw.")


class PriceImportParams(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    effective_from: date = Field(description="UTC day from which these prices hold.")
    source: str = Field(
        min_length=1,
        max_length=MAX_SOURCE,
        description="Where the figures are from, such as a contract.",
    )


class PriceParams(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    model_id: str = Field(min_length=1, max_length=_TEXT)
    at: str | None = Field(default=None, max_length=64, description="Time of use; default now.")
    provider: str | None = Field(default=None, max_length=256)

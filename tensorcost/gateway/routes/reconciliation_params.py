"""Query parameters and bodies of the reconciliation routes. Unknown ones are refused."""

from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field

from tensorcost.domain.cost.query import MAX_ROWS
from tensorcost.domain.cost.reconciliation.facts import Basis, GapClass
from tensorcost.domain.money import nano_from_decimal
from tensorcost.gateway.paging import CURSOR, DEFAULT_LIMIT, MAX_LIMIT, Page
from tensorcost.gateway.routes.cost_params import WindowParams
from tensorcost.services.cursors import MAX_CURSOR, key_of
from tensorcost.services.reconciliation.asking import CoverageAsk, LedgerAsk, LinesAsk
from tensorcost.storage.reconciliation.ledger import LedgerOrder

_TEXT = 2048
_MONTHS = 12
_MOST_MONTHS = 120
_NAMES_NOTHING = "The empty text keeps the rows that name none."


class KnownParams(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())
    as_of: str | None = Field(
        default=None,
        max_length=64,
        description="Answer with what was known then; a date means its end.",
        examples=["2026-11-05"],
    )


class PagedParams(KnownParams):
    cursor: str | None = Field(
        default=None, max_length=MAX_CURSOR, description="`next_cursor` of the page before."
    )

    def page(self, limit: int) -> Page:
        """The page asked for; ValidationFailed where the cursor is none of ours."""
        return Page(limit, key_of(self.cursor, CURSOR))


class MonthsParams(PagedParams):
    limit: int = Field(default=_MONTHS, ge=1, le=_MOST_MONTHS, description="Months in one answer.")


class PlaceParams(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    account: str | None = Field(default=None, max_length=_TEXT, description=_NAMES_NOTHING)
    region: str | None = Field(default=None, max_length=_TEXT, description=_NAMES_NOTHING)


class LedgerParams(WindowParams, PlaceParams, PagedParams):
    model_id: str | None = Field(default=None, max_length=_TEXT, description=_NAMES_NOTHING)
    gap_class: GapClass | None = Field(
        default=None, alias="class", description="Rows whose gap has this class."
    )
    min_gap: Decimal | None = Field(
        default=None,
        ge=0,
        max_digits=18,
        decimal_places=9,
        description="Rows of which a class (the one asked for) is at least this much, up or down, "
        "in the row's currency.",
        examples=["0.01"],
    )
    order: LedgerOrder = Field(
        default=LedgerOrder.DAY,
        description="The newest day first, or the largest amount of a class (of that asked for).",
    )
    limit: int = Field(default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Rows in one answer.")

    def ask(self, period: str) -> LedgerAsk:
        """The question as the service takes it."""
        return LedgerAsk(
            period=period,
            start=self.from_,
            end=self.to,
            as_of=self.as_of,
            account=self.account,
            region=self.region,
            model_id=self.model_id,
            gap_class=self.gap_class,
            min_gap_nano=None if self.min_gap is None else nano_from_decimal(self.min_gap),
            order=self.order,
        )


class LinesParams(WindowParams, PlaceParams, PagedParams):
    model_id: str | None = Field(default=None, max_length=_TEXT, description=_NAMES_NOTHING)
    gap_class: GapClass | None = Field(
        default=None,
        alias="class",
        description="Lines that this class of the ledger is about: its own, or else those of AI "
        "usage.",
    )
    limit: int = Field(
        default=DEFAULT_LIMIT, ge=1, le=MAX_LIMIT, description="Lines in one answer."
    )

    def ask(self, period: str) -> LinesAsk:
        """The question as the service takes it."""
        return LinesAsk(
            period=period,
            start=self.from_,
            end=self.to,
            as_of=self.as_of,
            account=self.account,
            region=self.region,
            model_id=self.model_id,
            gap_class=self.gap_class,
        )


class DifferenceParams(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    from_: int | None = Field(
        default=None,
        alias="from",
        ge=0,
        description="A version; 0 is what was known before the first. Default: the one before "
        "`to`.",
    )
    to: int | None = Field(default=None, ge=0, description="A version. Default: the newest.")
    limit: int | None = Field(default=None, ge=1, le=MAX_ROWS, description="Changes to list.")


class CoverageParams(WindowParams, PlaceParams, KnownParams):
    basis: Basis = Field(default=Basis.UNBLENDED, description="Only unblended is the invoice's.")
    silent_only: bool = Field(default=False, description="Only places that are silent.")
    limit: int | None = Field(default=None, ge=1, le=MAX_ROWS, description="Places to list.")

    def ask(self) -> CoverageAsk:
        """The question as the service takes it."""
        return CoverageAsk(
            start=self.from_,
            end=self.to,
            as_of=self.as_of,
            account=self.account,
            region=self.region,
            basis=self.basis,
            silent_only=self.silent_only,
        )


class ReconcileBody(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)
    period: str | None = Field(
        default=None,
        max_length=7,
        description="A month to reconcile even where nothing has changed.",
        examples=["2026-10"],
    )

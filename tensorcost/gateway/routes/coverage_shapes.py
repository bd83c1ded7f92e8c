"""The published shapes of connection coverage. Shares are decimal strings from 0 to 1."""

from collections.abc import Mapping
from datetime import date, datetime
from uuid import UUID

from pydantic import BaseModel, Field

from tensorcost.domain.cost.reconciliation.coverage import Coverage, share_shown
from tensorcost.domain.cost.reconciliation.ledger import ESTIMATE_CURRENCY
from tensorcost.domain.money import format_nano
from tensorcost.gateway.routes.cost_shapes import Json, WindowOut, window_json
from tensorcost.services.reconciliation.answers import CoverageReport, CoveredPlace, Silence


class CoveredOut(BaseModel):
    billed: str = Field(description="Usage in scope; taxes, credits and the like are left out.")
    by_requests: str = Field(description="Attributed to single requests.")
    by_metrics: str = Field(description="Attributed to counters: the model is known, no caller.")
    unlogged: str
    explained: str | None = Field(
        description="Share of `billed` that any rows explain, cut off after six places; null "
        "where nothing is billed.",
        examples=["0.973125"],
    )
    explained_by_requests: str | None


class CoveredDayOut(CoveredOut):
    day: date


class PlaceFindingOut(BaseModel):
    id: UUID
    code: str
    subject: str
    title: str
    remedy: str


class SilenceOut(BaseModel):
    cause: str = Field(description="The most probable one, such as `logs_in_another_region`.")
    seen: str = Field(description="What tells so beyond the figures of the place, or nothing.")
    remedy: str
    findings: list[PlaceFindingOut] = Field(description="Needs the scope `integration:read`.")


class ShortfallOut(BaseModel):
    cause: str = Field(description="Such as `logging_began_later`.")
    amount: str = Field(description="Unblended dollars that it stands for.")
    seen: str
    remedy: str


class PlaceOut(CoveredOut):
    account_id: str
    account_name: str
    region: str = Field(description="Empty where the whole account is meant.")
    history: list[CoveredDayOut]
    silence: SilenceOut | None = Field(description="As of now; null with `as_of`.")
    shortfalls: list[ShortfallOut] = Field(
        description="Why single requests explain less than 95% though some are logged: probable "
        "causes, the dearest first. As of now; empty with `as_of`."
    )


class CoverageOut(BaseModel):
    window: WindowOut
    as_of: datetime | None
    currency: str
    basis: str
    total: CoveredOut
    history: list[CoveredDayOut] = Field(description="Reconciled days with usage, oldest first.")
    places: list[PlaceOut] = Field(description="The largest unlogged amount first.")
    rest: int = Field(description="Places beyond `limit`; the total holds them too.")
    silent_places: int


def coverage_json(found: CoverageReport) -> Json:
    return {
        "window": window_json(found.window),
        "as_of": found.as_of,
        "currency": ESTIMATE_CURRENCY,
        "basis": found.basis.value,
        "total": _covered(found.total),
        "history": _history(found.history),
        "places": [_place(place) for place in found.places],
        "rest": found.rest_count,
        "silent_places": found.silent_places,
    }


def _place(place: CoveredPlace) -> Json:
    return {
        "account_id": place.coverage.account_id,
        "account_name": place.account_name,
        "region": place.coverage.region,
        **_covered(place.coverage),
        "history": _history(place.history),
        "silence": None if place.silence is None else _silence(place.silence),
        "shortfalls": [
            {
                "cause": one.cause.value,
                "amount": format_nano(one.nano),
                "seen": one.seen,
                "remedy": one.remedy,
            }
            for one in place.shortfalls
        ],
    }


def _covered(sums: Coverage) -> Json:
    return {
        "billed": format_nano(sums.billed),
        "by_requests": format_nano(sums.by_request),
        "by_metrics": format_nano(sums.by_metric),
        "unlogged": format_nano(sums.unlogged),
        "explained": share_shown(sums.explained),
        "explained_by_requests": share_shown(sums.explained_by_request),
    }


def _history(days: Mapping[date, Coverage]) -> list[Json]:
    return [{"day": day, **_covered(sums)} for day, sums in days.items()]


def _silence(silence: Silence) -> Json:
    return {
        "cause": silence.cause.value,
        "seen": silence.seen,
        "remedy": silence.remedy,
        "findings": [
            {
                "id": found.finding_id,
                "code": found.code,
                "subject": found.subject,
                "title": found.title,
                "remedy": found.remedy,
            }
            for found in silence.findings
        ],
    }

"""Questions about reconciled days, as the faces hand them in, and their checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from tensorcost.domain.cost.query import DAILY
from tensorcost.domain.cost.query_window import Moment, Window, day_window, known_by
from tensorcost.domain.cost.reconciliation.closing import period_end
from tensorcost.domain.cost.reconciliation.facts import Basis, GapClass
from tensorcost.domain.cost.reconciliation.months import month_name, month_of
from tensorcost.domain.errors import ValidationFailed
from tensorcost.storage.reconciliation.ledger import LedgerKey, LedgerQuery

_FOREIGN: Final = "not a cursor that this list handed out"


@dataclass(frozen=True, slots=True)
class LedgerAsk:
    """Days of a month, or of ``[start, end)``, or of both; by default the last 30 days.

    None keeps everything, the empty text the rows that name nothing there. ``min_gap_nano``
    keeps rows of which a class (the one asked for) is that much up or down.
    """

    period: str | None = None
    start: Moment | None = None
    end: Moment | None = None
    as_of: Moment | None = None
    account: str | None = None
    region: str | None = None
    model_id: str | None = None
    gap_class: GapClass | None = None
    min_gap_nano: int | None = None


@dataclass(frozen=True, slots=True)
class CoverageAsk:
    """Days of ``[start, end)``, by default the last 30 days until today."""

    start: Moment | None = None
    end: Moment | None = None
    as_of: Moment | None = None
    account: str | None = None
    region: str | None = None
    basis: Basis = Basis.UNBLENDED
    silent_only: bool = False


def ledger_query(ask: LedgerAsk, now: datetime) -> LedgerQuery:
    """The checked question. Raises ValidationFailed naming the parameter that is wrong."""
    window = _ledger_window(ask, now)
    if ask.min_gap_nano is not None and ask.min_gap_nano < 0:
        raise ValidationFailed("'min_gap' is an amount without a sign", field="min_gap")
    return LedgerQuery(
        first_day=window.first_day,
        end_day=window.end_day,
        account_id=ask.account,
        region=ask.region,
        model_id=ask.model_id,
        gap_class=ask.gap_class,
        min_gap_nano=ask.min_gap_nano,
        as_of=as_of_moment(ask.as_of, now),
    )


def whole_days(start: Moment | None, end: Moment | None, today: date) -> Window:
    """The window; ValidationFailed where it cuts a day, for days are reconciled as a whole."""
    window = day_window(start, end, today=today, rule=DAILY)
    if not window.is_whole_days():
        field = "from" if window.start.time() != datetime.min.time() else "to"
        raise ValidationFailed(
            f"'{field}' cuts a UTC day: days are reconciled as a whole", field=field
        )
    return window


def as_of_moment(as_of: Moment | None, now: datetime) -> datetime | None:
    """When it was known; None means now."""
    return None if as_of is None else known_by(as_of, now=now)


def month_key(after: Sequence[str | int] | None, *, field: str) -> date | None:
    """Where a list of months goes on, by its cursor; ValidationFailed for another list's."""
    if after is None:
        return None
    try:
        (month,) = (str(part) for part in after)
        return month_of(month)
    except (ValueError, ValidationFailed) as error:
        raise ValidationFailed(_FOREIGN, field=field) from error


def ledger_key(after: Sequence[str | int] | None, *, field: str) -> LedgerKey | None:
    """Where a ledger goes on, by its cursor; ValidationFailed for another list's."""
    if after is None:
        return None
    try:
        day, *rest = (str(part) for part in after)
        account, region, model, currency = rest
        return LedgerKey(date.fromisoformat(day), account, region, model, currency)
    except ValueError as error:
        raise ValidationFailed(_FOREIGN, field=field) from error


def cursor_key(key: LedgerKey) -> tuple[str, ...]:
    """What a cursor holds of a row's key; see ``ledger_key``."""
    return (key.day.isoformat(), *key[1:])


def _ledger_window(ask: LedgerAsk, now: datetime) -> Window:
    if ask.period is None:
        return whole_days(ask.start, ask.end, now.date())
    first = month_of(ask.period)
    month = Window.of_days(first, period_end(first))
    window = whole_days(
        month.start if ask.start is None else ask.start,
        month.end if ask.end is None else ask.end,
        now.date(),
    )
    for field, moment in (("from", window.start), ("to", window.end)):
        if not month.start <= moment <= month.end:
            raise ValidationFailed(f"'{field}' lies outside of {month_name(first)}", field=field)
    return window

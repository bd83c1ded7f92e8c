"""Questions about reconciled days, as the faces hand them in, and their checks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from tensorcost.domain.cost.query import DAILY
from tensorcost.domain.cost.query_window import Moment, Window, as_of_moment, day_window
from tensorcost.domain.cost.reconciliation.closing import period_end
from tensorcost.domain.cost.reconciliation.facts import Basis, GapClass
from tensorcost.domain.cost.reconciliation.months import month_name, month_of
from tensorcost.domain.errors import ValidationFailed
from tensorcost.services.cursors import foreign_cursor
from tensorcost.storage.reconciliation.bill_lines import LineKey, LineQuery
from tensorcost.storage.reconciliation.ledger import LedgerKey, LedgerOrder, LedgerQuery


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
    order: LedgerOrder = LedgerOrder.DAY


@dataclass(frozen=True, slots=True)
class LinesAsk:
    """The bill behind a month or behind some of its ledger: days of ``[start, end)`` within it.

    ``gap_class`` keeps the lines that the class is about: those of tax, credit, refund, discount,
    commitment, other currency and out of scope are their own, and add up to it; all others are
    about usage, and keep that of the days and places that have such a gap.
    """

    period: str
    start: Moment | None = None
    end: Moment | None = None
    as_of: Moment | None = None
    account: str | None = None
    region: str | None = None
    model_id: str | None = None
    gap_class: GapClass | None = None


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
        order=ask.order,
    )


def line_query(ask: LinesAsk, now: datetime) -> LineQuery:
    """The checked question. Raises ValidationFailed naming the parameter that is wrong."""
    window = _month_window(ask.period, ask.start, ask.end, now)
    return LineQuery(
        first_day=window.first_day,
        end_day=window.end_day,
        account_id=ask.account,
        region=ask.region,
        model_id=ask.model_id,
        gap_class=ask.gap_class,
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


def month_key(after: Sequence[str | int] | None, *, field: str) -> date | None:
    """Where a list of months goes on, by its cursor; ValidationFailed for another list's."""
    if after is None:
        return None
    try:
        (month,) = (str(part) for part in after)
        return month_of(month)
    except (ValueError, ValidationFailed) as error:
        raise foreign_cursor(field) from error


def ledger_key(
    after: Sequence[str | int] | None, *, field: str, order: LedgerOrder = LedgerOrder.DAY
) -> LedgerKey | None:
    """Where a ledger goes on, by its cursor; ValidationFailed for that of another list or order."""
    if after is None:
        return None
    try:
        parts = list(after)
        size = int(parts.pop()) if order is LedgerOrder.AMOUNT else None
        day, account, region, model, currency = (str(part) for part in parts)
        return LedgerKey(date.fromisoformat(day), account, region, model, currency, size)
    except (ValueError, IndexError) as error:
        raise foreign_cursor(field) from error


def line_key(after: Sequence[str | int] | None, *, field: str) -> LineKey | None:
    """Where a list of lines goes on, by its cursor; ValidationFailed for another list's."""
    if after is None:
        return None
    try:
        delivery, line_no = after
        return LineKey(UUID(str(delivery)), int(line_no))
    except ValueError as error:
        raise foreign_cursor(field) from error


def cursor_key(key: LedgerKey) -> tuple[str | int, ...]:
    """What a cursor holds of a row's key; see ``ledger_key``."""
    *named, size = key[1:]
    held = (key.day.isoformat(), *(str(name) for name in named))
    return held if size is None else (*held, size)


def _ledger_window(ask: LedgerAsk, now: datetime) -> Window:
    if ask.period is None:
        return whole_days(ask.start, ask.end, now.date())
    return _month_window(ask.period, ask.start, ask.end, now)


def _month_window(period: str, start: Moment | None, end: Moment | None, now: datetime) -> Window:
    first = month_of(period)
    month = Window.of_days(first, period_end(first))
    window = whole_days(
        month.start if start is None else start, month.end if end is None else end, now.date()
    )
    for field, moment in (("from", window.start), ("to", window.end)):
        if not month.start <= moment <= month.end:
            raise ValidationFailed(f"'{field}' lies outside of {month_name(first)}", field=field)
    return window

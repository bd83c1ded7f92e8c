"""Coverage as ``tensorcost coverage`` prints it."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from tensorcost.cli.console import talk
from tensorcost.cli.tables import data_table, show_table, table_out
from tensorcost.domain.cost.reconciliation.coverage import Coverage, share_shown
from tensorcost.domain.money import format_nano

if TYPE_CHECKING:
    from tensorcost.services.reconciliation.answers import CoverageReport, CoveredPlace

_PLACE: Final = ("account", "name", "region")
_FIGURES: Final = ("billed USD", "by requests", "by counts", "unlogged", "explained")


def show_coverage(found: "CoverageReport") -> None:
    """A line for each cause of a place; what the place is stands on its first."""
    why = ("probable cause", "of USD")
    table = data_table(*_PLACE, *_FIGURES, *why, right=(*_FIGURES, why[1]))
    for place in found.places:
        begin = (*_named(place), *_cells(place.coverage))
        for number, cause in enumerate(_causes(place) or [("", "")]):
            table.add_row(*(begin if number == 0 else [""] * len(begin)), *cause)
    table.add_row("in all", "", "", *_cells(found.total), "", "", style="bold")
    show_table(table, table_out())
    _show_advice(found)


def show_history(found: "CoverageReport") -> None:
    """A line for each reconciled day with usage of a place, the oldest first; then of all."""
    table = data_table("day", *_PLACE, *_FIGURES, right=_FIGURES)
    for place in found.places:
        for day, sums in place.history.items():
            table.add_row(day.isoformat(), *_named(place), *_cells(sums))
    for day, sums in found.history.items():
        table.add_row(day.isoformat(), "in all", "", "", *_cells(sums), style="bold")
    show_table(table, table_out())
    _show_advice(found)


def _show_advice(found: "CoverageReport") -> None:
    if found.as_of is not None:
        talk.print("causes are told of as of now: ask without --as-of")
    elif found.silent_places:
        talk.print(f"silent places: {found.silent_places}", style="yellow")
    for place in found.places:
        for line in _advice(place):
            talk.print(f"  {_where(place)}: {line}", soft_wrap=True)
    if found.rest_count:
        talk.print(f"and {found.rest_count} more, which the sum holds too: raise --limit")


def _causes(place: "CoveredPlace") -> list[tuple[str, str]]:
    if place.silence is not None:
        return [(place.silence.cause.value, "")]
    return [(one.cause.value, format_nano(one.nano)) for one in place.shortfalls]


def _advice(place: "CoveredPlace") -> Iterator[str]:
    """Each cause with what tells so and what to do, and what the connections found out."""
    if place.silence is not None:
        yield _told("silent", place.silence.cause.value, place.silence.seen, place.silence.remedy)
        for finding in place.silence.findings:
            yield f"{finding.title}: {finding.remedy}"
    for one in place.shortfalls:
        yield _told("partly logged", one.cause.value, one.seen, one.remedy)


def _told(state: str, cause: str, seen: str, remedy: str) -> str:
    because = f"{state}, {cause}"
    return f"{because} ({seen}). {remedy}" if seen else f"{because}. {remedy}"


def _named(place: "CoveredPlace") -> tuple[str, str, str]:
    return place.coverage.account_id, place.account_name, place.coverage.region


def _where(place: "CoveredPlace") -> str:
    """As findings name it: the account, or a region of it."""
    account, region = place.coverage.account_id, place.coverage.region
    return f"{account}/{region}" if region else account


def _cells(sums: Coverage) -> tuple[str, ...]:
    amounts = (sums.billed, sums.by_request, sums.by_metric, sums.unlogged)
    share = share_shown(sums.explained)
    return (*map(format_nano, amounts), "" if share is None else str(share))

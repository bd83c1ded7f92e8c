"""What a tenant's own prices are for, as ``tensorcost prices import`` prints it."""

from collections.abc import Sequence
from typing import Final

from tensorcost.cli.console import talk
from tensorcost.domain.cost.price import BASE_CONTEXT
from tensorcost.domain.cost.price_matches import ModelMatch, NearMiss, PricePlace

_SHOWN: Final = 20
_TEXT: Final = "text"


def show_matches(matches: Sequence[ModelMatch]) -> None:
    """By model which stored usage takes its price from the import; loud where none does."""
    for match in matches[:_SHOWN]:
        _show(match)
    idle = [match for match in matches[_SHOWN:] if match.is_idle]
    if len(matches) > _SHOWN:
        _line(f"  and {len(matches) - _SHOWN} models more, {len(idle)} of them not used", "dim")
    if matches and all(match.is_idle for match in matches):
        _line("NO stored row takes a price from this import: nothing is re-rated by it", "bold red")


def _show(match: ModelMatch) -> None:
    if match.is_idle:
        _line(f"  {match.model_id}: matches NO stored row", "bold red")
    for one in match.places:
        kinds = ", ".join(one.kinds)
        found = f"{one.requests} requests in {one.dimensions} dimensions"
        named = f"  {match.model_id} {_named(one.place)} ({kinds})"
        if one.dimensions:
            _line(f"{named}: {found}")
        else:
            _line(f"{named}: no stored row", "yellow" if match.is_idle else "dim")
    for miss in match.missed:
        _line(f"    not matched: {_missed(miss)}", "yellow")
    if match.similar:
        _line(f"    stored under other names: {', '.join(match.similar)}", "yellow")


def _missed(miss: NearMiss) -> str:
    told = f"{miss.requests} requests {_named(miss.place)}"
    if miss.differs:
        told += f"; differs in {', '.join(part.replace('_', ' ') for part in miss.differs)}"
        return f"{told}; write {miss.write_as}" if miss.write_as else told
    return (
        f"{told}; last used on {miss.last_day}: these prices hold later, or another one of your "
        "own comes first"
    )


def _named(place: PricePlace) -> str:
    parts = [place.routing_scope.value, place.region, place.service_tier.value]
    if place.modality != _TEXT:
        parts.append(place.modality)
    if place.context_bucket != BASE_CONTEXT:
        parts.append(place.context_bucket)
    return " / ".join(parts)


def _line(text: str, style: str | None = None) -> None:
    talk.print(text, soft_wrap=True, style=style)

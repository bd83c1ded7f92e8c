"""Finds the stored usage that the prices of one import are for; see ``price_matches``."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from difflib import get_close_matches
from typing import Final

from tensorcost.domain.cost.model_names import bedrock_key
from tensorcost.domain.cost.price import CONTEXT_THRESHOLDS, Price, PriceKind
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.price_matches import (
    ModelMatch,
    NearMiss,
    PlaceMatch,
    PricePlace,
    UsedPlace,
)
from tensorcost.domain.cost.query_window import midnight
from tensorcost.domain.cost.regions import region_candidates

_SIMILAR: Final = 3


@dataclass(slots=True)
class _Found:
    kinds: set[PriceKind] = field(default_factory=set)
    dimensions: int = 0
    requests: int = 0


def match_prices(
    prices: Sequence[Price],
    overrides: Iterable[Price],
    used: Iterable[UsedPlace],
    known_models: Collection[str],
) -> tuple[ModelMatch, ...]:
    """Every model of one import's ``prices``, those whose usage takes no price of it first.

    ``overrides`` are all of the tenant's own prices of these models, ``used`` is all their stored
    usage, ``known_models`` the names of all stored usage.
    """
    found: dict[PricePlace, _Found] = defaultdict(_Found)
    kinds: dict[str, set[PriceKind]] = defaultdict(set)
    for price in prices:
        found[PricePlace.of_key(price.key)].kinds.add(price.key.kind)
        kinds[price.key.model_id].add(price.key.kind)
    book, places = PriceBook((), overrides), tuple(found)
    version = max((price.version for price in prices), default=0)
    missed: list[NearMiss] = []
    for usage in used:
        taken = _taken(usage, book, kinds[usage.where.model_id], version)
        for place in taken:
            found[place].dimensions += usage.dimensions
            found[place].requests += usage.requests
        if not taken:
            missed.append(_near_miss(usage, places))
    models = _by_model(found, missed, sorted(known_models))
    return tuple(sorted(models, key=_telling_first))


def _telling_first(model: ModelMatch) -> tuple[bool, bool]:
    """Models whose usage is missed before those that are matched, and these before unused ones."""
    return not (model.is_idle and model.missed), model.is_idle


def _taken(
    usage: UsedPlace, book: PriceBook, kinds: Iterable[PriceKind], version: int
) -> set[PricePlace]:
    """The places of the version's prices from which the usage takes some price."""
    end = midnight(usage.last_day + timedelta(days=1))
    return {
        PricePlace.of_key(span.price.key)
        for kind in kinds
        for span in book.timeline(usage.where, kind)
        if span.price is not None and span.price.version == version and span.start < end
    }


def _near_miss(usage: UsedPlace, places: Iterable[PricePlace]) -> NearMiss:
    here = PricePlace.of_usage(usage.where)
    of_model = [place for place in places if place.model_id == here.model_id]
    differs = min((_differs(here, place) for place in of_model), key=len, default=())
    return NearMiss(
        place=here,
        dimensions=usage.dimensions,
        requests=usage.requests,
        last_day=usage.last_day,
        differs=differs,
        write_as=_write_as(here),
    )


def _differs(here: PricePlace, place: PricePlace) -> tuple[str, ...]:
    """The parts for which a price of ``place`` is not one of usage ``here``."""
    fits = {
        "region": place.region in region_candidates(here.region),
        "context_bucket": CONTEXT_THRESHOLDS[place.context_bucket]
        <= CONTEXT_THRESHOLDS.get(here.context_bucket, 0),
    }
    parts = zip(PricePlace._fields, here, place, strict=True)
    return tuple(name for name, mine, other in parts if not fits.get(name, mine == other))


def _by_model(
    found: Mapping[PricePlace, _Found], missed: Sequence[NearMiss], names: Sequence[str]
) -> Iterator[ModelMatch]:
    by_model: dict[tuple[str, str], list[PlaceMatch]] = defaultdict(list)
    for place, one in sorted(found.items(), key=lambda item: (not item[1].dimensions, item[0])):
        match = PlaceMatch(place, tuple(sorted(one.kinds)), one.dimensions, one.requests)
        by_model[place.provider, place.model_id].append(match)
    for (provider, model_id), places in by_model.items():
        mine = tuple(
            miss
            for miss in missed
            if miss.place.model_id == model_id
            and (miss.place.provider == provider or (miss.place.provider, model_id) not in by_model)
        )
        is_known = mine or any(place.dimensions for place in places)
        similar = () if is_known else _similar(model_id, names)
        yield ModelMatch(provider, model_id, tuple(places), mine, similar)


def _similar(model_id: str, names: Sequence[str]) -> tuple[str, ...]:
    """Names that hold this one or are held by it, then those that are spelled alike."""
    held = [name for name in names if name and (name in model_id or model_id in name)]
    alike = get_close_matches(model_id, names, n=_SIMILAR)
    return tuple(dict.fromkeys((*held, *alike)))[:_SIMILAR]


def _write_as(here: PricePlace) -> str:
    if here.provider != "bedrock":
        return ""
    return bedrock_key(here.model_id, here.routing_scope, here.region)

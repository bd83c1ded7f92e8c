"""LiteLLM-shaped price map to prices. Nothing is dropped in silence.

Numbers are read as decimals from their text. What is not taken is listed with its reason;
a price field that the table does not know is listed as unknown.
"""

import json
import zlib
from collections.abc import Iterator, Mapping, Set
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation, localcontext
from gzip import GzipFile
from io import BytesIO
from typing import Any, Final, NoReturn

from tensorcost.domain.cost.price import Price, PriceKey, UnitKind
from tensorcost.domain.errors import ValidationFailed
from tensorcost.providers.price_catalogue.fields import (
    BY_MODE,
    MODALITY_OF_MODE,
    SKIPPED,
    TEXT,
    FieldMeaning,
    is_price_field,
    meaning_of,
)
from tensorcost.providers.price_catalogue.keys import Listing, NotAModel, listings_of

PriceMap = Mapping[str, Any]
"""Model key to its fields, as parsed from JSON: the shape is LiteLLM's, not ours."""

MAX_MAP_BYTES: Final = 64 * 1024 * 1024
_TOKENS_PER_MILLION: Final = Decimal(1_000_000)
_GZIP: Final = b"\x1f\x8b"


@dataclass(frozen=True, slots=True)
class SkippedPrice:
    """A key (``field`` empty) or one of its fields that was not taken, and why."""

    model_key: str
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class PriceConflict:
    """Two keys give one price twice, differently: the plainer name won."""

    key: PriceKey
    kept: Decimal
    kept_from: str
    dropped: Decimal
    dropped_from: str


@dataclass(frozen=True, slots=True)
class ImportTerms:
    """What the importing person or job says about a map."""

    effective_from: datetime
    version: int
    source: str


@dataclass(slots=True)
class PriceImport:
    """Prices of one map, and what was left out."""

    prices: list[Price] = field(default_factory=list)
    models: int = 0
    """Keys that gave at least one price."""
    skipped: list[SkippedPrice] = field(default_factory=list)
    unknown: list[SkippedPrice] = field(default_factory=list)
    """Price fields that the table does not know: read the table before trusting the map."""
    conflicts: list[PriceConflict] = field(default_factory=list)

    def skipped_by_reason(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for entry in self.skipped:
            counts[entry.reason] = counts.get(entry.reason, 0) + 1
        return counts


def read_price_map(raw: bytes) -> PriceMap:
    """Decode a price map, gzip or not. Raises ValidationFailed for anything else."""
    try:
        text = GzipFile(fileobj=BytesIO(raw)).read(MAX_MAP_BYTES + 1) if raw[:2] == _GZIP else raw
        if len(text) > MAX_MAP_BYTES:
            raise ValidationFailed("price map is larger than 64 MiB", field="file")
        decoded = json.loads(text, parse_float=Decimal, parse_constant=_no_constant)
    except (ValueError, EOFError, OSError, zlib.error, RecursionError) as error:
        raise ValidationFailed(f"not a JSON price map: {error}", field="file") from error
    if not isinstance(decoded, dict):
        raise ValidationFailed("a price map is a JSON object of models", field="file")
    return decoded


def parse_price_map(
    models: PriceMap, terms: ImportTerms, *, also_listed: Set[str] = frozenset()
) -> PriceImport:
    """Prices of every model of ``models``, open-ended from the terms' effective date.

    ``also_listed``: keys known from elsewhere, where ``models`` is only a part of a map.
    """
    all_keys = also_listed | models.keys()
    result = PriceImport()
    best: dict[PriceKey, tuple[int, Price, str]] = {}
    for model_key, entry in models.items():
        if not isinstance(entry, dict):
            result.skipped.append(SkippedPrice(model_key, "", "not a model"))
            continue
        listings = listings_of(model_key, str(entry.get("litellm_provider") or ""), all_keys)
        if isinstance(listings, NotAModel):
            result.skipped.append(SkippedPrice(model_key, "", listings.reason))
            continue
        amounts = list(_amounts(model_key, entry, result))
        result.models += bool(amounts)
        for listing in listings:
            for meaning, usd in amounts:
                for price in _prices(listing, meaning, usd, entry, terms):
                    _keep(best, price, listing.rank, model_key, result)
    result.prices = [price for _, price, _ in best.values()]
    return result


def _amounts(
    model_key: str, entry: Mapping[str, Any], result: PriceImport
) -> Iterator[tuple[FieldMeaning, Decimal]]:
    """The entry's prices in USD per 1,000,000 units."""
    found: dict[FieldMeaning, tuple[str, Decimal]] = {}
    for name, value in entry.items():
        if value is None or not is_price_field(name):
            continue
        if name in SKIPPED:
            result.skipped.append(SkippedPrice(model_key, name, SKIPPED[name]))
            continue
        meaning = meaning_of(name)
        if meaning is None:
            result.unknown.append(SkippedPrice(model_key, name, "unknown price field"))
            continue
        amount = _per_million(value)
        if amount is None:
            result.skipped.append(SkippedPrice(model_key, name, "not a price"))
        elif meaning in found:
            result.skipped.append(
                SkippedPrice(model_key, name, f"said by {found[meaning][0]} already")
            )
        else:
            found[meaning] = (name, amount)
    by_unit = any(isinstance(m.kind, UnitKind) and usd for m, (_, usd) in found.items())
    for meaning, (name, usd) in found.items():
        if by_unit and not usd and not isinstance(meaning.kind, UnitKind):
            reason = "zero beside a price by unit: not sold by the token"
            result.skipped.append(SkippedPrice(model_key, name, reason))
        else:
            yield meaning, usd


def _prices(
    listing: Listing,
    meaning: FieldMeaning,
    usd: Decimal,
    entry: Mapping[str, Any],
    terms: ImportTerms,
) -> Iterator[Price]:
    modality = meaning.modality
    if modality == BY_MODE:
        modality = MODALITY_OF_MODE.get(str(entry.get("mode")), TEXT)
    for region in listing.regions:
        key = PriceKey(
            provider=listing.provider,
            model_id=listing.model_id,
            region=region,
            routing_scope=listing.scope,
            service_tier=meaning.service_tier,
            modality=modality,
            context_bucket=meaning.context_bucket,
            kind=meaning.kind,
        )
        yield Price(key, usd, terms.effective_from, None, terms.version, terms.source)


def _keep(
    best: dict[PriceKey, tuple[int, Price, str]],
    price: Price,
    rank: int,
    model_key: str,
    result: PriceImport,
) -> None:
    known = best.get(price.key)
    if known is None:
        best[price.key] = (rank, price, model_key)
        return
    kept, dropped = known, (rank, price, model_key)
    if rank < known[0]:
        kept, dropped = dropped, known
        best[price.key] = kept
    if kept[1].usd_per_million != dropped[1].usd_per_million:
        result.conflicts.append(
            PriceConflict(
                price.key,
                kept[1].usd_per_million,
                kept[2],
                dropped[1].usd_per_million,
                dropped[2],
            )
        )


def _per_million(value: object) -> Decimal | None:
    """USD per 1,000,000 units, exactly; None for what is not a price."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal | str):
        return None
    try:
        with localcontext() as ctx:
            ctx.prec = 100
            amount = Decimal(value) * _TOKENS_PER_MILLION
            if not amount.is_finite() or amount < 0:
                return None
            whole = amount == amount.to_integral_value()
            return amount.quantize(Decimal(1)) if whole else amount.normalize()
    except InvalidOperation:
        return None


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number")

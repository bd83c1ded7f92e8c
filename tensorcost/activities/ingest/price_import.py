"""Brings a price map into the catalogue: into the global list, or as a tenant's overrides.

The same content with the same date is the same version: importing it again changes nothing.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from hashlib import blake2b

from tensorcost.domain.cost.price import Price
from tensorcost.domain.cost.price_matches import ModelMatch
from tensorcost.domain.cost.price_matching import match_prices
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.events.catalogue import EventType
from tensorcost.domain.events.envelope import NewEvent
from tensorcost.domain.ids import TenantId
from tensorcost.providers.price_catalogue.builtin import builtin_maps
from tensorcost.providers.price_catalogue.litellm import (
    ImportTerms,
    PriceImport,
    parse_price_map,
    read_price_map,
)
from tensorcost.storage.audit import record
from tensorcost.storage.price_queries import read_model_prices
from tensorcost.storage.price_use import read_used_models, read_used_places
from tensorcost.storage.prices import (
    PriceRecord,
    add_list_prices,
    add_override_prices,
    begin_list_version,
    begin_override_version,
)
from tensorcost.storage.session import Database, PlatformDatabase, TenantTx


@dataclass(frozen=True, slots=True)
class PriceImportReport:
    """What one import did; ``new`` is false when the same list was there already."""

    version: int
    new: bool
    source: str
    effective_from: datetime
    prices: int = 0
    models: int = 0
    skipped: dict[str, int] = field(default_factory=dict)
    unknown: tuple[tuple[str, str], ...] = ()
    """(model, field) of price fields that the table does not know."""
    conflicts: int = 0
    matches: tuple[ModelMatch, ...] = ()
    """Of a tenant's own prices: the stored usage that takes its price from them."""


async def import_price_list(
    platform: PlatformDatabase, raw: bytes, source: str, effective_from: datetime, *, actor: str
) -> PriceImportReport:
    """Import a LiteLLM-shaped map into the global list: an operator's act.

    Raises ValidationFailed when ``raw`` is not such a map, or gives no price at all.
    """
    models = await asyncio.to_thread(read_price_map, raw)
    kept = PriceRecord(source, _content_hash(raw), effective_from, actor)
    async with platform.open(reason=f"price list {source}", actor=actor) as tx:
        version, new = await begin_list_version(tx, kept)
        if not new:
            return PriceImportReport(version, False, source, effective_from)
        terms = ImportTerms(effective_from, version, source)
        parsed = await asyncio.to_thread(parse_price_map, models, terms)
        _refuse_without_price(parsed)
        await add_list_prices(tx, parsed.prices)
    return _report(version, kept, parsed)


async def import_builtin_lists(
    platform: PlatformDatabase, *, actor: str
) -> list[PriceImportReport]:
    """Import the shipped lists in their order, each effective from its own date."""
    reports = []
    for shipped in builtin_maps():
        kept = PriceRecord(
            shipped.source, _content_hash(shipped.content), shipped.effective_from, actor
        )
        async with platform.open(reason=f"price list {shipped.source}", actor=actor) as tx:
            version, new = await begin_list_version(tx, kept)
            if not new:
                reports.append(PriceImportReport(version, False, kept.source, kept.effective_from))
                continue
            parsed = shipped.parse(version)
            await add_list_prices(tx, parsed.prices)
        reports.append(_report(version, kept, parsed))
    return reports


async def import_overrides(
    db: Database,
    tenant_id: TenantId,
    raw: bytes,
    source: str,
    effective_from: datetime,
    *,
    actor: str,
) -> PriceImportReport:
    """Import a map as the tenant's own negotiated prices; they win from their date on.

    Raises ValidationFailed when ``raw`` is not such a map, or gives no price at all.
    """
    models = await asyncio.to_thread(read_price_map, raw)
    kept = PriceRecord(source, _content_hash(raw), effective_from, actor)
    async with db.tenant(tenant_id) as tx:
        version, new = await begin_override_version(tx, kept)
        terms = ImportTerms(effective_from, version, source)
        parsed = await asyncio.to_thread(parse_price_map, models, terms)
        report = PriceImportReport(version, new, source, effective_from)
        if new:
            _refuse_without_price(parsed)
            await add_override_prices(tx, parsed.prices)
            report = _report(version, kept, parsed)
            await _tell(tx, report, actor)
    async with db.tenant(tenant_id) as tx:
        return replace(report, matches=await _matches(tx, parsed.prices))


async def _tell(tx: TenantTx, report: PriceImportReport, actor: str) -> None:
    data = {"version": report.version, "source": report.source, "prices": report.prices}
    await record(
        tx,
        actor=actor,
        action="price.imported",
        resource_type="price_version",
        resource_id=str(report.version),
        detail=data,
    )
    tx.emit(NewEvent(EventType.COST_PRICES_CHANGED, data))


async def _matches(tx: TenantTx, prices: Sequence[Price]) -> tuple[ModelMatch, ...]:
    """What stored usage the prices, which are stored, are for."""
    if not prices:
        return ()
    models = {price.key.model_id for price in prices}
    used = await read_used_places(tx, models, min(price.valid_from for price in prices).date())
    own = await read_model_prices(tx, {place.where.model_id for place in used})
    names = await read_used_models(tx)
    return await asyncio.to_thread(match_prices, prices, own.overrides, used, names)


def _content_hash(raw: bytes) -> bytes:
    return blake2b(raw, digest_size=16).digest()


def _refuse_without_price(parsed: PriceImport) -> None:
    """Raised within the transaction that began the version, which is taken back with it."""
    if not parsed.prices:
        raise ValidationFailed(f"this map gives no price{_why(parsed)}", field="file")


def _why(parsed: PriceImport) -> str:
    reasons = sorted(parsed.skipped_by_reason().items())
    told = [f"{count} times {reason}" for reason, count in reasons]
    told += [f"{entry.model_key}: unknown field {entry.field}" for entry in parsed.unknown[:5]]
    return f" ({'; '.join(told)})" if told else ""


def _report(version: int, kept: PriceRecord, parsed: PriceImport) -> PriceImportReport:
    return PriceImportReport(
        version=version,
        new=True,
        source=kept.source,
        effective_from=kept.effective_from,
        prices=len(parsed.prices),
        models=parsed.models,
        skipped=parsed.skipped_by_reason(),
        unknown=tuple((entry.model_key, entry.field) for entry in parsed.unknown),
        conflicts=len(parsed.conflicts),
    )

"""Prices of a few models, and where the price of a row came from (N2)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Row

from tensorcost.domain.cost.price import Price
from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.storage.prices import PRICE_COLUMNS, price_of_row
from tensorcost.storage.session import TenantTx

_LISTED: Final = f"SELECT {PRICE_COLUMNS} FROM ai.price WHERE model_id = ANY(:models)"
_OVERRIDES: Final = (
    f"SELECT {PRICE_COLUMNS} FROM ai.price_override "
    "WHERE tenant_id = :tenant AND model_id = ANY(:models)"
)
_VERSIONS: Final = """
    SELECT version_id, source, effective_from, imported_at, false AS is_override
    FROM ai.price_version WHERE version_id = ANY(:versions)
    UNION ALL
    SELECT version_id, source, effective_from, imported_at, true
    FROM ai.price_override_version
    WHERE tenant_id = :tenant AND version_id = ANY(:versions)
"""


@dataclass(frozen=True, slots=True)
class PriceVersion:
    """One import of prices; ``is_override`` when it is the tenant's own."""

    version: int
    source: str
    effective_from: datetime
    imported_at: datetime
    is_override: bool


@dataclass(frozen=True, slots=True)
class ModelPrices:
    """Everything the catalogue holds on some models, expired prices included."""

    listed: tuple[Price, ...]
    overrides: tuple[Price, ...]

    def book(self) -> PriceBook:
        """The rule of preference over these prices."""
        return PriceBook(self.listed, self.overrides)


async def read_model_prices(tx: TenantTx, models: Collection[str]) -> ModelPrices:
    """List prices and the tenant's overrides of ``models``."""
    wanted = sorted(models)
    listed = await tx.all(_LISTED, models=wanted)
    own = await tx.all(_OVERRIDES, tenant=tx.tenant_id, models=wanted)
    return ModelPrices(tuple(map(price_of_row, listed)), tuple(map(price_of_row, own)))


async def read_price_versions(tx: TenantTx, versions: Collection[int]) -> dict[int, PriceVersion]:
    """The imports by version number; a number that is none of them is absent."""
    if not versions:
        return {}
    rows = await tx.all(_VERSIONS, tenant=tx.tenant_id, versions=sorted(versions))
    return {row.version_id: _version(row) for row in rows}


def _version(row: Row[Any]) -> PriceVersion:
    return PriceVersion(
        version=row.version_id,
        source=row.source,
        effective_from=row.effective_from,
        imported_at=row.imported_at,
        is_override=row.is_override,
    )

"""How much of the usage that a bill names is explained, by account, region and day.

Summed where the rows are: an organisation has thousands of places, and a year of days each.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from sqlalchemy import Row

from tensorcost.domain.cost.reconciliation.coverage import Place
from tensorcost.domain.cost.reconciliation.facts import GapClass, Money
from tensorcost.domain.cost.reconciliation.ledger import ESTIMATE_CURRENCY
from tensorcost.storage.reconciliation.chosen import AMOUNTS, chosen_days, money_of, sums
from tensorcost.storage.session import TenantTx


def _filtered(condition: str, prefix: str) -> str:
    return ", ".join(
        f"CASE WHEN {condition} THEN c.attributed_{name} ELSE 0 END AS {prefix}{name}"
        for name in AMOUNTS
    )


def _nothing(*prefixes: str) -> str:
    return ", ".join(f"0 AS {prefix}{name}" for prefix in prefixes for name in AMOUNTS)


_OF_DAYS: Final = (
    "c.tenant_id = :tenant AND c.day = v.day AND c.reconciliation_id = v.reconciliation_id "
    "AND c.currency = :currency"
)
_SUMS: Final = f"""
    WITH v AS ({{days}})
    SELECT s.account_id, s.region, s.day, {sums("request_", "metric_", "unlogged_", alias="s")}
    FROM (
        SELECT c.account_id, c.region, c.day, {_filtered("c.grain = 1", "request_")},
               {_filtered("c.grain = 2", "metric_")}, {_nothing("unlogged_")}
        FROM v JOIN ai.reconciled_cell c ON {_OF_DAYS}
        WHERE (c.attributed_unblended_nano, c.attributed_amortized_nano, c.attributed_net_nano)
            <> (0, 0, 0){{kept}}
        UNION ALL
        SELECT c.account_id, c.region, c.day, {_nothing("request_", "metric_")},
               c.unblended_nano, c.amortized_nano, c.net_nano
        FROM v JOIN ai.reconciled_gap c ON {_OF_DAYS} AND c.gap_class = :unlogged{{kept}}
    ) s
    GROUP BY {{groups}} ORDER BY s.day, s.account_id, s.region
"""
_BY_PLACE_AND_DAY: Final = "GROUPING SETS ((s.account_id, s.region), (s.day))"
_OF_PLACES: Final = (
    " AND (c.account_id, c.region) IN "
    "(SELECT * FROM unnest(CAST(:accounts AS text[]), CAST(:regions AS text[])))"
)


@dataclass(frozen=True, slots=True)
class Explained:
    """Billed usage in scope, in dollars, by what explains it."""

    by_requests: Money
    by_metrics: Money
    unlogged: Money

    @property
    def billed(self) -> Money:
        return self.by_requests.plus(self.by_metrics).plus(self.unlogged)


@dataclass(frozen=True, slots=True)
class CoverageQuery:
    """Reconciled days ``[first_day, end_day)``; None keeps everything."""

    first_day: date
    end_day: date
    account_id: str | None = None
    region: str | None = None
    as_of: datetime | None = None
    """What was believed then; None means now."""


@dataclass(frozen=True, slots=True)
class CoverageSums:
    """The same money twice; days and places without usage in scope are absent."""

    by_place: Mapping[Place, Explained]
    by_day: Mapping[date, Explained]
    """In order."""


async def read_coverage(tx: TenantTx, query: CoverageQuery) -> CoverageSums:
    """Sums over the days by place, and over the places by day."""
    rows = await _read(tx, query, groups=_BY_PLACE_AND_DAY)
    return CoverageSums(
        by_place={(r.account_id, r.region): _explained(r) for r in rows if r.day is None},
        by_day={row.day: _explained(row) for row in rows if row.day is not None},
    )


async def read_coverage_history(
    tx: TenantTx, query: CoverageQuery, places: Collection[Place]
) -> dict[Place, dict[date, Explained]]:
    """The days of each of ``places``, in order."""
    found: dict[Place, dict[date, Explained]] = defaultdict(dict)
    rows = await _read(
        tx,
        query,
        groups="s.account_id, s.region, s.day",
        kept=_OF_PLACES,
        accounts=[account for account, _ in places],
        regions=[region for _, region in places],
    )
    for row in rows:
        found[row.account_id, row.region][row.day] = _explained(row)
    return dict(found)


async def _read(
    tx: TenantTx, query: CoverageQuery, *, groups: str, kept: str = "", **params: Any
) -> list[Row[Any]]:
    given = {"account_id": query.account_id, "region": query.region, "as_of": query.as_of}
    chosen = {name: value for name, value in given.items() if value is not None}
    for name in chosen.keys() - {"as_of"}:
        kept += f" AND c.{name} = :{name}"
    return list(
        await tx.all(
            _SUMS.format(days=chosen_days(query.as_of), kept=kept, groups=groups),
            tenant=tx.tenant_id,
            first_day=query.first_day,
            end_day=query.end_day,
            currency=ESTIMATE_CURRENCY,
            unlogged=GapClass.UNLOGGED.value,
            **chosen,
            **params,
        )
    )


def _explained(row: Row[Any]) -> Explained:
    return Explained(
        by_requests=money_of(row, "request_"),
        by_metrics=money_of(row, "metric_"),
        unlogged=money_of(row, "unlogged_"),
    )

"""Where the gaps of a month come from: the places that weigh most in each class."""

from collections import defaultdict
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from tensorcost.domain.cost.reconciliation.closing import period_end
from tensorcost.domain.cost.reconciliation.facts import Cell, GapClass, Money
from tensorcost.storage.reconciliation.chosen import chosen_days, money_of, sums
from tensorcost.storage.session import TenantTx

MOST_CONTRIBUTORS: Final = 5
_TOLD: Final = ("hints", "units", "kinds", "bill_tiers", "row_tiers", "row_scopes")
"""Evidence that a remedy depends on."""
_NAMED: Final = ", ".join(
    f"string_agg(DISTINCT g.evidence ->> '{name}', ',') AS {name}" for name in _TOLD
)
_CONTRIBUTORS: Final = f"""
    SELECT * FROM (
        SELECT g.currency, g.gap_class, g.account_id, g.region, g.model_id,
               count(*) AS days, {sums("", alias="g")}, {_NAMED},
               row_number() OVER (
                   PARTITION BY g.currency, g.gap_class
                   ORDER BY abs(sum(g.unblended_nano)) DESC, g.account_id, g.region, g.model_id
               ) AS place
        FROM ({{days}}) v JOIN ai.reconciled_gap g ON g.tenant_id = :tenant AND g.day = v.day
            AND g.reconciliation_id = v.reconciliation_id
        GROUP BY 1, 2, 3, 4, 5
    ) c
    WHERE c.place <= :most ORDER BY c.currency, c.gap_class, c.place
"""


class Contributor(NamedTuple):
    """A place's part of a class, over ``days`` days, and what its remedy depends on."""

    cell: Cell
    money: Money
    days: int
    evidence: Mapping[str, str]


async def read_contributors(
    tx: TenantTx, period: date, as_of: datetime | None = None
) -> dict[tuple[str, GapClass], list[Contributor]]:
    """By currency and class of a month, at most ``MOST_CONTRIBUTORS`` each, the largest first."""
    known: dict[str, Any] = {} if as_of is None else {"as_of": as_of}
    rows = await tx.all(
        _CONTRIBUTORS.format(days=chosen_days(as_of)),
        tenant=tx.tenant_id,
        first_day=period,
        end_day=period_end(period),
        most=MOST_CONTRIBUTORS,
        **known,
    )
    found: dict[tuple[str, GapClass], list[Contributor]] = defaultdict(list)
    for row in rows:
        told = {name: _names(value) for name in _TOLD if (value := getattr(row, name))}
        cell = Cell(row.account_id, row.region, row.model_id)
        found[row.currency, GapClass(row.gap_class)].append(
            Contributor(cell, money_of(row), row.days, told)
        )
    return dict(found)


def _names(told: str) -> str:
    """Each name once: days tell overlapping lists of them."""
    return ",".join(sorted(set(told.split(","))))

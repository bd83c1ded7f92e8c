"""Billed usage that no single request explains, by model, and where logs say more than the bill."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from tensorcost.domain.cost.reconciliation.coverage import Place
from tensorcost.domain.cost.reconciliation.facts import GapClass
from tensorcost.domain.cost.reconciliation.ledger import ESTIMATE_CURRENCY
from tensorcost.domain.cost.reconciliation.shortfall import Missed, Span
from tensorcost.storage.reconciliation.chosen import chosen_days
from tensorcost.storage.reconciliation.coverage import CoverageQuery
from tensorcost.storage.session import TenantTx

LOGGED_DAYS: Final = (
    "unnest(CAST(:accounts AS text[]), CAST(:regions AS text[]), CAST(:firsts AS date[]), "
    "CAST(:lasts AS date[])) AS p (account_id, region, first_day, last_day)"
)
_OF_DAY: Final = (
    "c.tenant_id = :tenant AND c.day = v.day AND c.reconciliation_id = v.reconciliation_id "
    "AND c.currency = :currency"
)
_MISSED: Final = f"""
    WITH v AS ({chosen_days(None)}), p AS MATERIALIZED (SELECT * FROM {LOGGED_DAYS}),
    cell AS MATERIALIZED (
        SELECT c.account_id, c.region, c.model_id, c.day, c.grain,
               c.attributed_unblended_nano AS nano
        FROM v JOIN ai.reconciled_cell c ON {_OF_DAY} JOIN p USING (account_id, region)
        WHERE c.grain IS NOT NULL
    ), missed AS (
        SELECT account_id, region, model_id, day, '' AS hints, nano FROM cell WHERE grain = 2
        UNION ALL
        SELECT c.account_id, c.region, c.model_id, c.day,
               coalesce(c.evidence ->> 'hints', ''), c.unblended_nano
        FROM v JOIN ai.reconciled_gap c ON {_OF_DAY} AND c.gap_class = :unlogged
        JOIN p USING (account_id, region)
    )
    SELECT m.account_id, m.region, m.model_id, m.hints,
           CASE WHEN m.day < p.first_day THEN 'before' WHEN m.day > p.last_day THEN 'after'
                ELSE 'within' END AS span,
           l.model_id IS NOT NULL AS is_model_logged, sum(m.nano)::bigint AS nano
    FROM missed m JOIN p USING (account_id, region)
    LEFT JOIN (SELECT DISTINCT account_id, region, model_id FROM cell WHERE grain = 1) l
        USING (account_id, region, model_id)
    GROUP BY 1, 2, 3, 4, 5, 6 HAVING sum(m.nano) <> 0 ORDER BY 1, 2, 3, 4, 5
"""
_EXCESS: Final = f"""
    WITH v AS ({chosen_days(None)})
    SELECT c.account_id, c.region, c.model_id
    FROM v JOIN ai.reconciled_gap c ON {_OF_DAY} AND c.gap_class = :excess
    WHERE c.account_id = ANY(:accounts)
    GROUP BY 1, 2, 3 HAVING sum(c.unblended_nano) < 0
"""


@dataclass(frozen=True, slots=True)
class LoggedDays:
    """A place and the first and the last day of its logged calls."""

    account_id: str
    region: str
    first_day: date
    last_day: date


def bound(places: Sequence[LoggedDays]) -> dict[str, list[str] | list[date]]:
    """What ``LOGGED_DAYS`` binds."""
    return {
        "accounts": [place.account_id for place in places],
        "regions": [place.region for place in places],
        "firsts": [place.first_day for place in places],
        "lasts": [place.last_day for place in places],
    }


async def read_missed(
    tx: TenantTx, query: CoverageQuery, places: Sequence[LoggedDays]
) -> dict[Place, list[Missed]]:
    """What no single request explains in the reconciled days of ``query``, as known now."""
    found: dict[Place, list[Missed]] = defaultdict(list)
    rows = await tx.all(
        _MISSED,
        **_days(tx, query),
        **bound(places),
        unlogged=GapClass.UNLOGGED.value,
    )
    for row in rows:
        found[row.account_id, row.region].append(
            Missed(
                model_id=row.model_id,
                span=Span(row.span),
                hints=frozenset(row.hints.split(",")) - {""},
                is_model_logged=row.is_model_logged,
                nano=row.nano,
            )
        )
    return dict(found)


async def read_excess(
    tx: TenantTx, query: CoverageQuery, accounts: Collection[str]
) -> dict[str, dict[str, set[str]]]:
    """By account and model the regions that logged more in dollars than they were billed."""
    found: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    rows = await tx.all(
        _EXCESS, **_days(tx, query), accounts=sorted(accounts), excess=GapClass.EXCESS.value
    )
    for row in rows:
        found[row.account_id][row.model_id].add(row.region)
    return {account: dict(models) for account, models in found.items()}


def _days(tx: TenantTx, query: CoverageQuery) -> dict[str, object]:
    return {
        "tenant": tx.tenant_id,
        "first_day": query.first_day,
        "end_day": query.end_day,
        "currency": ESTIMATE_CURRENCY,
    }

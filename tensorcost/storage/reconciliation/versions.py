"""Reconciled months, their versions, and what one version says that another did not."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Row

from tensorcost.domain.cost.reconciliation.closing import Cause, period_end
from tensorcost.domain.cost.reconciliation.content import RULES
from tensorcost.domain.cost.reconciliation.facts import LineClass, Money, Share
from tensorcost.storage.reconciliation.chosen import (
    AMOUNTS,
    BEGINNING,
    END,
    chosen_days,
    days_of_version,
    money_of,
    sums,
)
from tensorcost.storage.session import TenantTx

_VERSION: Final = (
    "r.reconciliation_id, r.period, r.version, r.known_at, r.closed_until, r.deliveries, "
    "r.requested_by, r.days, r.days_changed, r.rules, r.causes"
)
_VERSIONS: Final = f"""
    SELECT {_VERSION} FROM ai.reconciliation r
    WHERE r.tenant_id = :tenant AND r.period = :period ORDER BY r.version DESC
"""
_RULES: Final = """
    SELECT period FROM (
        SELECT DISTINCT ON (period) period, rules FROM ai.reconciliation
        WHERE tenant_id = :tenant ORDER BY period DESC, version DESC
    ) newest WHERE rules <> :rules ORDER BY period DESC
"""
_PERIODS: Final = f"""
    WITH newest AS (
        SELECT DISTINCT ON (r.period) {_VERSION} FROM ai.reconciliation r
        WHERE r.tenant_id = :tenant{{known}} ORDER BY r.period, r.version DESC
    ), shared AS (
        SELECT date_trunc('month', s.day)::date AS period, s.share, s.currency,
               {sums("", alias="s")}
        FROM ({{days}}) v JOIN ai.reconciled_share s ON s.tenant_id = :tenant AND s.day = v.day
            AND s.reconciliation_id = v.reconciliation_id
        GROUP BY 1, 2, 3
    )
    SELECT r.*, s.share, s.currency, s.unblended_nano, s.amortized_nano, s.net_nano
    FROM newest r LEFT JOIN shared s USING (period)
    ORDER BY r.period DESC, s.share, s.currency
"""
_OF_DAY: Final = (
    "{alias}.tenant_id = :tenant AND {alias}.day = v.day "
    "AND {alias}.reconciliation_id = v.reconciliation_id"
)


def _named(*prefixes: str) -> str:
    return ", ".join(f"{prefix}{name}" for prefix in prefixes for name in AMOUNTS)


_DIFFERENCE: Final = f"""
    WITH changed AS (
        SELECT day, reconciliation_id, sum(side) AS side FROM (
            SELECT l.*, 1 AS side FROM ({days_of_version("latter")}) l
            UNION ALL SELECT f.*, -1 FROM ({days_of_version("former")}) f
        ) d GROUP BY day, reconciliation_id HAVING sum(side) <> 0
    )
    SELECT * FROM (
        SELECT c.account_id, c.model_id, c.line_class, c.currency,
               sum(c.side * c.estimate_nano)::bigint AS estimate_nano,
               {sums("billed_", "attributed_", alias="c", factor="c.side * ")}
        FROM (
            SELECT v.side, c.account_id, c.model_id, '{LineClass.USAGE}' AS line_class, c.currency,
                   c.estimate_nano, {_named("c.billed_", "c.attributed_")}
            FROM changed v JOIN ai.reconciled_cell c ON {_OF_DAY.format(alias="c")}
            UNION ALL
            SELECT v.side * w.sign, g.account_id, g.model_id,
                   CASE WHEN w.sign < 0 THEN '{LineClass.USAGE}' ELSE g.gap_class END, g.currency,
                   0, {", ".join(f"g.{name}" for name in AMOUNTS)}, 0, 0, 0
            FROM changed v JOIN ai.reconciled_gap g ON {_OF_DAY.format(alias="g")}
                AND g.gap_class = ANY(CAST(:apart AS text[]))
            CROSS JOIN (VALUES (1), (-1)) AS w (sign)
        ) c
        GROUP BY 1, 2, 3, 4
    ) t
    WHERE (estimate_nano, billed_unblended_nano, billed_amortized_nano, billed_net_nano,
        attributed_unblended_nano, attributed_amortized_nano, attributed_net_nano)
        <> (0, 0, 0, 0, 0, 0, 0)
    ORDER BY account_id, model_id, line_class, currency
"""
"""A place's bill is its usage and the classes apart from it: what these have, usage has not."""
_APART: Final = [name.value for name in LineClass if name is not LineClass.USAGE]


@dataclass(frozen=True, slots=True)
class Version:
    """One reconciliation of a month."""

    reconciliation_id: UUID
    period: date
    version: int
    known_at: datetime
    closed_until: date
    """Days before this one are in it."""
    deliveries: tuple[UUID, ...]
    requested_by: str
    days: int
    days_changed: int
    rules: str
    """Of ours, that made it; empty where that was not kept yet."""
    causes: tuple[Cause, ...]
    """What was seen to differ from the version before; none where only prices may have."""

    @property
    def has_other_rules(self) -> bool:
        """It was made by other rules than today's."""
        return self.rules != RULES


@dataclass(frozen=True, slots=True)
class ReconciledPeriod:
    """A month's newest version, and where the billed money of its days went."""

    version: Version
    shares: Mapping[tuple[Share, str], Money]
    """By share and currency. Together they are the bill of the closed days."""


@dataclass(frozen=True, slots=True)
class Delta:
    """What an account, model and class gained, or lost, from one version to another."""

    account_id: str
    model_id: str
    line_class: LineClass
    currency: str
    estimate_nano: int
    billed: Money
    attributed: Money


async def read_reconciled_periods(
    tx: TenantTx, as_of: datetime | None = None
) -> list[ReconciledPeriod]:
    """Every reconciled month, the newest first; with ``as_of`` what was believed then."""
    known: dict[str, Any] = {} if as_of is None else {"as_of": as_of}
    sql = _PERIODS.format(
        days=chosen_days(as_of), known="" if as_of is None else " AND r.known_at <= :as_of"
    )
    bounds = {"first_day": BEGINNING, "end_day": END}
    found: dict[date, tuple[Version, dict[tuple[Share, str], Money]]] = {}
    for row in await tx.all(sql, tenant=tx.tenant_id, **bounds, **known):
        _, shares = found.setdefault(row.period, (_version(row), {}))
        if row.share is not None:
            shares[Share(row.share), row.currency] = money_of(row)
    return [ReconciledPeriod(version, shares) for version, shares in found.values()]


async def read_older_rules(tx: TenantTx) -> list[date]:
    """The months, newest first, whose newest version was made by other rules than today's."""
    rows = await tx.all(_RULES, tenant=tx.tenant_id, rules=RULES)
    return [row.period for row in rows]


async def read_versions(tx: TenantTx, period: date) -> list[Version]:
    """The versions of one month, the newest first."""
    rows = await tx.all(_VERSIONS, tenant=tx.tenant_id, period=period)
    return [_version(row) for row in rows]


async def read_version_known(
    tx: TenantTx, period: date, as_of: datetime | None = None
) -> Version | None:
    """The newest version of a month, or the newest that was known at ``as_of``; None before the
    first."""
    versions = await read_versions(tx, period)
    return next((one for one in versions if as_of is None or one.known_at <= as_of), None)


async def read_difference(
    tx: TenantTx, period: date, *, former: int, latter: int, end_day: date | None = None
) -> list[Delta]:
    """Signed deltas by account, model and class from version ``former`` (0: nothing yet) to
    ``latter``. Estimates and what is attributed belong to usage.

    Over the whole month, or only over the days before ``end_day``.
    """
    rows = await tx.all(
        _DIFFERENCE,
        tenant=tx.tenant_id,
        period=period,
        first_day=period,
        end_day=end_day or period_end(period),
        former=former,
        latter=latter,
        apart=_APART,
    )
    return [
        Delta(
            account_id=row.account_id,
            model_id=row.model_id,
            line_class=LineClass(row.line_class),
            currency=row.currency,
            estimate_nano=row.estimate_nano,
            billed=money_of(row, "billed_"),
            attributed=money_of(row, "attributed_"),
        )
        for row in rows
    ]


def _version(row: Row[Any]) -> Version:
    return Version(
        reconciliation_id=row.reconciliation_id,
        period=row.period,
        version=row.version,
        known_at=row.known_at,
        closed_until=row.closed_until,
        deliveries=tuple(row.deliveries),
        requested_by=row.requested_by,
        days=row.days,
        days_changed=row.days_changed,
        rules=row.rules,
        causes=tuple(Cause(cause) for cause in row.causes),
    )

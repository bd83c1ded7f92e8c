"""The ledger and the bill behind it: single lines, and their names in each gap's evidence."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from tensorcost.domain.clock import Clock
from tensorcost.domain.cost.reconciliation.facts import Gap, LineClass
from tensorcost.domain.cost.reconciliation.line_names import (
    NamedLines,
    lines_of_class,
    name_lines,
)
from tensorcost.domain.cost.reconciliation.months import month_name, month_of
from tensorcost.domain.errors import NotFound
from tensorcost.domain.identity.principal import Principal
from tensorcost.domain.identity.scopes import Scope
from tensorcost.services.authorise import requires
from tensorcost.services.reconciliation.asking import LedgerAsk, LinesAsk, ledger_query, line_query
from tensorcost.services.spend.access import AuditedReads
from tensorcost.storage.reconciliation.bill_lines import (
    LineKey,
    LineOnBill,
    NamedPlace,
    read_bill_lines,
    read_line_names,
)
from tensorcost.storage.reconciliation.ledger import LedgerKey, LedgerRow, read_ledger
from tensorcost.storage.reconciliation.versions import read_version_known
from tensorcost.storage.session import Database, TenantTx


class BillReads:
    """Reads of the ledger, and of the single lines of the bills beneath it."""

    def __init__(self, db: Database, clock: Clock) -> None:
        self._clock = clock
        self._reads = AuditedReads(db, clock)

    @requires(Scope.COST_READ)
    async def ledger(
        self, principal: Principal, ask: LedgerAsk, *, limit: int, after: LedgerKey | None = None
    ) -> Sequence[LedgerRow]:
        """At most ``limit`` rows after a key: the newest day first, then by place. The evidence of
        each gap names the lines of the bill that it is about."""
        query = ledger_query(ask, self._clock())
        async with self._reads.sums(principal, "reconciliation.ledger") as tx:
            rows = (await read_ledger(tx, query, limit=limit, after=after)).rows
            return await with_line_names(tx, rows, query.as_of)

    @requires(Scope.COST_READ)
    async def bill_lines(
        self, principal: Principal, ask: LinesAsk, *, limit: int, after: LineKey | None = None
    ) -> Sequence[LineOnBill]:
        """At most ``limit`` lines of the bill after a key, in the bill's order: of the deliveries
        and closed days of the month's newest version, or of the one known at ``as_of``.

        NotFound for a month that is not reconciled (by then).
        """
        query = line_query(ask, self._clock())
        month = month_of(ask.period)
        detail = {
            "period": month_name(month),
            "account": ask.account,
            "model_id": ask.model_id,
            "class": ask.gap_class,
        }
        async with self._reads.rows(principal, "reconciliation.lines", detail) as tx:
            version = await read_version_known(tx, month, query.as_of)
            if version is None:
                raise NotFound("reconciled month", month_name(month))
            return (await read_bill_lines(tx, version, query, limit=limit, after=after)).rows


async def with_line_names(
    tx: TenantTx, rows: Sequence[LedgerRow], as_of: datetime | None
) -> tuple[LedgerRow, ...]:
    """The rows with what the bill calls the lines behind each gap: the bill of the newest version
    of their month, or of the one known at ``as_of``."""
    by_month: dict[date, set[NamedPlace]] = defaultdict(set)
    for row in rows:
        if row.total.lines:
            by_month[row.day.replace(day=1)].add(_place(row))
    names: dict[NamedPlace, Mapping[LineClass, Sequence[NamedLines]]] = {}
    for period, places in by_month.items():
        version = await read_version_known(tx, period, as_of)
        if version is not None and version.deliveries:
            names |= await read_line_names(tx, version, places)
    return tuple(replace(row, gaps=_named(row, names.get(_place(row), {}))) for row in rows)


def _place(row: LedgerRow) -> NamedPlace:
    return (row.day, row.total.cell, row.total.currency)


def _named(row: LedgerRow, lines: Mapping[LineClass, Sequence[NamedLines]]) -> tuple[Gap, ...]:
    told = {line_class: name_lines(found) for line_class, found in lines.items()}
    return tuple(
        replace(gap, evidence={**gap.evidence, **told.get(lines_of_class(gap.gap_class), {})})
        for gap in row.gaps
    )

"""What the bill says against what was logged."""

from dataclasses import replace

import strawberry

from tensorcost.domain.cost.reconciliation.facts import Basis
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.cost.inputs import WindowInput
from tensorcost.graphql.paging import Connection, connection, page_of
from tensorcost.graphql.reconciliation.coverage import SpendCoverage
from tensorcost.graphql.reconciliation.ledger import LedgerEntry, LedgerFilterInput, ledger_ask
from tensorcost.graphql.reconciliation.lines import (
    BillLineFilterInput,
    ReconciledBillLine,
    lines_ask,
)
from tensorcost.graphql.reconciliation.months import (
    ReconciliationDiff,
    ReconciliationPeriod,
    ReconciliationPeriodDetail,
)
from tensorcost.graphql.roots import query
from tensorcost.graphql.scalars import Moment
from tensorcost.services.reconciliation.asking import (
    CoverageAsk,
    cursor_key,
    ledger_key,
    line_key,
    month_key,
)
from tensorcost.services.reconciliation.coverage import CoverageService
from tensorcost.services.reconciliation.service import ReconciliationService
from tensorcost.storage.reconciliation.ledger import LedgerOrder


@strawberry.type
class ReconciliationQueries:
    @query(ReconciliationService.periods, "Billing months, the newest first.")
    async def reconciliation_periods(
        self, info: GraphqlInfo, first: int, after: str | None = None, as_of: Moment | None = None
    ) -> Connection[ReconciliationPeriod] | None:
        context, page = info.context, page_of(first, after)
        rows = await context.services.reconciliation.periods(
            context.principal,
            limit=page.limit,
            before=month_key(page.after, field="after"),
            as_of=as_of,
        )
        return connection(
            rows,
            page,
            node=ReconciliationPeriod.from_domain,
            key=lambda row: (month_name(row.period),),
        )

    @query(ReconciliationService.period, "One month, such as `2026-10`.")
    async def reconciliation_period(
        self, info: GraphqlInfo, period: str, as_of: Moment | None = None
    ) -> ReconciliationPeriodDetail | None:
        context = info.context
        found = await context.services.reconciliation.period(context.principal, period, as_of)
        return ReconciliationPeriodDetail.with_versions(found)

    @query(
        ReconciliationService.difference,
        "What one version of a month changed against another: by default the newest against the "
        "one before it. Version 0 is what was known before the first.",
    )
    async def reconciliation_diff(
        self,
        info: GraphqlInfo,
        period: str,
        from_version: int | None = None,
        to_version: int | None = None,
        limit: int | None = None,
    ) -> ReconciliationDiff | None:
        context = info.context
        found = await context.services.reconciliation.difference(
            context.principal, period, former=from_version, latter=to_version, limit=limit
        )
        return ReconciliationDiff.from_domain(found)

    @query(
        ReconciliationService.ledger,
        "Logged against billed by day, account, region and model: of a month, of a window, or "
        "of the last 30 days.",
    )
    async def reconciliation_ledger(
        self,
        info: GraphqlInfo,
        first: int,
        after: str | None = None,
        period: str | None = None,
        window: WindowInput | None = None,
        filter: LedgerFilterInput | None = None,
        order: LedgerOrder = LedgerOrder.DAY,
    ) -> Connection[LedgerEntry] | None:
        context, page = info.context, page_of(first, after)
        rows = await context.services.reconciliation.ledger(
            context.principal,
            replace(ledger_ask(period, window, filter), order=order),
            limit=page.limit,
            after=ledger_key(page.after, field="after", order=order),
        )
        return connection(
            rows, page, node=LedgerEntry.from_domain, key=lambda row: cursor_key(row.key)
        )

    @query(
        ReconciliationService.bill_lines,
        "The lines of the bill behind a month's ledger: of its closed days, in the bill's order.",
    )
    async def reconciliation_lines(
        self,
        info: GraphqlInfo,
        period: str,
        first: int,
        after: str | None = None,
        window: WindowInput | None = None,
        filter: BillLineFilterInput | None = None,
    ) -> Connection[ReconciledBillLine] | None:
        context, page = info.context, page_of(first, after)
        rows = await context.services.reconciliation.bill_lines(
            context.principal,
            lines_ask(period, window, filter),
            limit=page.limit,
            after=line_key(page.after, field="after"),
        )
        return connection(
            rows,
            page,
            node=ReconciledBillLine.from_domain,
            key=lambda row: (str(row.key.delivery_id), row.key.line_no),
        )

    @query(
        CoverageService.coverage,
        "The share of billed AI dollars that is explained, by account and region.",
    )
    async def spend_coverage(
        self,
        info: GraphqlInfo,
        window: WindowInput | None = None,
        account: str | None = None,
        region: str | None = None,
        basis: Basis = Basis.UNBLENDED,
        silent_only: bool = False,
        limit: int | None = None,
    ) -> SpendCoverage | None:
        context, given = info.context, window or WindowInput()
        ask = CoverageAsk(
            start=given.from_,
            end=given.to,
            as_of=given.as_of,
            account=account,
            region=region,
            basis=basis,
            silent_only=silent_only,
        )
        return SpendCoverage.from_domain(
            await context.services.coverage.coverage(context.principal, ask, limit)
        )

"""Reconciliation with the bill: months, versions, the ledger, coverage, a run now (N1, N15)."""

from typing import Annotated

from fastapi import APIRouter, Query

from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.gateway.envelope import Bytes, Envelope, accepted, ok
from tensorcost.gateway.paging import next_cursor
from tensorcost.gateway.routes.bill_line_shapes import BillLineOut, line_json
from tensorcost.gateway.routes.coverage_shapes import CoverageOut, coverage_json
from tensorcost.gateway.routes.reconciliation_params import (
    CoverageParams,
    DifferenceParams,
    KnownParams,
    LedgerParams,
    LinesParams,
    MonthsParams,
    ReconcileBody,
)
from tensorcost.gateway.routes.reconciliation_shapes import (
    DifferenceOut,
    LedgerRowOut,
    MonthDetailOut,
    MonthOut,
    RequestedRunOut,
    detail_json,
    difference_json,
    month_json,
    row_json,
)
from tensorcost.gateway.scoped import Caller, api
from tensorcost.services.authorise import serves
from tensorcost.services.reconciliation.asking import (
    cursor_key,
    ledger_key,
    line_key,
    month_key,
)
from tensorcost.services.reconciliation.coverage import CoverageService
from tensorcost.services.reconciliation.service import ReconciliationService


def router(reconciliation: ReconciliationService, coverage: CoverageService) -> APIRouter:
    """``/v1/cost/reconciliation`` and ``/v1/cost/coverage``."""
    routes = api("/v1/cost", "reconciliation")
    _months(routes, reconciliation)
    _month(routes, reconciliation)
    _lines(routes, reconciliation)
    _runs(routes, reconciliation)
    _coverage(routes, coverage)
    return routes


def _months(routes: APIRouter, reconciliation: ReconciliationService) -> None:
    @routes.get("/reconciliation", response_model=Envelope[list[MonthOut]])
    @serves(ReconciliationService.periods)
    async def list_reconciliations(
        caller: Caller, params: Annotated[MonthsParams, Query()]
    ) -> Bytes:
        """Billing months, newest first: billed, attributed, what is neither, and why."""
        page = params.page(params.limit)
        rows = await reconciliation.periods(
            caller,
            limit=page.limit,
            before=month_key(page.after, field="cursor"),
            as_of=params.as_of,
        )
        return ok(
            [month_json(row) for row in rows],
            next_cursor=next_cursor(rows, page, lambda row: (month_name(row.period),)),
        )


def _month(routes: APIRouter, reconciliation: ReconciliationService) -> None:
    @routes.get("/reconciliation/{period}", response_model=Envelope[MonthDetailOut])
    @serves(ReconciliationService.period)
    async def get_reconciliation(
        caller: Caller, period: str, params: Annotated[KnownParams, Query()]
    ) -> Bytes:
        """One month, such as `2026-10`, with its versions and the exports that bill it."""
        return ok(detail_json(await reconciliation.period(caller, period, params.as_of)))

    @routes.get("/reconciliation/{period}/ledger", response_model=Envelope[list[LedgerRowOut]])
    @serves(ReconciliationService.ledger)
    async def list_reconciliation_ledger(
        caller: Caller, period: str, params: Annotated[LedgerParams, Query()]
    ) -> Bytes:
        """Logged against billed by day, account, region and model; each gap by class."""
        page = params.page(params.limit)
        after = ledger_key(page.after, field="cursor", order=params.order)
        rows = await reconciliation.ledger(
            caller, params.ask(period), limit=page.limit, after=after
        )
        return ok(
            [row_json(row) for row in rows],
            next_cursor=next_cursor(rows, page, lambda row: cursor_key(row.key)),
        )

    @routes.get("/reconciliation/{period}/diff", response_model=Envelope[DifferenceOut])
    @serves(ReconciliationService.difference)
    async def get_reconciliation_diff(
        caller: Caller, period: str, params: Annotated[DifferenceParams, Query()]
    ) -> Bytes:
        """What one version changed against another, by account and model."""
        found = await reconciliation.difference(
            caller, period, former=params.from_, latter=params.to, limit=params.limit
        )
        return ok(difference_json(found))


def _lines(routes: APIRouter, reconciliation: ReconciliationService) -> None:
    @routes.get("/reconciliation/{period}/lines", response_model=Envelope[list[BillLineOut]])
    @serves(ReconciliationService.bill_lines)
    async def list_reconciliation_lines(
        caller: Caller, period: str, params: Annotated[LinesParams, Query()]
    ) -> Bytes:
        """The lines of the bill behind a month's ledger: of its closed days, in the bill's order.
        Name day, account, region, model and class of a ledger's row to see what it is made of."""
        page = params.page(params.limit)
        after = line_key(page.after, field="cursor")
        rows = await reconciliation.bill_lines(
            caller, params.ask(period), limit=page.limit, after=after
        )
        return ok(
            [line_json(row) for row in rows],
            next_cursor=next_cursor(
                rows, page, lambda row: (str(row.key.delivery_id), row.key.line_no)
            ),
        )


def _runs(routes: APIRouter, reconciliation: ReconciliationService) -> None:
    @routes.post("/reconciliation/runs", status_code=202, response_model=Envelope[RequestedRunOut])
    @serves(ReconciliationService.reconcile)
    async def request_reconciliation(caller: Caller, body: ReconcileBody | None = None) -> Bytes:
        """Reconcile what is due now. `reconciliation.completed` events tell of each month."""
        return accepted(await reconciliation.reconcile(caller, body.period if body else None))


def _coverage(routes: APIRouter, coverage: CoverageService) -> None:
    @routes.get("/coverage", response_model=Envelope[CoverageOut])
    @serves(CoverageService.coverage)
    async def get_spend_coverage(
        caller: Caller, params: Annotated[CoverageParams, Query()]
    ) -> Bytes:
        """The share of billed AI dollars that is explained, by account and region; silent
        places with their probable cause."""
        return ok(coverage_json(await coverage.coverage(caller, params.ask(), params.limit)))

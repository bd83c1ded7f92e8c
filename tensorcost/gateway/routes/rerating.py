"""Re-ratings: what newer prices change in stored rows, and decisions about it (N3)."""

from uuid import UUID

from fastapi import APIRouter

from tensorcost.gateway.envelope import Bytes, Envelope, accepted, ok
from tensorcost.gateway.paging import Paging, next_cursor, time_and_id
from tensorcost.gateway.routes.rerating_shapes import (
    ApproveIn,
    RejectIn,
    ReratingDetailOut,
    ReratingOut,
    StartedReratingOut,
    detail_json,
    rerating_json,
)
from tensorcost.gateway.scoped import Caller, api
from tensorcost.services.authorise import serves
from tensorcost.services.rerating import ReratingService


def router(reratings: ReratingService) -> APIRouter:
    """``/v1/cost/reratings``."""
    routes = api("/v1/cost", "reratings")
    _reads(routes, reratings)
    _runs(routes, reratings)
    _decisions(routes, reratings)
    return routes


def _reads(routes: APIRouter, reratings: ReratingService) -> None:
    @routes.get("/reratings", response_model=Envelope[list[ReratingOut]])
    @serves(ReratingService.list)
    async def list_reratings(caller: Caller, page: Paging) -> Bytes:
        """Re-ratings that changed something or would, the newest first."""
        rows = await reratings.list(caller, limit=page.limit, after=time_and_id(page))
        return ok(
            [rerating_json(row) for row in rows],
            next_cursor=next_cursor(
                rows, page, lambda row: (row.opened_at.isoformat(), str(row.rerating_id))
            ),
        )

    @routes.get("/reratings/{rerating_id}", response_model=Envelope[ReratingDetailOut])
    @serves(ReratingService.get)
    async def get_rerating(caller: Caller, rerating_id: UUID) -> Bytes:
        """One re-rating with its newest preview: the difference by month and model."""
        return ok(detail_json(await reratings.get(caller, rerating_id)))


def _runs(routes: APIRouter, reratings: ReratingService) -> None:
    shape = Envelope[StartedReratingOut]

    @routes.post("/reratings", status_code=202, response_model=shape)
    @serves(ReratingService.request)
    async def request_rerating(caller: Caller) -> Bytes:
        """Hold every stored row against the newest prices. Imports of prices do so by
        themselves; this also finds what was left as it was before."""
        return accepted(await reratings.request(caller))

    @routes.post("/reratings/{rerating_id}/revert", status_code=202, response_model=shape)
    @serves(ReratingService.revert)
    async def revert_rerating(caller: Caller, rerating_id: UUID) -> Bytes:
        """Give the rows of a re-rating their former price back, as a re-rating of its own."""
        return accepted(await reratings.revert(caller, rerating_id))


def _decisions(routes: APIRouter, reratings: ReratingService) -> None:
    shape = Envelope[ReratingDetailOut]

    @routes.post("/reratings/{rerating_id}/approve", response_model=shape)
    @serves(ReratingService.approve)
    async def approve_rerating(caller: Caller, rerating_id: UUID, body: ApproveIn) -> Bytes:
        """Change months that are over as the preview shows. 409 once prices have changed since,
        and for who brought or asked for these prices."""
        found = await reratings.approve(
            caller, rerating_id, preview=body.preview, reason=body.reason
        )
        return ok(detail_json(found))

    @routes.post("/reratings/{rerating_id}/reject", response_model=shape)
    @serves(ReratingService.reject)
    async def reject_rerating(
        caller: Caller, rerating_id: UUID, body: RejectIn | None = None
    ) -> Bytes:
        """Leave months that are over as they are."""
        reason = body.reason if body is not None else ""
        return ok(detail_json(await reratings.reject(caller, rerating_id, reason=reason)))

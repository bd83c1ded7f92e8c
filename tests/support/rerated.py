"""A tenant whose stored rows are held against other prices."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from typing import Any
from uuid import UUID, uuid4

import orjson

from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.rerating.activities import RerateActivities, rerate_process
from tensorcost.activities.rerating.rerater import OnDay, Rerater
from tensorcost.domain.cost.contracts import ReconcileRequest
from tensorcost.domain.cost.contracts_rerating import (
    Applied,
    ApplyOrder,
    ApproveRequest,
    EnterOrder,
    Preview,
    PreviewOrder,
    RejectRequest,
    RerateInput,
    RerateState,
    RunKey,
)
from tensorcost.domain.errors import Conflict
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.facts import Dimension, Grain
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.storage.prices import price_state
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import Origin
from tests.support.price_rows import add_override
from tests.support.spend import MODEL, add_row, dimension
from tests.support.truths import read_usage

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
LONG_AGO = datetime(2025, 1, 1, tzinfo=UTC)
OCTOBER = datetime(2026, 10, 10, 9, 30, tzinfo=UTC)
NOVEMBER = datetime(2026, 11, 12, 9, 30, tzinfo=UTC)
REQUESTER = "user:requester"
AT_2 = 220_000
"""Nano-dollars of 100 input and 10 output tokens at 2 dollars a million."""
AT_3 = 330_000


class NoDecisions:
    """Stands in for the workflow server where prices are decided: remembers what it was asked."""

    def __init__(self) -> None:
        self.begun: list[RerateInput] = []
        self.approved: list[ApproveRequest] = []
        self.rejected: list[RejectRequest] = []

    async def begin(self, request: RerateInput) -> tuple[str, bool]:
        self.begun.append(request)
        return rerate_process(request).workflow_id, True

    async def is_running(self, workflow_id: str) -> bool:
        return True

    async def approve(self, workflow_id: str, request: ApproveRequest) -> None:
        if request.preview != 1:
            raise Conflict(f"preview {request.preview} is not the newest: look at 1")
        self.approved.append(request)

    async def reject(self, workflow_id: str, request: RejectRequest) -> None:
        self.rejected.append(request)


class _Unasked:
    """Nobody reconciles here."""

    async def ask(self, request: ReconcileRequest) -> str:
        raise AssertionError(f"asked for {request}")


@dataclass
class Books:
    """One tenant's rows and prices, and shortcuts to look at them."""

    db: Database
    tenant: TenantId
    rerater: Rerater
    ids: list[UUID] = field(default_factory=list)

    async def use(
        self, *moments: datetime, where: Dimension | None = None, grain: Grain = Grain.REQUEST
    ) -> None:
        """Load one row a moment, priced as any load prices."""
        parsed = ParsedSpend(grain)
        for moment in moments:
            add_row(parsed, str(uuid4()), moment, where or dimension())
        ingest = SpendIngest(self.db, PriceBooks(self.db))
        await ingest.load_window(self.tenant, Origin("test"), "rows", lambda: [parsed])

    async def price(
        self, usd: str, since: datetime = LONG_AGO, *, by: str = "user:importer", model: str = MODEL
    ) -> int:
        """Import a price of the tenant's own; its version."""
        return await add_override(self.db, self.tenant, model, usd, since, imported_by=by)

    async def request(self, **changes: Any) -> RerateInput:
        """What the newest price version would start."""
        async with self.db.tenant(self.tenant) as tx:
            version = max(await price_state(tx))
        values = {"tenant_id": self.tenant, "price_version": version, "requested_by": REQUESTER}
        return RerateInput(**{**values, **changes})

    async def preview(self, **changes: Any) -> Preview:
        """The first preview of a new run."""
        self.ids.append(uuid4())
        return await self.look_again(**changes)

    async def look_again(self, number: int = 1, **changes: Any) -> Preview:
        """A preview of the last run."""
        order = PreviewOrder(
            request=await self.request(**changes),
            rerating_id=self.ids[-1],
            workflow_id="test/rerate",
            number=number,
        )
        return await self.rerater.preview(order)

    async def settled(self) -> None:
        """Decide what was imported so far: what follows is about later prices alone."""
        assert (await self.preview()).months == ()

    async def reject(self) -> None:
        """End the last run undone."""
        await self.end(RerateState.REJECTED)

    async def end(self, state: RerateState, number: int = 1) -> None:
        """End the last run as the workflow does."""
        activities = RerateActivities(self.db, self.rerater, _Unasked())
        await activities.enter(EnterOrder(run=self.key(number), state=state, note="as told"))

    async def apply(
        self,
        number: int = 1,
        *,
        approved: bool = False,
        on_day: OnDay | None = None,
        **changes: Any,
    ) -> Applied:
        order = ApplyOrder(
            request=await self.request(**changes),
            run=self.key(number),
            approved=approved,
            applied_by="user:approver",
        )
        return await self.rerater.apply(order, on_day)

    def key(self, number: int = 1) -> RunKey:
        return RunKey(tenant_id=self.tenant, rerating_id=self.ids[-1], preview=number)

    async def costs(self) -> list[tuple[int | None, int | None]]:
        """(cost, price version) of every event in order of time."""
        rows = await self._all("SELECT cost_nano, price_version FROM ai.spend_event ORDER BY ts")
        return [(row.cost_nano, row.price_version) for row in rows]

    async def spend(self, as_of: datetime | None = None) -> dict[date, tuple[int, int]]:
        """(cost, unpriced requests) by day, as the deltas known at ``as_of`` add up."""
        rows = await self._all(
            "SELECT day, sum(cost_nano)::bigint AS cost, sum(unpriced_requests)::bigint AS lacking "
            "FROM ai.spend_delta JOIN ai.ingest_batch USING (tenant_id, batch_id) "
            "WHERE CAST(:at AS timestamptz) IS NULL OR known_at <= :at GROUP BY day",
            at=as_of,
        )
        return {row.day: (row.cost, row.lacking) for row in rows}

    async def assert_sums_agree(self) -> None:
        """Events, hours, days and deltas say the same."""
        (await read_usage(self.db, self.tenant)).assert_consistent()

    async def history(self) -> list[tuple[int | None, int | None]]:
        """(cost, price version) that held before, in the order in which they were replaced."""
        rows = await self._all(
            "SELECT cost_nano, price_version FROM ai.event_price_history ORDER BY batch_id, ts"
        )
        return [(row.cost_nano, row.price_version) for row in rows]

    async def events(self, kind: str) -> list[dict[str, Any]]:
        rows = await self._all(
            "SELECT data::text AS data FROM app.event_outbox WHERE type = :kind ORDER BY cursor",
            kind=kind,
        )
        return [orjson.loads(row.data) for row in rows]

    async def audited(self, action: str) -> list[str]:
        """Who did that."""
        rows = await self._all(
            "SELECT actor FROM app.audit_entry WHERE action = :action ORDER BY at", action=action
        )
        return [row.actor for row in rows]

    async def now(self) -> datetime:
        """The database's clock."""
        rows = await self._all("SELECT clock_timestamp() AS at")
        found: datetime = rows[0].at
        return found

    async def _all(self, sql: str, **params: Any) -> Sequence[Any]:
        async with self.db.tenant(self.tenant) as tx:
            return await tx.all(sql, **params)


async def waiting_books(db: Database, tenant: TenantId) -> Books:
    """A re-rating, previewed: one row of a month that is over would cost three dollars a million
    tokens, not two."""
    books = Books(db, tenant, Rerater(db, lambda: NOW))
    await books.price("2")
    await books.use(OCTOBER)
    await books.settled()
    await books.price("3")
    await books.preview()
    return books

"""Sync history: runs, their steps, and what they did not accept."""

from datetime import datetime
from uuid import UUID

import strawberry

from tensorcost.domain.integration import progress_records as records
from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.progress import percent
from tensorcost.domain.integration.states import RunKind, RunState, StepState
from tensorcost.graphql.context import GraphqlInfo
from tensorcost.graphql.ids import Node, global_id
from tensorcost.graphql.paging import Connection, connection, page_of
from tensorcost.graphql.scalars import Count

RUN = "SyncRun"
CONNECTION = "ProviderConnection"
QUARANTINED = "QuarantinedRow"


@strawberry.type(description="`accepted` + `duplicate` + `rejected` = `rowsRead`.")
class RunTally:
    done: Count
    failed: Count
    objects: Count
    rows_read: Count
    accepted: Count
    duplicate: Count
    rejected: Count
    unpriced: Count
    bytes_read: Count

    @classmethod
    def from_domain(cls, found: Tally) -> "RunTally":
        return cls(**found.model_dump())


@strawberry.type(description="One piece of a run: a source of an account, in a region and window.")
class SyncStep:
    key: str
    position: int
    account_id: str
    region: str
    source: str
    window_start: datetime | None
    window_end: datetime | None
    state: StepState
    tally: RunTally
    detail: str
    started_at: datetime
    finished_at: datetime | None
    attempt: int = strawberry.field(description="The newest attempt, from 1; 0 before the first.")
    error_code: str = strawberry.field(
        description="Of the last failed attempt, or of what a completed step refused or set aside: "
        "`detail` says what."
    )
    error: str = strawberry.field(description="Why the last attempt ended; empty once completed.")

    @classmethod
    def from_domain(cls, found: records.SyncStep) -> "SyncStep":
        return cls(
            key=found.step_key,
            position=found.position,
            account_id=found.account_id,
            region=found.region,
            source=found.source,
            window_start=found.window_start,
            window_end=found.window_end,
            state=found.state,
            tally=RunTally.from_domain(found.tally),
            detail=found.detail,
            started_at=found.started_at,
            finished_at=found.finished_at,
            attempt=found.attempt,
            error_code=found.error_code,
            error=found.error,
        )


@strawberry.type(description="A validation, backfill or sync of a connection.")
class SyncRun(Node):
    run_id: strawberry.Private[UUID]
    connection_id: strawberry.ID
    kind: RunKind
    state: RunState
    workflow_id: str
    started_at: datetime
    finished_at: datetime | None
    window_start: datetime | None
    window_end: datetime | None
    steps_total: Count
    percent: int = strawberry.field(description="Whole per cent of the steps, 100 only when done.")
    tally: RunTally
    estimated_finish: datetime | None
    note: str
    requested_by: str

    @strawberry.field
    async def steps(
        self, info: GraphqlInfo, first: int, after: str | None = None
    ) -> Connection[SyncStep]:
        context, page = info.context, page_of(first, after)
        if page.after is None:
            rows = await context.integration.steps.load((self.run_id, page.limit))
        else:
            rows = await context.services.history.steps(
                context.principal, self.run_id, limit=page.limit, after=page.after_number()
            )
        return connection(rows, page, node=SyncStep.from_domain, key=lambda step: (step.position,))

    @classmethod
    def from_domain(cls, found: records.SyncRun) -> "SyncRun":
        return cls(
            id=global_id(RUN, found.run_id),
            run_id=found.run_id,
            connection_id=global_id(CONNECTION, found.connection_id),
            kind=found.kind,
            state=found.state,
            workflow_id=found.workflow_id,
            started_at=found.started_at,
            finished_at=found.finished_at,
            window_start=found.window_start,
            window_end=found.window_end,
            steps_total=Count(found.steps_total),
            percent=percent(found.tally.done, found.steps_total),
            tally=RunTally.from_domain(found.tally),
            estimated_finish=found.estimated_finish,
            note=found.note,
            requested_by=found.requested_by,
        )


@strawberry.type(description="A row or file that was not accepted; never its text.")
class QuarantinedRow(Node):
    run_id: strawberry.ID | None
    file: str
    position: Count
    reason: str
    detail: str
    created_at: datetime

    @classmethod
    def from_domain(cls, found: records.QuarantinedRow) -> "QuarantinedRow":
        return cls(
            id=global_id(QUARANTINED, found.quarantine_id),
            run_id=None if found.run_id is None else global_id(RUN, found.run_id),
            file=found.file,
            position=Count(found.position),
            reason=found.reason,
            detail=found.detail,
            created_at=found.created_at,
        )

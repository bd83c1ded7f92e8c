"""The one small starter: workflows are begun, joined, steered and scheduled by name.

Nobody imports ``workflows`` upward (decisions 34). Errors come back as DomainErrors: a refusal
by a workflow's validator is a Conflict, a server that cannot be reached is Unavailable.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Final, TypeVar

from pydantic import BaseModel
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleAlreadyRunningError,
    ScheduleIntervalSpec,
    ScheduleOverlapPolicy,
    SchedulePolicy,
    ScheduleSpec,
    ScheduleUpdate,
    ScheduleUpdateInput,
    WithStartWorkflowOperation,
    WorkflowExecutionStatus,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.common import (
    Priority,
    SearchAttributeKey,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from tensorcost.domain.errors import Conflict, DomainError, NotFound, Unavailable
from tensorcost.domain.ids import TenantId
from tensorcost.domain.temporal import SearchAttribute, TaskQueue

R = TypeVar("R", bound=BaseModel)
UPDATE_TIMEOUT: Final = timedelta(seconds=20)
CATCHUP: Final = timedelta(minutes=10)
JITTER_SHARE: Final = 0.1
_CLOSED_UNDER_US: Final = "AcceptedUpdateCompletedWorkflow"
_ATTEMPTS: Final = 3


@dataclass(frozen=True, slots=True)
class Process:
    """A workflow about to be started: its name, business key, tenant and one input model."""

    name: str
    workflow_id: str
    tenant_id: TenantId
    context: str
    argument: BaseModel
    summary: str = ""
    attributes: Mapping[SearchAttribute, str] = field(default_factory=dict)

    def search_attributes(self) -> TypedSearchAttributes:
        values = {
            SearchAttribute.TENANT_ID: str(self.tenant_id),
            SearchAttribute.CONTEXT: self.context,
            **self.attributes,
        }
        return TypedSearchAttributes(
            [
                SearchAttributePair(SearchAttributeKey.for_keyword(name.value), value)
                for name, value in values.items()
            ]
        )

    def priority(self) -> Priority:
        """Tenants share queues fairly: the server interleaves their backlogs by this key."""
        return Priority(fairness_key=str(self.tenant_id))


class Processes:
    """Talks to Temporal for services and activities."""

    def __init__(self, client: Client, *, queue_suffix: str = "") -> None:
        """``queue_suffix`` sets a deployment's queues apart from others on the same namespace."""
        self._client = client
        self._queue = TaskQueue.CORE.value + queue_suffix

    async def start(self, process: Process) -> bool:
        """Start the workflow; False when its business key is running already."""
        with_attributes = process.search_attributes()
        async with _domain_errors(process.workflow_id):
            try:
                await self._client.start_workflow(
                    process.name,
                    process.argument,
                    id=process.workflow_id,
                    task_queue=self._queue,
                    id_conflict_policy=WorkflowIDConflictPolicy.FAIL,
                    search_attributes=with_attributes,
                    static_summary=process.summary or None,
                    priority=process.priority(),
                )
            except WorkflowAlreadyStartedError:
                return False
        return True

    async def signal_or_start(
        self, process: Process, signal: str, argument: BaseModel, *, again: bool = False
    ) -> None:
        """Deliver the signal, starting the workflow when it never ran or did not complete.

        What has completed stays so: a signal that comes after is old news, unless the work is
        to be done ``again``.
        """
        completed_too = WorkflowIDReusePolicy.ALLOW_DUPLICATE
        reuse = completed_too if again else WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY
        async with _domain_errors(process.workflow_id):
            with suppress(WorkflowAlreadyStartedError):
                await self._client.start_workflow(
                    process.name,
                    process.argument,
                    id=process.workflow_id,
                    id_reuse_policy=reuse,
                    task_queue=self._queue,
                    start_signal=signal,
                    start_signal_args=[argument],
                    search_attributes=process.search_attributes(),
                    static_summary=process.summary or None,
                    priority=process.priority(),
                )

    async def update_or_start(
        self,
        process: Process,
        update: str,
        argument: BaseModel,
        result: type[R],
        *,
        update_id: str | None = None,
    ) -> R:
        """Send the update, starting the workflow when it is not running; its answer.

        ``update_id`` makes a repeated request get the first one's answer. A workflow that closes
        while the update is under way is started again.
        """
        for attempt in range(_ATTEMPTS):
            operation: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
                process.name,
                process.argument,
                id=process.workflow_id,
                task_queue=self._queue,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                search_attributes=process.search_attributes(),
                static_summary=process.summary or None,
                priority=process.priority(),
            )
            async with _domain_errors(process.workflow_id):
                try:
                    answer = await self._client.execute_update_with_start_workflow(
                        update,
                        argument,
                        start_workflow_operation=operation,
                        id=update_id,
                        result_type=result,
                        rpc_timeout=UPDATE_TIMEOUT,
                    )
                except WorkflowUpdateFailedError as error:
                    if not _closed_under_us(error) or attempt == _ATTEMPTS - 1:
                        raise
                    continue
            assert isinstance(answer, result)
            return answer
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def update(
        self,
        workflow_id: str,
        update: str,
        argument: BaseModel,
        result: type[R],
        *,
        update_id: str | None = None,
    ) -> R:
        """Send the update to a running workflow; NotFound when there is none."""
        handle = self._client.get_workflow_handle(workflow_id)
        async with _domain_errors(workflow_id):
            answer = await handle.execute_update(
                update,
                argument,
                id=update_id,
                result_type=result,
                rpc_timeout=UPDATE_TIMEOUT,
            )
        assert isinstance(answer, result)
        return answer

    async def signal(self, workflow_id: str, signal: str, argument: BaseModel) -> None:
        """Send the signal to a running workflow; NotFound when there is none."""
        async with _domain_errors(workflow_id):
            await self._client.get_workflow_handle(workflow_id).signal(signal, argument)

    async def is_running(self, workflow_id: str) -> bool:
        """Whether a workflow of this id is open."""
        async with _domain_errors(workflow_id):
            try:
                described = await self._client.get_workflow_handle(workflow_id).describe()
            except RPCError as error:
                if error.status is RPCStatusCode.NOT_FOUND:
                    return False
                raise
        return described.status is WorkflowExecutionStatus.RUNNING

    async def ensure_schedule(self, process: Process, every: timedelta) -> bool:
        """Create the schedule whose id is the workflow id, or bring it up to date.

        Runs never overlap and a missed one is caught up only for minutes: the next covers it.
        False when it existed; its pause state is then kept.
        """
        schedule = Schedule(
            action=ScheduleActionStartWorkflow(
                process.name,
                process.argument,
                id=process.workflow_id,
                task_queue=self._queue,
                typed_search_attributes=process.search_attributes(),
                static_summary=process.summary or None,
                priority=process.priority(),
            ),
            spec=ScheduleSpec(
                intervals=[ScheduleIntervalSpec(every=every)], jitter=every * JITTER_SHARE
            ),
            policy=SchedulePolicy(overlap=ScheduleOverlapPolicy.SKIP, catchup_window=CATCHUP),
        )

        def updated(found: ScheduleUpdateInput) -> ScheduleUpdate:
            schedule.state = found.description.schedule.state
            return ScheduleUpdate(schedule)

        async with _domain_errors(process.workflow_id):
            try:
                await self._client.create_schedule(process.workflow_id, schedule)
            except ScheduleAlreadyRunningError:
                handle = self._client.get_schedule_handle(process.workflow_id)
                await handle.update(updated)
                return False
        return True


@contextmanager
def must_be_open(refusal: str) -> Iterator[None]:
    """Conflict with ``refusal`` where the process that is steered inside is not running."""
    try:
        yield
    except NotFound as error:
        raise Conflict(refusal) from error


def _closed_under_us(error: WorkflowUpdateFailedError) -> bool:
    return isinstance(error.cause, ApplicationError) and error.cause.type == _CLOSED_UNDER_US


@asynccontextmanager
async def _domain_errors(workflow_id: str) -> AsyncIterator[None]:
    try:
        yield
    except WorkflowUpdateFailedError as error:
        raise _refusal(error) from error
    except WorkflowUpdateRPCTimeoutOrCancelledError as error:
        raise Unavailable("no worker answered in time; try again") from error
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise NotFound("process", workflow_id) from error
        raise Unavailable("the workflow server cannot be reached") from error


def _refusal(error: WorkflowUpdateFailedError) -> DomainError:
    cause = error.cause
    if isinstance(cause, ApplicationError):
        return Conflict(cause.message)
    return Unavailable("the process could not answer")

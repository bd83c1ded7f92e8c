"""Drives one workflow instance in process, with virtual time: no server, no waiting.

It speaks the SDK's own activation protocol, so that the sandbox, updates, validators and timers
behave as on a worker. ``temporalio.bridge`` is private: the SDK is pinned, and
``test_workflow_driver`` is the contract.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

from pydantic import BaseModel
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.activity_result import ActivityResolution
from temporalio.bridge.proto.workflow_activation import (
    CancelWorkflow,
    DoUpdate,
    FireTimer,
    InitializeWorkflow,
    ResolveActivity,
    ResolveChildWorkflowExecutionStart,
    ResolveChildWorkflowExecutionStartSuccess,
    SignalWorkflow,
    WorkflowActivation,
    WorkflowActivationJob,
)
from temporalio.common import TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker import WorkflowRunner

from tensorcost.workers.build import Activity
from tensorcost.workers.plugin import data_converter, workflow_runner
from tests.support.workflow_protocol import (
    SEED,
    cancelled_activity,
    failed_activity,
    instance_details,
)

Answer = Callable[[Any], Any]
STEP_LIMIT = 5_000


@dataclass
class UpdateHandle:
    """What became of an update."""

    accepted: bool = False
    rejection: ApplicationError | None = None
    result: Payload | None = None
    failure: BaseException | None = None

    def value(self, model: type[BaseModel]) -> Any:
        assert self.result is not None, "the update has not completed"
        return data_converter().payload_converter.from_payload(self.result, model)


@dataclass
class Timer:
    seq: int
    due: datetime
    summary: str


@dataclass
class Pending:
    """An activity that waits for its answer."""

    seq: int
    name: str
    argument: Any
    command: Any


@dataclass
class WorkflowDriver:
    """One instance of ``cls``. ``types`` are the bound or unbound activities it may call."""

    cls: type
    argument: BaseModel
    types: list[Activity]
    workflow_id: str = "test/workflow"
    now: datetime = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
    attributes: TypedSearchAttributes = TypedSearchAttributes.empty
    runner: WorkflowRunner = field(default_factory=workflow_runner)
    history_is_long: bool = False
    outcome: Any = None
    failure: BaseException | None = None
    continued: Any = None
    cancelled: bool = False
    done: bool = False
    states: list[str] = field(default_factory=list)
    children: list[Any] = field(default_factory=list)
    timers: dict[int, Timer] = field(default_factory=dict)
    details: str = ""
    _fakes: dict[str, Answer] = field(default_factory=dict)
    _held: set[str] = field(default_factory=set)
    _pending: dict[int, Pending] = field(default_factory=dict)
    _calls: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))
    _updates: dict[str, UpdateHandle] = field(default_factory=dict)
    _jobs: list[WorkflowActivationJob] = field(default_factory=list)
    _instance: Any = None

    def fake(
        self, name: str, returns: Any = None, *, raises: Exception | None = None, by: Any = None
    ) -> None:
        """Answer an activity: with a value, an error, or what ``by(argument)`` gives."""
        assert name in self._signatures(), f"no activity is called {name}"

        def answer(argument: Any) -> Any:
            if raises is not None:
                raise raises
            return by(argument) if by is not None else returns

        self._fakes[name] = answer

    def hold(self, name: str) -> None:
        """Leave activities of this name unanswered until ``release``."""
        self._held.add(name)

    async def release(self, name: str, count: int = 1) -> None:
        """Answer the oldest held ones, then settle."""
        held = [pending for pending in self._pending.values() if pending.name == name][:count]
        assert len(held) == count, f"{len(held)} of {count} are held"
        for pending in held:
            self._resolve(pending)
        await self.settle()

    def held(self, name: str) -> list[Any]:
        """Arguments of the unanswered activities of this name."""
        return [pending.argument for pending in self._pending.values() if pending.name == name]

    def calls(self, name: str) -> list[Any]:
        """Arguments of every call of an activity, in order."""
        return self._calls[name]

    async def start(self) -> None:
        """The first workflow task, and all that can be answered at once."""
        defn = workflow._Definition.must_from_class(self.cls)
        self.runner.prepare_workflow(defn)
        self._instance = self.runner.create_instance(
            instance_details(defn, self.workflow_id, self.now, self.attributes)
        )
        start = InitializeWorkflow(
            workflow_type=defn.name or "",
            workflow_id=self.workflow_id,
            arguments=[self._payload(self.argument)],
            randomness_seed=SEED,
        )
        start.start_time.FromDatetime(self.now)
        self._jobs.insert(0, WorkflowActivationJob(initialize_workflow=start))
        await self.settle()

    async def settle(self) -> None:
        """Answer everything that is not held, until only time or messages can move it on."""
        for _ in range(STEP_LIMIT):
            for pending in list(self._pending.values()):
                if pending.name not in self._held:
                    self._resolve(pending)
            if not self._jobs or self.done:
                return
            await self._activate()
        raise AssertionError("the workflow does not come to rest")

    async def skip(self, span: timedelta) -> None:
        """Let time pass, firing the timers on the way."""
        until = self.now + span
        while not self.done:
            due = sorted(
                (timer for timer in self.timers.values() if timer.due <= until),
                key=lambda timer: (timer.due, timer.seq),
            )
            if not due:
                break
            await self._fire(due[0])
        self.now = max(self.now, until)

    async def finish(self, within: timedelta = timedelta(days=400)) -> Any:
        """Run to the end, skipping from timer to timer; the result, or the failure raised."""
        await self.settle()
        limit = self.now + within
        while not self.done:
            assert self.timers, "the workflow waits for a message that never comes"
            timer = min(self.timers.values(), key=lambda timer: (timer.due, timer.seq))
            assert timer.due <= limit, f"still waiting at {timer.due}: {timer.summary}"
            await self._fire(timer)
        if self.failure is not None:
            raise self.failure
        return self.outcome

    async def update(self, name: str, argument: BaseModel) -> UpdateHandle:
        """Send an update and settle."""
        handle = UpdateHandle()
        key = f"update-{len(self._updates)}"
        self._updates[key] = handle
        job = DoUpdate(
            id=key,
            protocol_instance_id=key,
            name=name,
            input=[self._payload(argument)],
            run_validator=True,
        )
        self._jobs.append(WorkflowActivationJob(do_update=job))
        if self._instance is not None:
            await self.settle()
        return handle

    async def signal(self, name: str, *arguments: BaseModel) -> None:
        job = SignalWorkflow(
            signal_name=name, input=[self._payload(argument) for argument in arguments]
        )
        self._jobs.append(WorkflowActivationJob(signal_workflow=job))
        if self._instance is not None:
            await self.settle()

    async def cancel(self) -> None:
        """Request cancellation of the workflow, as the Temporal UI does."""
        self._jobs.append(WorkflowActivationJob(cancel_workflow=CancelWorkflow(reason="test")))
        await self.settle()

    async def _fire(self, timer: Timer) -> None:
        del self.timers[timer.seq]
        self.now = max(self.now, timer.due)
        self._jobs.append(WorkflowActivationJob(fire_timer=FireTimer(seq=timer.seq)))
        await self.settle()

    async def _activate(self) -> None:
        jobs, self._jobs = self._jobs, []
        act = WorkflowActivation(
            run_id="run", jobs=jobs, continue_as_new_suggested=self.history_is_long
        )
        act.timestamp.FromDatetime(self.now)
        loop = asyncio.get_running_loop()
        completion = await loop.run_in_executor(None, self._instance.activate, act)
        if completion.HasField("failed"):
            raise AssertionError(f"workflow task failed: {completion.failed.failure}")
        for command in completion.successful.commands:
            self._handle(command)

    def _handle(self, command: Any) -> None:
        kind = command.WhichOneof("variant")
        handler = getattr(self, f"_on_{kind}", None)
        assert handler is not None, f"the driver does not know {kind}"
        handler(getattr(command, kind), command)

    def _on_schedule_activity(self, given: Any, command: Any) -> None:
        arguments, _ = self._signatures()[given.activity_type]
        (argument,) = self._converter().from_payloads(list(given.arguments), arguments)
        self._calls[given.activity_type].append(argument)
        self._pending[given.seq] = Pending(given.seq, given.activity_type, argument, given)

    def _on_request_cancel_activity(self, given: Any, command: Any) -> None:
        pending = self._pending.pop(given.seq, None)
        if pending is None:
            return
        resolution = ActivityResolution()
        resolution.cancelled.failure.CopyFrom(cancelled_activity())
        self._answer(given.seq, resolution)

    def _on_start_timer(self, given: Any, command: Any) -> None:
        summary = ""
        if command.user_metadata.HasField("summary"):
            summary = self._converter().from_payload(command.user_metadata.summary, str)
        due = self.now + given.start_to_fire_timeout.ToTimedelta()
        self.timers[given.seq] = Timer(given.seq, due, summary)

    def _on_cancel_timer(self, given: Any, command: Any) -> None:
        self.timers.pop(given.seq, None)

    def _on_upsert_workflow_search_attributes(self, given: Any, command: Any) -> None:
        found = given.search_attributes
        fields = found.indexed_fields if hasattr(found, "indexed_fields") else found
        if "State" in fields:
            self.states.append(self._converter().from_payload(fields["State"], str))

    def _on_start_child_workflow_execution(self, given: Any, command: Any) -> None:
        self.children.append(given)
        started = ResolveChildWorkflowExecutionStartSuccess(run_id="child-run")
        self._jobs.append(
            WorkflowActivationJob(
                resolve_child_workflow_execution_start=ResolveChildWorkflowExecutionStart(
                    seq=given.seq, succeeded=started
                )
            )
        )

    def _on_set_patch_marker(self, given: Any, command: Any) -> None:
        """A run that begins today takes every patch; nothing answers."""

    def _on_update_response(self, given: Any, command: Any) -> None:
        handle = self._updates[given.protocol_instance_id]
        kind = given.WhichOneof("response")
        if kind == "accepted":
            handle.accepted = True
        elif kind == "completed":
            handle.result = given.completed
        else:
            error = self._error(given.rejected)
            if handle.accepted:
                handle.failure = error
            else:
                assert isinstance(error, ApplicationError)
                handle.rejection = error

    def _on_complete_workflow_execution(self, given: Any, command: Any) -> None:
        hint = workflow._Definition.must_from_class(self.cls).ret_type
        self.outcome = self._converter().from_payload(given.result, hint)
        self.done = True

    def _on_fail_workflow_execution(self, given: Any, command: Any) -> None:
        self.failure = self._error(given.failure)
        self.done = True

    def _on_cancel_workflow_execution(self, given: Any, command: Any) -> None:
        self.cancelled = self.done = True

    def _on_continue_as_new_workflow_execution(self, given: Any, command: Any) -> None:
        (self.continued,) = self._converter().from_payloads(
            list(given.arguments), [type(self.argument)]
        )
        self.done = True

    def _resolve(self, pending: Pending) -> None:
        del self._pending[pending.seq]
        resolution = ActivityResolution()
        fake = self._fakes.get(pending.name)
        assert fake is not None, f"no fake answers {pending.name}"
        try:
            answer = fake(pending.argument)
        except ApplicationError as error:
            resolution.failed.failure.CopyFrom(failed_activity(error))
        else:
            resolution.completed.result.CopyFrom(self._payload(answer))
        self._answer(pending.seq, resolution)

    def _answer(self, seq: int, resolution: ActivityResolution) -> None:
        job = ResolveActivity(seq=seq, result=resolution)
        self._jobs.append(WorkflowActivationJob(resolve_activity=job))

    def _signatures(self) -> dict[str, tuple[list[type], Any]]:
        found = {}
        for callable_ in self.types:
            defn = activity._Definition.must_from_callable(callable_)
            found[defn.name or ""] = (list(defn.arg_types or []), defn.ret_type)
        return found

    def _error(self, failure: Failure) -> BaseException:
        return data_converter().failure_converter.from_failure(failure, self._converter())

    def _payload(self, value: Any) -> Payload:
        return cast("Payload", self._converter().to_payload(value))

    def _converter(self) -> Any:
        return data_converter().payload_converter

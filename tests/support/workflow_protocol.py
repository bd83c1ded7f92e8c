"""The SDK's activation protocol, as far as the workflow driver has to speak it."""

from datetime import datetime, timedelta
from typing import Any

from temporalio import workflow
from temporalio.api.common.v1 import Payloads
from temporalio.api.failure.v1 import ActivityFailureInfo, CanceledFailureInfo, Failure
from temporalio.common import Priority, TypedSearchAttributes
from temporalio.exceptions import ApplicationError
from temporalio.worker._workflow_instance import WorkflowInstanceDetails

from tensorcost.domain.temporal import TaskQueue
from tensorcost.workers.plugin import data_converter

SEED = 7


def instance_details(
    defn: Any, workflow_id: str, now: datetime, attributes: TypedSearchAttributes
) -> WorkflowInstanceDetails:
    """What a worker would know of a run that starts ``now`` on the core queue."""
    converter = data_converter()
    return WorkflowInstanceDetails(
        payload_converter_factory=lambda: converter.payload_converter,
        failure_converter_class=converter.failure_converter_class,
        interceptor_classes=[],
        defn=defn,
        info=_info(defn.name or "", workflow_id, now, attributes),
        randomness_seed=SEED,
        extern_functions={"__temporal_get_metric_meter": lambda: None},
        disable_eager_activity_execution=False,
        worker_level_failure_exception_types=[],
        patch_activation_callback=None,
        last_completion_result=Payloads(),
        last_failure=None,
    )


def failed_activity(error: ApplicationError) -> Failure:
    """An activity that gave up with ``error``, as the workflow is told of it."""
    failure = Failure(message="Activity task failed", activity_failure_info=ActivityFailureInfo())
    converter = data_converter()
    converter.failure_converter.to_failure(error, converter.payload_converter, failure.cause)
    return failure


def cancelled_activity() -> Failure:
    """An activity that was cancelled at the workflow's request."""
    return Failure(
        message="Activity cancelled",
        activity_failure_info=ActivityFailureInfo(),
        cause=Failure(message="cancelled", canceled_failure_info=CanceledFailureInfo()),
    )


def _info(
    name: str, workflow_id: str, now: datetime, attributes: TypedSearchAttributes
) -> workflow.Info:
    return workflow.Info(
        attempt=1,
        continued_run_id=None,
        cron_schedule=None,
        execution_timeout=None,
        first_execution_run_id="run",
        headers={},
        namespace="default",
        original_execution_run_id="run",
        parent=None,
        root=None,
        priority=Priority.default,
        raw_memo={},
        retry_policy=None,
        run_id="run",
        run_timeout=None,
        search_attributes={},
        start_time=now,
        task_queue=TaskQueue.CORE.value,
        task_timeout=timedelta(seconds=10),
        typed_search_attributes=attributes,
        workflow_id=workflow_id,
        workflow_start_time=now,
        workflow_type=name,
    )

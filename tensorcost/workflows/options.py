"""Named option sets of activities: timeouts, retries and queue, in one place."""

from datetime import timedelta
from typing import Final

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.workflow import ActivityConfig

from tensorcost.workflows.visibility import fair

with workflow.unsafe.imports_passed_through():
    from tensorcost.domain.ids import TenantId
    from tensorcost.domain.integration.contracts import LONGEST_PAUSE, Failure
    from tensorcost.domain.temporal import TaskQueue

MAX_SUMMARY: Final = 200
_NEVER: Final = [
    Failure.CUSTOMER_MUST_ACT.value,
    Failure.CONNECTION_GONE.value,
    Failure.UNKNOWN_PROVIDER.value,
    Failure.INVALID_ITEM.value,
]

DB_SHORT: Final[ActivityConfig] = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(milliseconds=200),
        maximum_interval=LONGEST_PAUSE,
        non_retryable_error_types=_NEVER,
    ),
)
"""A transaction or two. Retried without limit: the database comes back."""

DB_LONG: Final[ActivityConfig] = ActivityConfig(
    start_to_close_timeout=timedelta(minutes=5),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=LONGEST_PAUSE,
        non_retryable_error_types=_NEVER,
    ),
)
"""Planning and judging: bigger statements, nothing outside. Their heartbeats only tell a worker
that is gone: a task handed to one that is just closing would else be missed after minutes."""

CLOUD_PROBE: Final[ActivityConfig] = ActivityConfig(
    start_to_close_timeout=timedelta(seconds=45),
    retry_policy=RetryPolicy(maximum_attempts=2, non_retryable_error_types=_NEVER),
)
"""One validation round. The workflow repeats it; retries only bridge a lost worker."""


def _look(attempts: int) -> ActivityConfig:
    return ActivityConfig(
        start_to_close_timeout=timedelta(hours=1),
        heartbeat_timeout=timedelta(seconds=60),
        retry_policy=RetryPolicy(
            initial_interval=timedelta(seconds=1),
            maximum_interval=LONGEST_PAUSE,
            maximum_attempts=attempts,
            non_retryable_error_types=_NEVER,
        ),
    )


CLOUD_READ: Final = _look(attempts=125)
"""Listing accounts, regions and sources: hundreds of accounts at the tenant's own pace. Nothing can
be read before: an outage of an hour is waited out."""

CLOUD_LOOK: Final = _look(attempts=6)
"""The same before a sync, which reads what is known all the same: the next one looks again."""

CLOUD_INGEST: Final[ActivityConfig] = ActivityConfig(
    start_to_close_timeout=timedelta(hours=2),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=LONGEST_PAUSE,
        maximum_attempts=110,
        non_retryable_error_types=_NEVER,
    ),
)
"""One work item, or some small ones: streams, commits object by object, resumes from its step.
An outage of fifty minutes is waited out."""


RECONCILE_MONTH: Final[ActivityConfig] = ActivityConfig(
    start_to_close_timeout=timedelta(hours=1),
    heartbeat_timeout=timedelta(seconds=30),
    retry_policy=RetryPolicy(
        initial_interval=timedelta(seconds=1),
        maximum_interval=LONGEST_PAUSE,
        maximum_attempts=110,
        non_retryable_error_types=[
            *_NEVER,
            Failure.NO_BILL.value,
            Failure.IDENTITY_BROKEN.value,
        ],
    ),
)
"""One month in one transaction, begun again from its first day. An outage of fifty minutes is
waited out."""


def named(options: ActivityConfig, summary: str) -> ActivityConfig:
    """The same options with the line that the Temporal UI shows."""
    return ActivityConfig(**{**options, "summary": summary[:MAX_SUMMARY]})


def on_cloud(options: ActivityConfig, summary: str, tenant_id: TenantId) -> ActivityConfig:
    """The same options on the cloud queue that belongs to this workflow's own queue.

    The queue is shared fairly among tenants.
    """
    queue = workflow.info().task_queue.replace(TaskQueue.CORE.value, TaskQueue.CLOUD.value, 1)
    return ActivityConfig(
        **{**named(options, summary), "task_queue": queue, "priority": fair(tenant_id)}
    )

"""The workers of one process: workflows and short activities on core, reading on cloud."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any, Final

from temporalio.client import Client
from temporalio.worker import Worker

from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.integration.discovery import DiscoveryActivities
from tensorcost.activities.integration.items import ItemActivities
from tensorcost.activities.integration.ports import Connectors, Loaders
from tensorcost.activities.integration.rotation import RotationActivities
from tensorcost.activities.integration.runs import RunActivities
from tensorcost.activities.integration.schedules import ScheduleActivities
from tensorcost.activities.integration.validation import ValidationActivities
from tensorcost.activities.processes import Processes
from tensorcost.activities.reconciliation.activities import ReconciliationActivities
from tensorcost.activities.reconciliation.ask import ReconcileProcess
from tensorcost.activities.reconciliation.reconciler import Reconciler
from tensorcost.activities.rerating.activities import RerateActivities
from tensorcost.activities.rerating.rerater import Rerater
from tensorcost.activities.stored_secrets import StoredSecretActivities
from tensorcost.activities.tenancy import TenancyActivities
from tensorcost.domain.clock import Clock
from tensorcost.domain.temporal import TaskQueue
from tensorcost.storage.session import Database
from tensorcost.workers.settings import WorkerSettings
from tensorcost.workflows.backfill import Backfill
from tensorcost.workflows.connection_onboarding import ConnectionOnboarding
from tensorcost.workflows.customer_onboarding import CustomerOnboarding
from tensorcost.workflows.reconcile import Reconcile
from tensorcost.workflows.rerate import Rerate
from tensorcost.workflows.secret_rotation import SecretRotation
from tensorcost.workflows.stored_secret_rotation import StoredSecretRotation
from tensorcost.workflows.sync import Sync

WORKFLOWS: Final = (
    Backfill,
    ConnectionOnboarding,
    CustomerOnboarding,
    Reconcile,
    Rerate,
    SecretRotation,
    StoredSecretRotation,
    Sync,
)

Activity = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class WorkerDeps:
    """What workers need. ``client`` must be connected with ``temporal_plugin``."""

    client: Client
    db: Database
    connectors: Connectors
    loaders: Loaders
    threads: Executor
    clock: Clock
    settings: WorkerSettings


@dataclass(frozen=True, slots=True)
class Activities:
    """Bound activities by queue."""

    core: Sequence[Activity]
    cloud: Sequence[Activity]


def activities(deps: WorkerDeps) -> Activities:
    """Every activity with its collaborators."""
    settings = deps.settings
    processes = Processes(deps.client, queue_suffix=settings.queue_suffix)
    validation = ValidationActivities(deps.db, deps.connectors, deps.threads, deps.clock)
    discovery = DiscoveryActivities(
        deps.db, deps.connectors, deps.threads, deps.clock, settings.longest_pause
    )
    items = ItemActivities(
        deps.db,
        deps.connectors,
        deps.loaders,
        deps.threads,
        deps.clock,
        longest_pause=settings.longest_pause,
    )
    runs = RunActivities(deps.db, deps.clock, ReconcileProcess(processes), settings.tenant_cap)
    reconciler = Reconciler(deps.db, PriceBooks(deps.db), deps.clock)
    reconciliation = ReconciliationActivities(deps.db, reconciler)
    rerater = Rerater(deps.db, deps.clock)
    rerating = RerateActivities(deps.db, rerater, ReconcileProcess(processes))
    rotation = RotationActivities(deps.db, deps.connectors, deps.threads, deps.clock)
    stored_secrets = StoredSecretActivities(deps.db, deps.clock)
    schedules = ScheduleActivities(processes, settings.sync_every)
    tenancy = TenancyActivities(deps.db, processes, deps.clock)
    return Activities(
        core=(
            validation.open_validation,
            validation.record_round,
            validation.finish_validation,
            rotation.switch,
            rotation.finish,
            runs.open_backfill,
            runs.plan_backfill,
            runs.plan_sync,
            runs.next_items,
            runs.fail_item,
            runs.finish_run,
            discovery.judge_silence,
            reconciliation.due_periods,
            reconciliation.note_failure,
            rerating.decide,
            rerating.enter,
            rerating.warn,
            rerating.ask_reconciliation,
            schedules.ensure_schedule,
            stored_secrets.end_rotation,
            tenancy.report_fact,
            tenancy.project_onboarding,
        ),
        cloud=(
            validation.probe,
            discovery.discover,
            items.ingest_item,
            items.ingest_items,
            rotation.look,
            reconciliation.reconcile_period,
            rerating.preview,
            rerating.apply,
        ),
    )


def build(deps: WorkerDeps, queues: Sequence[TaskQueue] = tuple(TaskQueue)) -> list[Worker]:
    """The workers of ``queues``, not yet running: ``run_workers`` starts and drains them."""
    bound, settings = activities(deps), deps.settings
    workers = []
    if TaskQueue.CORE in queues:
        workers.append(
            Worker(
                deps.client,
                task_queue=TaskQueue.CORE.value + settings.queue_suffix,
                workflows=WORKFLOWS,
                activities=bound.core,
                max_concurrent_activities=settings.core_activities,
                max_concurrent_workflow_tasks=settings.workflow_tasks,
                max_cached_workflows=settings.cached_workflows,
                graceful_shutdown_timeout=settings.core_drain,
                # An activity handed to a worker that is closing is lost until it times out.
                disable_eager_activity_execution=True,
            )
        )
    if TaskQueue.CLOUD in queues:
        workers.append(
            Worker(
                deps.client,
                task_queue=TaskQueue.CLOUD.value + settings.queue_suffix,
                activities=bound.cloud,
                max_concurrent_activities=settings.cloud_activities,
                max_heartbeat_throttle_interval=settings.heartbeat_throttle,
                default_heartbeat_throttle_interval=settings.heartbeat_throttle,
                graceful_shutdown_timeout=settings.cloud_drain,
                # Eagerly started activities skip the queue, and with it fairness.
                disable_eager_activity_execution=True,
            )
        )
    return workers

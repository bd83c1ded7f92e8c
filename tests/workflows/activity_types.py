"""Every activity that our workflows may call, as the driver needs them."""

from tensorcost.activities.integration.discovery import DiscoveryActivities
from tensorcost.activities.integration.items import ItemActivities
from tensorcost.activities.integration.rotation import RotationActivities
from tensorcost.activities.integration.runs import RunActivities
from tensorcost.activities.integration.schedules import ScheduleActivities
from tensorcost.activities.integration.validation import ValidationActivities
from tensorcost.activities.reconciliation.activities import ReconciliationActivities
from tensorcost.activities.rerating.activities import RerateActivities
from tensorcost.activities.stored_secrets import StoredSecretActivities
from tensorcost.activities.tenancy import TenancyActivities
from tensorcost.workers.build import Activity

ACTIVITIES: list[Activity] = [
    ValidationActivities.open_validation,
    ValidationActivities.probe,
    ValidationActivities.record_round,
    ValidationActivities.finish_validation,
    DiscoveryActivities.discover,
    DiscoveryActivities.judge_silence,
    RotationActivities.look,
    RotationActivities.switch,
    RotationActivities.finish,
    RunActivities.open_backfill,
    RunActivities.plan_backfill,
    RunActivities.plan_sync,
    RunActivities.next_items,
    RunActivities.fail_item,
    RunActivities.finish_run,
    ItemActivities.ingest_item,
    ItemActivities.ingest_items,
    ReconciliationActivities.due_periods,
    ReconciliationActivities.reconcile_period,
    ReconciliationActivities.note_failure,
    RerateActivities.preview,
    RerateActivities.apply,
    RerateActivities.decide,
    RerateActivities.enter,
    RerateActivities.warn,
    RerateActivities.ask_reconciliation,
    ScheduleActivities.ensure_schedule,
    StoredSecretActivities.end_rotation,
    TenancyActivities.report_fact,
    TenancyActivities.project_onboarding,
]

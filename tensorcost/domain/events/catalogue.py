"""Every event type there is. 001's spelling is canonical; other pages' spellings are aliases."""

from enum import StrEnum
from typing import Final


class EventType(StrEnum):
    INSTANCE_CREATED = "instance.created"
    INSTANCE_STOPPED = "instance.stopped"
    INSTANCE_STATE_CHANGED = "instance.state_changed"
    METRICS_COLLECTED = "metrics.collected"
    METRICS_PROCESSED = "metrics.processed"
    METRICS_ANOMALY_DETECTED = "metrics.anomaly_detected"
    COST_UPDATED = "cost.updated"
    COST_THRESHOLD_EXCEEDED = "cost.threshold_exceeded"
    COST_FORECAST_GENERATED = "cost.forecast_generated"
    COST_BUDGET_BREACH_PREDICTED = "cost.budget_breach_predicted"
    COST_PRICES_CHANGED = "cost.prices_changed"
    COST_RESTATED = "cost.restated"
    COST_RERATING_PREVIEWED = "cost.rerating_previewed"
    COST_RERATING_EXPIRING = "cost.rerating_expiring"
    COST_RERATING_ENDED = "cost.rerating_ended"
    ALERT_CREATED = "alert.created"
    ALERT_RESOLVED = "alert.resolved"
    ALERT_ESCALATED = "alert.escalated"
    ALERT_SUPPRESSED = "alert.suppressed"
    AGENT_CONNECTED = "agent.connected"
    AGENT_DISCONNECTED = "agent.disconnected"
    AGENT_ERROR = "agent.error"
    AGENT_HEALTH_CHECK = "agent.health_check"
    RECOMMENDATION_CREATED = "recommendation.created"
    RECOMMENDATION_ACCEPTED = "recommendation.accepted"
    RECOMMENDATION_DISMISSED = "recommendation.dismissed"
    RUNAWAY_LOOP_DETECTED = "runaway_loop.detected"
    RUNAWAY_LOOP_PAUSED = "runaway_loop.paused"
    RUNAWAY_LOOP_RESOLVED = "runaway_loop.resolved"
    INFERENCE_SPIKE_DETECTED = "inference.spike_detected"
    INFERENCE_CACHE_MISS_SURGE = "inference.cache_miss_surge"
    ACTION_QUEUED = "action.queued"
    ACTION_APPROVED = "action.approved"
    ACTION_EXECUTING = "action.executing"
    ACTION_COMPLETED = "action.completed"
    ACTION_ROLLED_BACK = "action.rolled_back"
    NOTIFICATION_REQUESTED = "notification.requested"
    NOTIFICATION_SENT = "notification.sent"
    NOTIFICATION_FAILED = "notification.failed"
    INCIDENT_CREATED = "incident.created"
    SECURITY_INCIDENT_CREATED = "security_incident.created"
    SECURITY_INCIDENT_ESCALATED = "security_incident.escalated"
    SPOT_INTERRUPTION_DETECTED = "spot.interruption_detected"
    SPOT_FALLBACK_INITIATED = "spot.fallback_initiated"
    SCALING_ACTION_TRIGGERED = "scaling.action_triggered"
    SCALING_COMPLETED = "scaling.completed"
    ML_TRAINING_STARTED = "ml.training.started"
    ML_TRAINING_COMPLETED = "ml.training.completed"
    ML_TRAINING_FAILED = "ml.training.failed"
    TENANT_CREATED = "tenant.created"
    TENANT_UPDATED = "tenant.updated"
    TENANT_MEMBER_INVITED = "tenant.member_invited"
    TENANT_MEMBER_ROLE_CHANGED = "tenant.member_role_changed"
    TENANT_MEMBER_REMOVED = "tenant.member_removed"
    TENANT_ONBOARDING_ADVANCED = "tenant.onboarding_advanced"
    TENANT_SECRET_ROTATION_STARTED = "tenant.secret_rotation_started"  # noqa: S105
    TENANT_SECRET_ROTATION_ENDED = "tenant.secret_rotation_ended"  # noqa: S105
    TENANT_SECRET_ROLLED_BACK = "tenant.secret_rolled_back"  # noqa: S105
    POLICY_CREATED = "policy.created"
    POLICY_UPDATED = "policy.updated"
    SYSTEM_EVENTS_THROTTLED = "system.events_throttled"
    CONNECTION_CREATED = "connection.created"
    CONNECTION_VALIDATING = "connection.validating"
    CONNECTION_VALIDATED = "connection.validated"
    CONNECTION_FAILED = "connection.failed"
    CONNECTION_CANCELLED = "connection.cancelled"
    CONNECTION_ACCOUNT_CHANGED = "connection.account_changed"
    CONNECTION_SECRET_ROTATION_STARTED = "connection.secret_rotation_started"  # noqa: S105
    CONNECTION_SECRET_ROTATED = "connection.secret_rotated"  # noqa: S105
    CONNECTION_SECRET_ROTATION_ENDED = "connection.secret_rotation_ended"  # noqa: S105
    CONNECTION_SECRET_ROLLED_BACK = "connection.secret_rolled_back"  # noqa: S105
    BACKFILL_STARTED = "backfill.started"
    BACKFILL_PROGRESSED = "backfill.progressed"
    BACKFILL_COMPLETED = "backfill.completed"
    BACKFILL_FAILED = "backfill.failed"
    SYNC_STARTED = "sync.started"
    SYNC_COMPLETED = "sync.completed"
    SYNC_FAILED = "sync.failed"
    SYNC_QUARANTINED = "sync.quarantined"
    RECONCILIATION_COMPLETED = "reconciliation.completed"
    RECONCILIATION_FAILED = "reconciliation.failed"


ALIASES: Final[dict[str, EventType]] = {
    "forecast.generated": EventType.COST_FORECAST_GENERATED,
    "forecast.budget_breach_predicted": EventType.COST_BUDGET_BREACH_PREDICTED,
    "anomaly.detected": EventType.METRICS_ANOMALY_DETECTED,
}
"""Spellings of other pages, accepted in filters (decisions 26)."""


def matches(event_type: str, filters: tuple[str, ...]) -> bool:
    """True when ``filters`` is empty, names the type, an alias of it, or a dotted prefix of it.

    ``cost.`` and ``cost.*`` are both the prefix form.
    """
    if not filters:
        return True
    return any(_matches_one(event_type, wanted) for wanted in filters)


def _matches_one(event_type: str, wanted: str) -> bool:
    if wanted in ALIASES:
        return event_type == ALIASES[wanted]
    prefix = wanted.removesuffix("*")
    if prefix.endswith("."):
        return event_type.startswith(prefix)
    return event_type == wanted

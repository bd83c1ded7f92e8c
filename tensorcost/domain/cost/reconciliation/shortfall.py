"""Why a place that is logged in part stays below its service level: what was seen, ranked (N15).

Every dollar that no single request explains has exactly one probable cause, by what tells most.
"""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import Final

from tensorcost.domain.cost.reconciliation.remedies import BY_HINT
from tensorcost.domain.cost.reconciliation.settling import (
    BATCH_NOT_LOGGED,
    NEGATION_ALONE,
    NO_ROWS,
    NOT_BY_TOKEN,
    UNKNOWN_MODEL,
)
from tensorcost.domain.cost.reconciliation.silence import KeptLogs
from tensorcost.domain.integration import log_remedies

_FIRST_DAYS: Final = timedelta(days=1)
"""A day may be deleted in part, and the first whole one without a call."""
_NAMED: Final = 5
"""Models that are named; of the others their number is told."""


class ShortfallCause(StrEnum):
    BATCH = "batch_not_logged"
    NOT_BY_TOKEN = "not_by_token"  # noqa: S105
    UNKNOWN_MODEL = "unknown_model"
    LOGGED_ELSEWHERE = "logged_in_another_region"
    EXPIRED = "logs_expired"
    BEGAN_LATER = "logging_began_later"
    LOGS_NOT_READ = "logs_not_read"
    ENDED = "logging_ended"
    MODELS_NOT_LOGGED = "models_not_logged"
    CALLS_NOT_LOGGED = "calls_not_logged"
    TOKENS_NOT_LOGGED = "tokens_not_logged"
    UNKNOWN = "unknown"


REMEDIES: Final[Mapping[ShortfallCause, str]] = {
    ShortfallCause.BATCH: BY_HINT[BATCH_NOT_LOGGED],
    ShortfallCause.NOT_BY_TOKEN: BY_HINT[NOT_BY_TOKEN],
    ShortfallCause.UNKNOWN_MODEL: "Compare the usage types of these lines "
    "(`GET /v1/cost/reconciliation/{period}/lines`) with the provider's price list: they name no "
    "model that this release knows.",
    ShortfallCause.LOGGED_ELSEWHERE: "Compare the regions in which the application calls with "
    "those that the bill names: an inference profile may serve and bill in another one.",
    ShortfallCause.EXPIRED: log_remedies.LOGS_DELETED,
    ShortfallCause.BEGAN_LATER: "Nothing can be had of the days before the first log: they stay "
    "unlogged. The share rises by itself as they leave the window.",
    ShortfallCause.LOGS_NOT_READ: "Do what the open finding about this place says: the backlog is "
    "read afterwards.",
    ShortfallCause.ENDED: "Look whether model invocation logging is still on in this region and "
    "writes to where the connection reads.",
    ShortfallCause.MODELS_NOT_LOGGED: "Look at the data types that logging delivers (text, image, "
    "embedding, video each have a switch), and at the sync history for refused rows of these "
    "models.",
    ShortfallCause.CALLS_NOT_LOGGED: "Look for lost or refused log files in the sync history, and "
    "at Bedrock's delivery failure metrics.",
    ShortfallCause.TOKENS_NOT_LOGGED: "Compare the token kinds in the ledger of this place "
    "(`GET /v1/cost/reconciliation/{period}/ledger`): the "
    "bill counts tokens that the logs do not name.",
    ShortfallCause.UNKNOWN: log_remedies.GRANT_METRICS,
}


class Span(StrEnum):
    """Where a day lies beside the days on which the place logged calls."""

    BEFORE = "before"
    WITHIN = "within"
    AFTER = "after"


@dataclass(frozen=True, slots=True)
class Missed:
    """Billed usage of one model, unblended nano-USD, that no single request explains."""

    model_id: str
    span: Span
    hints: frozenset[str]
    """As the ledger's evidence names them; none for what CloudWatch counted."""
    is_model_logged: bool
    """Calls of the model are logged in this place on some day."""
    nano: int


@dataclass(frozen=True, slots=True)
class PartlyLogged:
    """What is known of a place with some logged calls, over a window."""

    first_logged: date
    last_logged: date
    logged_requests: int
    """Between the two days, both included; so is what CloudWatch counted."""
    metered_requests: int
    logged_elsewhere: Mapping[str, Collection[str]]
    """By model the other regions of the account that logged more of it than they were billed."""
    open_findings: Sequence[str]
    """Titles of what stands in the way of the logs now."""
    missed: Sequence[Missed]
    kept_logs: KeptLogs | None = None
    """Where logs are deleted by age."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """A probable cause, the unblended nano-USD it stands for, and what was seen of it."""

    cause: ShortfallCause
    nano: int
    seen: str
    remedy: str


def shortfalls(place: PartlyLogged) -> tuple[Shortfall, ...]:
    """The causes, the dearest first; corrections that lower a cause below zero are left out."""
    by_cause: dict[ShortfallCause, list[Missed]] = defaultdict(list)
    for missed in place.missed:
        by_cause[_cause(missed, place)].append(missed)
    found = [
        Shortfall(
            cause, sum(one.nano for one in parts), _seen(cause, parts, place), REMEDIES[cause]
        )
        for cause, parts in by_cause.items()
    ]
    return tuple(
        sorted((one for one in found if one.nano > 0), key=lambda one: (-one.nano, one.cause))
    )


def _cause(missed: Missed, place: PartlyLogged) -> ShortfallCause:
    hints = missed.hints - {NO_ROWS, NEGATION_ALONE}
    if hints and hints <= _OF_HINT.keys():
        return _OF_HINT[min(hints, key=list(_OF_HINT).index)]
    if missed.model_id in place.logged_elsewhere:
        return ShortfallCause.LOGGED_ELSEWHERE
    if missed.span is Span.BEFORE:
        return ShortfallCause.EXPIRED if _begins_with_kept(place) else ShortfallCause.BEGAN_LATER
    if missed.span is Span.AFTER:
        return ShortfallCause.LOGS_NOT_READ if place.open_findings else ShortfallCause.ENDED
    if not missed.is_model_logged:
        return ShortfallCause.MODELS_NOT_LOGGED
    return _cause_within(place)


def _begins_with_kept(place: PartlyLogged) -> bool:
    """The first logged call is of the first days that were not deleted yet."""
    kept = place.kept_logs
    return kept is not None and kept.since <= place.first_logged <= kept.since + _FIRST_DAYS


_OF_HINT: Final[Mapping[str, ShortfallCause]] = {
    UNKNOWN_MODEL: ShortfallCause.UNKNOWN_MODEL,
    NOT_BY_TOKEN: ShortfallCause.NOT_BY_TOKEN,
    BATCH_NOT_LOGGED: ShortfallCause.BATCH,
}
"""Hints that say alone why nothing could be logged; the most telling one first."""


def _cause_within(place: PartlyLogged) -> ShortfallCause:
    if place.open_findings:
        return ShortfallCause.LOGS_NOT_READ
    if place.metered_requests > place.logged_requests:
        return ShortfallCause.CALLS_NOT_LOGGED
    if place.metered_requests:
        return ShortfallCause.TOKENS_NOT_LOGGED
    return ShortfallCause.UNKNOWN


def _seen(cause: ShortfallCause, parts: Sequence[Missed], place: PartlyLogged) -> str:
    models = _models(parts)
    regions = {r for one in parts for r in place.logged_elsewhere.get(one.model_id, ())}
    counted = (
        f"CloudWatch counted {place.metered_requests} calls from {place.first_logged} to "
        f"{place.last_logged}, the logs name {place.logged_requests}"
    )
    told = {
        ShortfallCause.LOGGED_ELSEWHERE: f"{', '.join(sorted(regions))} logged more than is "
        f"billed there: {models}",
        ShortfallCause.EXPIRED: place.kept_logs.seen if place.kept_logs else "",
        ShortfallCause.BEGAN_LATER: f"the first logged call is of {place.first_logged}",
        ShortfallCause.ENDED: f"the last logged call is of {place.last_logged}",
        ShortfallCause.LOGS_NOT_READ: "; ".join(place.open_findings),
        ShortfallCause.MODELS_NOT_LOGGED: f"no call is logged of {models}, while calls of other "
        "models are",
        ShortfallCause.CALLS_NOT_LOGGED: counted,
        ShortfallCause.TOKENS_NOT_LOGGED: counted,
        ShortfallCause.UNKNOWN: f"some calls of {models} are logged, and CloudWatch's count is "
        "not known",
    }
    return told.get(cause, f"billed: {models}")


def _models(parts: Sequence[Missed]) -> str:
    nano: dict[str, int] = defaultdict(int)
    for one in parts:
        nano[one.model_id or "a line that names no model"] += one.nano
    ordered = sorted(nano, key=lambda model: (-nano[model], model))
    rest = len(ordered) - _NAMED
    return ", ".join(ordered[:_NAMED]) + (f" and {rest} more" if rest > 0 else "")

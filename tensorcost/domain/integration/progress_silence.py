"""Success needs events or an explained zero: silence is judged, place by place (B8, traps 19)."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from tensorcost.domain.integration import log_remedies
from tensorcost.domain.integration.contracts_findings import NewFinding, RankedCause, Severity
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.states import LOG_SOURCES, SourceKind

SILENT_LOGS: Final = "LOGS_SILENT"
UNLOGGED_REGION: Final = "REGION_NOT_LOGGED"
NO_TRAFFIC: Final = "NO_TRAFFIC"
UNEXPLAINED_ZERO: Final = "ZERO_UNEXPLAINED"
JUDGED: Final = (SILENT_LOGS, UNLOGGED_REGION, NO_TRAFFIC, UNEXPLAINED_ZERO)
NAMED_PLACES: Final = 30
"""Quiet places that are named; of the others their number is told."""

Place = tuple[str, str]
"""Account and region."""


@dataclass(frozen=True, slots=True)
class Counted:
    """Requests of a place in the window: as CloudWatch counted them, and as logs explained them."""

    invocations: int
    logged: int


def judge_silence(
    sites: Sequence[Site], counted: Mapping[Place, Counted], window: str
) -> list[NewFinding]:
    """A finding for every place whose zero is not the whole truth, and one for all the quiet ones.

    ``window`` is how the span is told to people.
    """
    logs = _places(site for site in sites if site.source in LOG_SOURCES)
    metrics = _places(site for site in sites if site.source is SourceKind.METRICS)
    findings, quiet = [], []
    for place in sorted(logs | metrics):
        seen = counted.get(place, Counted(0, 0))
        if seen.logged:
            continue
        if seen.invocations:
            judge = _silent_logs if place in logs else _not_logged
            findings.append(judge(place, seen.invocations, window))
        elif place in metrics:
            quiet.append(place)
        else:
            findings.append(_unexplained(place, window))
    return [*findings, *_no_traffic(quiet, window)]


def _places(sites: Iterable[Site]) -> set[Place]:
    return {(site.account_id, site.region) for site in sites}


def _silent_logs(place: Place, invocations: int, window: str) -> NewFinding:
    account, region = place
    return NewFinding(
        code=SILENT_LOGS,
        severity=Severity.WARNING,
        subject=f"{account}/{region}",
        title=f"Bedrock was called in {region}, but no invocation log arrived",
        remedy=f"Check where model invocation logging of {region} delivers to.",
        causes=(
            RankedCause(
                code="WRONG_REGION",
                title=f"Logging is on in another region than {region}",
                remedy=log_remedies.switch_on_in(region),
                likelihood=0.5,
            ),
            RankedCause(
                code="DELIVERY_FAILING",
                title="Bedrock may not write to the destination",
                remedy="Look at the metrics ModelInvocationLogs…DeliveryFailure and at the "
                "bucket's or log group's policy.",
                likelihood=0.3,
            ),
            RankedCause(
                code="OTHER_DESTINATION",
                title="Logs go to a bucket or log group that the connection does not name",
                remedy=log_remedies.NAME_DESTINATION,
                likelihood=0.2,
            ),
        ),
        evidence=_evidence(place, invocations, window),
    )


def _not_logged(place: Place, invocations: int, window: str) -> NewFinding:
    account, region = place
    return NewFinding(
        code=UNLOGGED_REGION,
        severity=Severity.INFO,
        subject=f"{account}/{region}",
        title=f"Calls in {region} are counted, but not logged",
        remedy=log_remedies.SWITCH_ON,
        evidence=_evidence(place, invocations, window),
    )


def _no_traffic(places: Sequence[Place], window: str) -> list[NewFinding]:
    """One finding for the whole connection: a quiet place is no news, however many there are."""
    if not places:
        return []
    named = [f"{account}/{region}" for account, region in places[:NAMED_PLACES]]
    if len(places) > NAMED_PLACES:
        named.append(f"and {len(places) - NAMED_PLACES} more")
    where = places[0][1] if len(places) == 1 else f"{len(places)} places"
    return [
        NewFinding(
            code=NO_TRAFFIC,
            severity=Severity.INFO,
            title=f"No Bedrock calls in {where} in this window",
            remedy="Nothing is wrong. A single InvokeModel or Converse call proves the way.",
            evidence={"invocations": "0", "places": ", ".join(named), "window": window},
        )
    ]


def _unexplained(place: Place, window: str) -> NewFinding:
    account, region = place
    return NewFinding(
        code=UNEXPLAINED_ZERO,
        severity=Severity.WARNING,
        subject=f"{account}/{region}",
        title=f"No log arrived from {region}, and CloudWatch cannot be asked why",
        remedy=log_remedies.GRANT_METRICS,
        evidence=_evidence(place, 0, window),
    )


def _evidence(place: Place, invocations: int, window: str) -> dict[str, str]:
    account, region = place
    return {
        "account": account,
        "region": region,
        "invocations": str(invocations),
        "logged": "0",
        "window": window,
    }

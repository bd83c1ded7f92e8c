"""Where invocation logs go, and whether a silent place is quiet, unlogged or logged elsewhere.

Logging is a setting of each account and region, and off by default: the commonest silent
failure is that it was switched on in a region where nothing is called.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Final

from tensorcost.domain.integration import log_remedies
from tensorcost.domain.integration.contracts_findings import NewFinding, RankedCause, Severity
from tensorcost.domain.integration.diagnosis_codes import Code, Judgement, finding, place, ranked
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.progress_silence import (
    NO_TRAFFIC,
    SILENT_LOGS,
    UNEXPLAINED_ZERO,
    Counted,
    judge_silence,
)
from tensorcost.domain.integration.states import SourceKind

LOG_CODES: Final = (Code.LOGGING_OFF, Code.WRONG_REGION, Code.LOG_GROUP_MISSING)
SILENCE_CODES: Final = (NO_TRAFFIC, SILENT_LOGS, UNEXPLAINED_ZERO)


@dataclass(frozen=True, slots=True)
class LogPlace:
    """What is known of the logs of one account and region. None: not found out.

    ``logged`` and ``invocations`` count the same ``window``; ``elsewhere`` names other regions
    of the account where logging is on or the log group was found, ``beside`` those of them
    that log calls of their own.
    """

    account: str
    region: str
    is_on: bool | None
    logged: int | None = None
    invocations: int | None = None
    elsewhere: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    missing_group: str = ""
    window: str = ""


def judge_logs(seen: LogPlace) -> list[Judgement]:
    """What is wrong with the logs of one place: at most one finding."""
    if seen.is_on is False or seen.missing_group:
        if seen.elsewhere:
            return [Judgement(_wrong_region(seen))]
        if seen.is_on:
            return [Judgement(_group_missing(seen))]
        return [Judgement(_off(seen))]
    if seen.is_on and seen.logged == 0:
        return [Judgement(found) for found in _silent(seen)]
    return []


def judge_unlogged(places: Iterable[LogPlace]) -> list[NewFinding]:
    """Findings for the places whose calls nobody logs, judged account by account.

    A region that logs its own calls explains nothing of another one; a region that logs and
    is never called is where somebody switched logging on by mistake.
    """
    seen = list(places)
    findings = []
    for here in seen:
        if here.is_on is not False:
            continue
        on = [p for p in seen if p.account == here.account and p.is_on and p.region != here.region]
        if here.invocations == 0 and on:
            continue
        quiet = tuple(p.region for p in on if p.invocations == 0)
        beside = tuple(p.region for p in on if p.invocations != 0)
        told = judge_logs(replace(here, elsewhere=quiet, beside=beside))
        findings += [judged.finding for judged in told]
    return findings


def _off(seen: LogPlace) -> NewFinding:
    quiet = seen.invocations == 0
    return finding(
        Code.LOGGING_OFF,
        Severity.INFO if quiet else Severity.WARNING,
        f"Model invocation logging is off in {seen.region}",
        log_remedies.SWITCH_ON,
        subject=place(seen.account, seen.region),
        evidence=_evidence(seen),
    )


def _wrong_region(seen: LogPlace) -> NewFinding:
    regions = ", ".join(seen.elsewhere)
    calls_here = seen.invocations != 0
    causes = ranked(
        RankedCause(
            code="LOGGING_IN_ANOTHER_REGION",
            title=f"Logging was switched on in {regions}, but the calls are in {seen.region}",
            remedy=log_remedies.switch_on_in(seen.region),
            likelihood=0.8 if calls_here else 0.3,
        ),
        RankedCause(
            code="CONNECTION_NAMES_ANOTHER_REGION",
            title=f"The calls are in {regions}, and the connection looks in {seen.region}",
            remedy=f"Give the connection the log group of {seen.elsewhere[0]}: "
            f"aws logs describe-log-groups --region {seen.elsewhere[0]}",
            likelihood=0.2 if calls_here else 0.7,
        ),
    )
    return finding(
        Code.WRONG_REGION,
        Severity.WARNING,
        f"Invocation logs are written in {regions}, not in {seen.region}",
        causes[0].remedy,
        subject=place(seen.account, seen.region),
        causes=causes,
        evidence=_evidence(seen) | {"found_in": regions},
    )


def _group_missing(seen: LogPlace) -> NewFinding:
    return finding(
        Code.LOG_GROUP_MISSING,
        Severity.WARNING,
        f"The log group {seen.missing_group} is not there",
        log_remedies.NAME_DESTINATION,
        subject=place(seen.account, seen.region),
        evidence=_evidence(seen) | {"log_group": seen.missing_group},
    )


def _silent(seen: LogPlace) -> list[NewFinding]:
    """The same judgement as after a run, so that the run's answer replaces this one."""
    sites = [Site(SourceKind.LOGS_CLOUDWATCH, seen.account, seen.region)]
    if seen.invocations is not None:
        sites.append(Site(SourceKind.METRICS, seen.account, seen.region))
    counted = {(seen.account, seen.region): Counted(seen.invocations or 0, 0)}
    return judge_silence(sites, counted, seen.window)


def _evidence(seen: LogPlace) -> dict[str, str]:
    told = {
        "account": seen.account,
        "region": seen.region,
        "invocations": "" if seen.invocations is None else str(seen.invocations),
        "window": seen.window,
        "logging_on_in": ", ".join(seen.beside),
    }
    return {name: value for name, value in told.items() if value}

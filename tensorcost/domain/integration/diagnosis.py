"""One round of probing, judged: ranked findings, and whether waiting can help.

AWS gives one answer for several causes, so no failure is judged alone: the probes that
worked say what those that failed mean. Order: transport, credentials, throttling, access,
and only then emptiness.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Final

from tensorcost.domain.integration.contracts_findings import Severity
from tensorcost.domain.integration.contracts_steps import UNEXPLAINED, ProbeStep, ProbeVerdict
from tensorcost.domain.integration.diagnosis_codes import Code, Judgement
from tensorcost.domain.integration.diagnosis_failures import COMMON, judge_failure
from tensorcost.domain.integration.diagnosis_logs import (
    LOG_CODES,
    SILENCE_CODES,
    LogPlace,
    judge_logs,
)
from tensorcost.domain.integration.diagnosis_organization import judge_list_accounts
from tensorcost.domain.integration.diagnosis_trust import (
    external_id_not_required,
    judge_assume_role,
)
from tensorcost.domain.integration.probe_facts import (
    ErrorKind,
    Fact,
    Probe,
    ProbedConnection,
    ProbeResult,
)

YES: Final = "yes"
"""How a fact of two values says that it holds."""

_TRUST: Final = (
    Code.EXTERNAL_ID_MISMATCH,
    Code.TRUST_DENIED,
    Code.TRUST_EXPLICIT_DENY,
    Code.BAD_ROLE_ARN,
)
_JUDGED: Final = {
    Probe.ASSUME_ROLE: _TRUST,
    Probe.EXTERNAL_ID_REQUIRED: (Code.EXTERNAL_ID_NOT_REQUIRED,),
    Probe.CLOUDWATCH: (Code.CW_DENIED,),
    Probe.LOGGING_CONFIGURATION: (Code.BEDROCK_DENIED, *LOG_CODES),
    Probe.LOG_GROUP: (Code.LOGS_DENIED, *SILENCE_CODES),
    Probe.LOG_BUCKET: (Code.LOG_BUCKET_DENIED, Code.LOG_BUCKET, *SILENCE_CODES),
    Probe.ORGANIZATION: (Code.ORG_NOT_MANAGEMENT, Code.ORG_DENIED, Code.ORG_NONE),
    Probe.CUR_BUCKET: (Code.CUR_DENIED, Code.CUR_BUCKET),
}
"""What each probe can tell. A member's role is told by discovery, which sees every member."""

_STEPS: Final = {
    Probe.BACKEND_IDENTITY: "sts:GetCallerIdentity",
    Probe.ASSUME_ROLE: "sts:AssumeRole",
    Probe.EXTERNAL_ID_REQUIRED: "sts:AssumeRole without ExternalId",
    Probe.CLOUDWATCH: "cloudwatch:GetMetricData",
    Probe.LOGGING_CONFIGURATION: "bedrock:GetModelInvocationLoggingConfiguration",
    Probe.LOG_GROUP: "logs:FilterLogEvents",
    Probe.LOG_BUCKET: "s3:ListBucket (logs)",
    Probe.OTHER_REGIONS: "logging in other regions",
    Probe.ORGANIZATION: "organizations:ListAccounts",
    Probe.MEMBER_ROLE: "sts:AssumeRole in a member account",
    Probe.CUR_BUCKET: "s3:ListBucket (bill)",
}
_SEVERITY: Final = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def diagnose(results: Sequence[ProbeResult], about: ProbedConnection) -> ProbeVerdict:
    """The verdict of one round. ``results`` are in the order in which they were made."""
    judgements = [*_failures(results, about), *_open_door(results, about), *_logs(results, about)]
    blocking = [judged for judged in judgements if judged.blocks]
    reached = any(result.probe is Probe.ASSUME_ROLE and result.ok for result in results)
    # Stable: within one rank the order of the probes stays.
    ordered = sorted(judgements, key=_rank)
    return ProbeVerdict(
        healthy=reached and not blocking,
        may_heal=all(judged.may_heal for judged in blocking),
        steps=tuple(_steps(results)),
        findings=tuple(judged.finding for judged in ordered),
        judged=_judged(results),
    )


def _rank(judged: Judgement) -> tuple[bool, int]:
    return (not judged.blocks, _SEVERITY.index(judged.finding.severity))


def _failures(results: Sequence[ProbeResult], about: ProbedConnection) -> Iterator[Judgement]:
    for result in results:
        failure = result.failure
        if failure is None:
            continue
        judged: Judgement | None = None
        if result.probe is Probe.ASSUME_ROLE:
            judged = judge_assume_role(
                failure, about, _fact(_of(results, Probe.BACKEND_IDENTITY), Fact.ACCOUNT)
            )
        elif result.probe is Probe.ORGANIZATION:
            judged = judge_list_accounts(failure, about, _fact(results, Fact.MANAGEMENT))
        elif _tells_of_logs(result):
            continue
        yield judged or judge_failure(result.probe, failure, about)


def _tells_of_logs(result: ProbeResult) -> bool:
    """A missing log group is judged together with everything else that is known of the logs."""
    failure = result.failure
    return (
        result.probe is Probe.LOG_GROUP
        and failure is not None
        and failure.kind is ErrorKind.NOT_FOUND
    )


def _open_door(results: Sequence[ProbeResult], about: ProbedConnection) -> Iterator[Judgement]:
    if _fact(results, Fact.WITHOUT_EXTERNAL_ID) == YES:
        yield external_id_not_required(about)


def _logs(results: Sequence[ProbeResult], about: ProbedConnection) -> Iterator[Judgement]:
    """One judgement for each place whose logging was looked at."""
    for setting in _of(results, Probe.LOGGING_CONFIGURATION):
        if setting.skipped:
            continue
        here = [
            result
            for result in results
            if (result.account, result.region) == (setting.account, setting.region)
        ]
        is_on = None if setting.failure else setting.fact(Fact.LOGGING) != "off"
        missing = next((_group(r, about) for r in here if _tells_of_logs(r)), "")
        yield from judge_logs(
            LogPlace(
                account=setting.account,
                region=setting.region,
                is_on=False if missing and is_on is None else is_on,
                logged=_logged(here),
                invocations=_number(_of(here, Probe.CLOUDWATCH), Fact.INVOCATIONS),
                elsewhere=_elsewhere(results, setting),
                missing_group=missing,
                window=next((r.fact(Fact.WINDOW) for r in here if r.fact(Fact.WINDOW)), ""),
            )
        )


def _group(result: ProbeResult, about: ProbedConnection) -> str:
    return result.fact(Fact.LOG_GROUP) or about.log_group_arn or "of the invocation logs"


def _logged(here: Sequence[ProbeResult]) -> int | None:
    """Events and objects seen, None where none of the destinations could be asked."""
    asked = [*_of(here, Probe.LOG_GROUP), *_of(here, Probe.LOG_BUCKET)]
    counts = [count for r in asked if (count := r.number(Fact.LOGGED)) is not None]
    return sum(counts) if counts else None


def _elsewhere(results: Sequence[ProbeResult], setting: ProbeResult) -> tuple[str, ...]:
    for result in _of(results, Probe.OTHER_REGIONS):
        if result.account in ("", setting.account):
            found = (part.strip() for part in result.fact(Fact.FOUND_IN).split(","))
            return tuple(region for region in found if region and region != setting.region)
    return ()


def _of(results: Sequence[ProbeResult], probe: Probe) -> list[ProbeResult]:
    return [result for result in results if result.probe is probe]


def _number(results: Sequence[ProbeResult], key: Fact) -> int | None:
    return next((n for result in results if (n := result.number(key)) is not None), None)


def _fact(results: Sequence[ProbeResult], key: Fact) -> str:
    return next((result.fact(key) for result in results if result.fact(key)), "")


def _judged(results: Sequence[ProbeResult]) -> tuple[str, ...]:
    """Codes that this round could tell, so that older findings of them close."""
    made = [result for result in results if not result.skipped]
    codes: set[str] = {UNEXPLAINED, *COMMON} if made else set()
    for result in made:
        if result.failure is None or result.failure.kind in _TOLD:
            codes |= set(_JUDGED.get(result.probe, ()))
    return tuple(sorted(codes))


_TOLD: Final = frozenset(ErrorKind) - {
    ErrorKind.NETWORK,
    ErrorKind.THROTTLED,
    ErrorKind.SERVER,
    ErrorKind.BACKEND_CREDENTIALS,
}
"""Failures after which the probe has still told something of the customer's side."""


def _steps(results: Iterable[ProbeResult]) -> Iterator[ProbeStep]:
    """Steps with names of their own: of several alike, each is told with its place."""
    listed = list(results)
    alike = Counter(result.probe for result in listed)
    taken: Counter[str] = Counter()
    for result in listed:
        name = _STEPS[result.probe]
        if alike[result.probe] > 1:
            name = " ".join(part for part in (name, result.account, result.region) if part)
        taken[name] += 1
        name = name if taken[name] == 1 else f"{name} ({taken[name]})"
        yield ProbeStep(
            name=name, ok=result.ok, detail=_detail(result), skipped=bool(result.skipped)
        )


def _detail(result: ProbeResult) -> str:
    if result.skipped:
        return result.skipped
    if result.failure is not None:
        return f"{result.failure.code}: {result.failure.message}"[:500]
    told = [f"{key.value}: {value}" for key, value in result.facts.items() if value]
    return ", ".join(told)

"""What a diagnosis can say: codes of findings and causes, and a finding with its consequence."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from tensorcost.domain.integration.contracts_findings import NewFinding, RankedCause, Severity
from tensorcost.domain.integration.probe_facts import CallFailure, ErrorKind


class Code(StrEnum):
    """Codes of findings. Those of silence are in ``progress_silence``."""

    EXTERNAL_ID_MISMATCH = "EXTERNAL_ID_MISMATCH"
    TRUST_DENIED = "TRUST_DENIED"
    TRUST_EXPLICIT_DENY = "TRUST_EXPLICIT_DENY"
    BAD_ROLE_ARN = "BAD_ROLE_ARN"
    EXTERNAL_ID_NOT_REQUIRED = "EXTERNAL_ID_NOT_REQUIRED"
    ACCOUNT_NOT_ALLOWED = "ACCOUNT_NOT_ALLOWED"
    BACKEND_CREDENTIALS = "BACKEND_CREDENTIALS"
    REGION_DISABLED = "REGION_DISABLED"
    THROTTLED = "THROTTLED"
    NETWORK = "NETWORK"
    PROVIDER_FAILING = "PROVIDER_FAILING"
    CHANGED_WHILE_READ = "CHANGED_WHILE_READ"
    CW_DENIED = "CW_DENIED"
    BEDROCK_DENIED = "BEDROCK_DENIED"
    LOGGING_OFF = "LOGGING_OFF"
    WRONG_REGION = "WRONG_REGION"
    LOG_GROUP_MISSING = "LOG_GROUP_MISSING"
    LOGS_DENIED = "LOGS_DENIED"
    LOG_BUCKET_DENIED = "LOG_BUCKET_DENIED"
    LOG_BUCKET = "LOG_BUCKET"
    KMS_DENIED = "KMS_DENIED"
    ORG_NOT_MANAGEMENT = "ORG_NOT_MANAGEMENT"
    ORG_DENIED = "ORG_DENIED"
    ORG_NONE = "ORG_NONE"
    MEMBER_ROLE_MISSING = "MEMBER_ROLE_MISSING"
    MEMBER_ROLE_DENIED = "MEMBER_ROLE_DENIED"
    ACCOUNT_SUSPENDED = "ACCOUNT_SUSPENDED"
    ACCOUNT_LEFT = "ACCOUNT_LEFT"
    CUR_DENIED = "CUR_DENIED"
    CUR_BUCKET = "CUR_BUCKET"
    BILL_EXPORTED_TWICE = "BILL_EXPORTED_TWICE"
    EXPORT_UNHEALTHY = "EXPORT_UNHEALTHY"
    BILL_REFUSED = "BILL_REFUSED"
    BILL_ROWS_REJECTED = "BILL_ROWS_REJECTED"
    BILL_OTHER_CURRENCY = "BILL_OTHER_CURRENCY"
    ACCOUNT_BILLED_TWICE = "ACCOUNT_BILLED_TWICE"
    ACCOUNT_MOVED = "ACCOUNT_MOVED"


REFUSED: Final = (ErrorKind.DENIED, ErrorKind.EXPLICIT_DENY)


@dataclass(frozen=True, slots=True)
class Judgement:
    """A finding and what it means for the round.

    ``blocks``: the connection is not usable with it. ``may_heal``: waiting can help, because
    AWS is eventually consistent or somebody may act meanwhile.
    """

    finding: NewFinding
    blocks: bool = False
    may_heal: bool = True


def finding(
    code: Code,
    severity: Severity,
    title: str,
    remedy: str,
    *,
    subject: str = "",
    causes: tuple[RankedCause, ...] = (),
    evidence: dict[str, str] | None = None,
) -> NewFinding:
    return NewFinding(
        code=code.value,
        severity=severity,
        title=title,
        remedy=remedy,
        subject=subject,
        causes=causes,
        evidence=evidence or {},
    )


def ranked(*causes: RankedCause) -> tuple[RankedCause, ...]:
    """The likeliest first; likelihoods are scaled to a sum of 1, and equals keep their order."""
    total = sum(cause.likelihood for cause in causes) or 1.0
    ordered = sorted(causes, key=lambda cause: -cause.likelihood)
    return tuple(
        cause.model_copy(update={"likelihood": round(cause.likelihood / total, 2)})
        for cause in ordered
    )


def evidence_of(failure: CallFailure) -> dict[str, str]:
    """What AWS said, for the person who asks: the text is masked and at most 1 kB."""
    told = {
        "call": f"{failure.service}:{failure.operation}" if failure.operation else failure.service,
        "error": failure.code,
        "text": failure.message[:1000],
        "account": failure.account,
        "region": failure.region,
    }
    return {name: value for name, value in told.items() if value}


def place(account: str, region: str) -> str:
    """The subject of a finding about a region of an account."""
    return "/".join(part for part in (account, region) if part)

"""Which sources a connection lacks, and what each would add (B6): named, never an error."""

from collections.abc import Iterable, Mapping
from typing import Final

from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.diagnosis_codes import Code, place
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.states import SourceKind

MISSING_SOURCE: Final = "SOURCE_MISSING"

HEALED_BY: Final[Mapping[SourceKind, tuple[Code, ...]]] = {
    SourceKind.LOGS_S3: (Code.LOG_BUCKET_DENIED, Code.LOG_BUCKET, Code.KMS_DENIED),
    SourceKind.LOGS_CLOUDWATCH: (Code.LOGS_DENIED, Code.LOG_GROUP_MISSING, Code.KMS_DENIED),
    SourceKind.METRICS: (Code.CW_DENIED,),
    SourceKind.BILL: (Code.CUR_DENIED, Code.CUR_BUCKET),
    SourceKind.PROFILES: (Code.BEDROCK_DENIED,),
}
"""Findings that a successful read of the source disproves at its place."""


def subject_of(site: Site) -> str:
    """How findings name the place of a site."""
    if site.source is SourceKind.BILL:
        return site.params.get("bucket", "")
    return place(site.account_id, site.region)


_LOGS: Final = "invocation_logs"
_GROUPS: Final[tuple[tuple[str, frozenset[SourceKind], str, str], ...]] = (
    (
        _LOGS,
        frozenset({SourceKind.LOGS_S3, SourceKind.LOGS_CLOUDWATCH}),
        "Invocation logs are not connected",
        "Switch on model invocation logging in the regions of the calls. It adds: every request "
        "with its tokens and latency, spend by application, user and agent, advice on prompt "
        "caching and model routing, runaway-loop detection.",
    ),
    (
        SourceKind.METRICS.value,
        frozenset({SourceKind.METRICS}),
        "CloudWatch metrics are not connected",
        "Allow cloudwatch:GetMetricData and cloudwatch:ListMetrics. It adds: tokens and calls by "
        "model within minutes, and the check that no log is lost.",
    ),
    (
        SourceKind.BILL.value,
        frozenset({SourceKind.BILL}),
        "No Cost and Usage Report is connected",
        "Create a CUR 2.0 export and name its bucket. It adds: the billed amount, discounts, "
        "credits and tax, provisioned throughput, and the reconciliation to the cent.",
    ),
    (
        SourceKind.PROFILES.value,
        frozenset({SourceKind.PROFILES}),
        "Application inference profiles are not readable",
        "Allow bedrock:ListInferenceProfiles and bedrock:ListTagsForResource. It adds: the model "
        "behind each profile and its cost-allocation tags.",
    ),
)


def judge_missing(sites: Iterable[Site]) -> list[NewFinding]:
    """A finding for each kind of source that no site offers."""
    present = {site.source for site in sites}
    return [
        NewFinding(
            code=MISSING_SOURCE,
            severity=Severity.INFO,
            subject=subject,
            title=title,
            remedy=adds,
        )
        for subject, kinds, title, adds in _GROUPS
        if not present & kinds
    ]

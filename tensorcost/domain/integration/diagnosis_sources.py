"""Sources that do not answer: CloudWatch, Bedrock's settings, logs, the bill. None is needed
for the others, save the sample read of CloudWatch."""

from typing import Final

from tensorcost.domain.integration.contracts_findings import NewFinding, RankedCause, Severity
from tensorcost.domain.integration.diagnosis_codes import (
    REFUSED,
    Code,
    Judgement,
    evidence_of,
    finding,
    place,
    ranked,
)
from tensorcost.domain.integration.probe_facts import CallFailure, ErrorKind, ProbedConnection

_GONE: Final = (ErrorKind.NOT_FOUND, ErrorKind.WRONG_REGION)


def judge_cloudwatch(failure: CallFailure, about: ProbedConnection) -> Judgement | None:
    if failure.kind not in REFUSED:
        return None
    found = finding(
        Code.CW_DENIED,
        Severity.ERROR,
        "The role may not read CloudWatch metrics",
        "Use the published stack instead of a role of your own, or allow "
        "cloudwatch:GetMetricData and cloudwatch:ListMetrics on all resources.",
        subject=place(failure.account, failure.region),
        causes=ranked(
            RankedCause(
                code="NARROW_POLICY",
                title="A hand-made role lacks cloudwatch:GetMetricData or cloudwatch:ListMetrics",
                remedy="Deploy the published stack, or add both actions.",
                likelihood=0.8,
            ),
            _scp_cause("CloudWatch", 0.9 if failure.kind is ErrorKind.EXPLICIT_DENY else 0.2),
        ),
        evidence=evidence_of(failure),
    )
    return Judgement(found, blocks=True)


def judge_logging(failure: CallFailure, about: ProbedConnection) -> Judgement | None:
    if failure.kind not in REFUSED:
        return None
    found = finding(
        Code.BEDROCK_DENIED,
        Severity.WARNING,
        "The role may not read Bedrock's settings",
        "Allow bedrock:GetModelInvocationLoggingConfiguration, bedrock:ListInferenceProfiles "
        "and bedrock:ListTagsForResource: they say where logs go and what opaque ids mean.",
        subject=place(failure.account, failure.region),
        evidence=evidence_of(failure),
    )
    return Judgement(found)


def judge_log_group(failure: CallFailure, about: ProbedConnection) -> Judgement | None:
    if failure.kind is ErrorKind.KMS_DENIED:
        return Judgement(_kms(failure, "the log group"))
    if failure.kind not in REFUSED:
        return None
    found = finding(
        Code.LOGS_DENIED,
        Severity.WARNING,
        "The role may not read the log group",
        "Deploy the stack with BedrockLogGroupArn set to this group, or allow "
        "logs:FilterLogEvents on it and logs:DescribeLogGroups.",
        subject=place(failure.account, failure.region),
        evidence=evidence_of(failure),
    )
    return Judgement(found)


def judge_log_bucket(failure: CallFailure, about: ProbedConnection) -> Judgement | None:
    subject = place(failure.account, failure.region)
    if failure.kind is ErrorKind.KMS_DENIED:
        return Judgement(_kms(failure, "the log bucket"))
    if failure.kind in _GONE:
        found = finding(
            Code.LOG_BUCKET,
            Severity.WARNING,
            "The bucket of the invocation logs is not there",
            "Compare the bucket's name and region with Bedrock's settings.",
            subject=subject,
            evidence=evidence_of(failure),
        )
        return Judgement(found)
    if failure.kind not in REFUSED:
        return None
    found = finding(
        Code.LOG_BUCKET_DENIED,
        Severity.WARNING,
        "The role may not read the bucket of the invocation logs",
        "Deploy the stack with BedrockLogBucket set to this bucket, or allow s3:GetObject and "
        "s3:ListBucket on it; a bucket policy must not deny them.",
        subject=subject,
        evidence=evidence_of(failure),
    )
    return Judgement(found)


def _kms(failure: CallFailure, what: str) -> NewFinding:
    return finding(
        Code.KMS_DENIED,
        Severity.WARNING,
        f"The key that encrypts {what} refuses the role",
        "Allow kms:Decrypt to the role in the key's policy, and deploy the stack with "
        "KmsKeyArn set to the key.",
        subject=place(failure.account, failure.region),
        evidence=evidence_of(failure),
    )


def judge_cur_bucket(failure: CallFailure, about: ProbedConnection) -> Judgement | None:
    bucket = about.cur_bucket
    if failure.kind is ErrorKind.KMS_DENIED:
        return Judgement(_kms(failure, "the bill's bucket"))
    if failure.kind in _GONE:
        found = finding(
            Code.CUR_BUCKET,
            Severity.WARNING,
            f"The bill's bucket {bucket or 'in question'} is not there or lies in another region",
            "Give the connection the bucket and region that the export's settings show.",
            subject=bucket,
            evidence=evidence_of(failure),
        )
        return Judgement(found)
    if failure.kind not in REFUSED:
        return None
    found = finding(
        Code.CUR_DENIED,
        Severity.WARNING,
        f"The role may not read the bill's bucket {bucket}",
        "Give the separate bucket policy to the bucket's owner.",
        subject=bucket,
        causes=ranked(
            RankedCause(
                code="BUCKET_POLICY",
                title="The bucket's policy does not let the role in",
                remedy="Add the separate bucket policy (variant D) to the bucket.",
                likelihood=0.5,
            ),
            RankedCause(
                code="STACK_WITHOUT_BUCKET",
                title="The stack was deployed without CurBucket",
                remedy="Update the stack with CurBucket and CurPrefix.",
                likelihood=0.35,
            ),
            RankedCause(
                code="KEY_MISSING",
                title="The object is not there: without s3:ListBucket AWS says so as a denial",
                remedy="Allow s3:ListBucket, and compare the prefix with the export's settings.",
                likelihood=0.15,
            ),
        ),
        evidence=evidence_of(failure) | {"bucket": bucket},
    )
    return Judgement(found)


def _scp_cause(service: str, likelihood: float) -> RankedCause:
    return RankedCause(
        code="POLICY_DENIES",
        title=f"A service control policy or permission boundary denies {service}",
        remedy="Ask who administers the organisation.",
        likelihood=likelihood,
    )

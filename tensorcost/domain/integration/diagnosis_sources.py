"""Sources that do not answer: CloudWatch, Bedrock's settings, logs, the bill. None is needed
for the others, save the sample read of CloudWatch."""

from typing import Final

from tensorcost.domain.integration.contracts_findings import RankedCause, Severity
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
    return _warning(
        Code.BEDROCK_DENIED,
        failure,
        "The role may not read Bedrock's settings",
        "Allow bedrock:GetModelInvocationLoggingConfiguration, bedrock:ListInferenceProfiles "
        "and bedrock:ListTagsForResource: they say where logs go and what opaque ids mean.",
    )


def judge_log_group(failure: CallFailure, about: ProbedConnection) -> Judgement | None:
    if failure.kind is ErrorKind.KMS_DENIED:
        return _kms(failure, "the log group")
    if failure.kind not in REFUSED:
        return None
    return _warning(
        Code.LOGS_DENIED,
        failure,
        "The role may not read the log group",
        "Deploy the stack with BedrockLogGroupArn set to this group, or allow "
        "logs:FilterLogEvents on it and logs:DescribeLogGroups.",
    )


def judge_log_bucket(failure: CallFailure, about: ProbedConnection) -> Judgement | None:
    if failure.kind is ErrorKind.KMS_DENIED:
        return _kms(failure, "the log bucket")
    if failure.kind in _GONE:
        return _warning(
            Code.LOG_BUCKET,
            failure,
            "The bucket of the invocation logs is not there",
            "Compare the bucket's name and region with Bedrock's settings.",
        )
    if failure.kind not in REFUSED:
        return None
    return _warning(
        Code.LOG_BUCKET_DENIED,
        failure,
        "The role may not read the bucket of the invocation logs",
        "Deploy the stack with BedrockLogBucket set to this bucket, or allow s3:GetObject and "
        "s3:ListBucket on it; a bucket policy must not deny them.",
    )


def _kms(failure: CallFailure, what: str) -> Judgement:
    return _warning(
        Code.KMS_DENIED,
        failure,
        f"The key that encrypts {what} refuses the role",
        "Allow kms:Decrypt to the role in the key's policy, and deploy the stack with "
        "KmsKeyArn set to the key.",
    )


def _warning(code: Code, failure: CallFailure, title: str, remedy: str) -> Judgement:
    """A source that does not answer in one place; the others are read without it."""
    found = finding(
        code,
        Severity.WARNING,
        title,
        remedy,
        subject=place(failure.account, failure.region),
        evidence=evidence_of(failure),
    )
    return Judgement(found)


def judge_cur_bucket(failure: CallFailure, about: ProbedConnection) -> Judgement | None:
    bucket = about.cur_bucket
    if failure.kind is ErrorKind.KMS_DENIED:
        return _kms(failure, "the bill's bucket")
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

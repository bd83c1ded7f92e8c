"""A small AWS for these tests: a payer that manages three members, one without the jump role."""

import base64
import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from demo.aws import state as sim
from tensorcost.domain.clock import Clock
from tensorcost.providers.aws.limiter import Limiter
from tensorcost.providers.aws.session import AccountSession, AwsSessions, RoleAccess
from tensorcost.providers.aws.settings import AwsSettings
from tests.providers.bedrock.samples import lines, record

BACKEND, PAYER = "999999999999", "111122223333"
MEMBER, ACQUIRED, CLOSED = "222233334444", "333344445555", "444455556666"
EXTERNAL_ID = "tc-test-external-id"
READER = f"TensorCost-BedrockReader-{EXTERNAL_ID}"
ROLE_ARN = f"arn:aws:iam::{PAYER}:role/{READER}"
JUMP = "OrganizationAccountAccessRole"
HOME, OTHER = "us-east-1", "eu-central-1"
GROUP, BUCKET, CUR_BUCKET = "/bedrock/invocations", "test-bedrock-logs", "test-cur"
PROFILE_ID = "ab12cd34ef56"
MODEL = "us.anthropic.claude-sonnet-4-6"
NOW = datetime(2026, 11, 4, 6, tzinfo=UTC)
TRAFFIC = datetime(2026, 11, 4, 3, 5, tzinfo=UTC)
ACCOUNTS = frozenset({PAYER, MEMBER, ACQUIRED, CLOSED})

READS = [
    "bedrock:*",
    "bcm-data-exports:*",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListMetrics",
    "cur:DescribeReportDefinitions",
    "kms:Decrypt",
    "logs:DescribeLogGroups",
    "logs:FilterLogEvents",
    "organizations:DescribeOrganization",
    "organizations:ListAccounts",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:ListBucket",
    "sts:AssumeRole",
    "sts:GetCallerIdentity",
]


def trust(principal: str, external_id: str = "") -> dict[str, Any]:
    statement: dict[str, Any] = {
        "Effect": "Allow",
        "Principal": {"AWS": principal},
        "Action": "sts:AssumeRole",
    }
    if external_id:
        statement["Condition"] = {"StringEquals": {"sts:ExternalId": external_id}}
    return {"Version": "2012-10-17", "Statement": [statement]}


def jump_role() -> sim.Role:
    root = f"arn:aws:iam::{PAYER}:root"
    return sim.Role(name=JUMP, trust=trust(root), permissions=["*"])


def accounts() -> list[sim.Account]:
    reader = sim.Role(
        name=READER,
        trust=trust(f"arn:aws:iam::{BACKEND}:root", EXTERNAL_ID),
        permissions=list(READS),
    )
    user = sim.User(name="backend", access_key="AKIAFAKETESTBACKEND0", secret_key="fake-secret")
    return [
        sim.Account(id=BACKEND, name="backend", users=[user]),
        sim.Account(id=PAYER, name="payer", roles=[reader]),
        sim.Account(id=MEMBER, name="workloads", roles=[jump_role()]),
        sim.Account(id=ACQUIRED, name="acquired", joined_method="INVITED"),
        sim.Account(id=CLOSED, name="closed", state="SUSPENDED", roles=[jump_role()]),
    ]


def log_key(name: str, day: str = "2026/11/04", account: str = PAYER) -> str:
    return f"logs/AWSLogs/{account}/BedrockModelInvocationLogs/{HOME}/{day}/03/{name}"


def stored(key: str, content: bytes, bucket: str = BUCKET) -> sim.ObjectSeed:
    return sim.ObjectSeed(bucket=bucket, key=key, base64=base64.b64encode(content).decode())


def objects() -> list[sim.ObjectSeed]:
    def packed(*names: str) -> bytes:
        return gzip.compress(lines(*(record(requestId=name) for name in names)))

    return [
        stored(log_key("20261104T030000000Z_aa.json.gz"), packed("a1", "a2")),
        stored(log_key("20261104T031000000Z_bb.json.gz"), packed("b1")),
        stored(log_key("data/a1_input.json.gz"), gzip.compress(b"{}")),
        stored(log_key("amazon-bedrock-logs-permission-check"), b"ok"),
        stored(log_key("20261103T230000000Z_cc.json.gz", "2026/11/03"), packed("c1")),
    ]


def bill_export(**changes: Any) -> sim.Export:
    """A healthy export of the payer's bill, delivered today; ``changes`` override members."""
    given: dict[str, Any] = {
        "account": PAYER,
        "name": "bills",
        "bucket": CUR_BUCKET,
        "prefix": "cur",
        "bucket_region": HOME,
        "parquet": True,
        "columns": ["line_item_unblended_cost"],
        "created": NOW - timedelta(days=90),
        "refreshed": NOW,
        "execution_id": "run-1",
    }
    return sim.Export(**(given | changes))


def world(**changes: Any) -> sim.SimState:
    at = NOW - timedelta(days=60)
    made = sim.SimState(
        now=NOW,
        accounts=accounts(),
        buckets=[
            sim.Bucket(name=BUCKET, account=PAYER, region=HOME),
            sim.Bucket(name=CUR_BUCKET, account=PAYER, region=HOME),
        ],
        log_groups=[sim.LogGroup(account=PAYER, region=HOME, name=GROUP)],
        logging=[
            sim.LoggingConfig(
                account=PAYER, region=HOME, bucket=BUCKET, key_prefix="logs", log_group=GROUP
            )
        ],
        profiles=[
            sim.InferenceProfile(
                account=PAYER,
                region=HOME,
                id=PROFILE_ID,
                name="support-bot-prod",
                type="APPLICATION",
                model_arns=[
                    f"arn:aws:bedrock:{region}::foundation-model/anthropic.claude-sonnet-4-6"
                    for region in ("us-east-1", "us-west-2")
                ],
                created=at,
                tags={"team": "care"},
            ),
            sim.InferenceProfile(
                account=PAYER,
                region=HOME,
                id=MODEL,
                name="US Claude Sonnet 4.6",
                type="SYSTEM_DEFINED",
                model_arns=[
                    "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-sonnet-4-6"
                ],
                created=at,
            ),
        ],
        provisioned=[
            sim.ProvisionedModel(
                account=PAYER,
                region=HOME,
                id="pt1",
                name="steady",
                foundation_model_arn=(
                    "arn:aws:bedrock:us-east-1::foundation-model/amazon.nova-lite-v1:0"
                ),
                created=at,
            )
        ],
        models=[
            sim.FoundationModel(
                id="amazon.nova-lite-v1:0", name="Nova Lite", provider="Amazon", regions=[HOME]
            )
        ],
        organization=sim.Organization(
            id="o-test", management=PAYER, members=[PAYER, MEMBER, ACQUIRED, CLOSED]
        ),
        metric_points=[
            sim.MetricPoint(
                account=PAYER,
                region=HOME,
                model_id=MODEL,
                at=TRAFFIC + timedelta(minutes=minute * 7),
                invocations=2,
                input_tokens=100,
                output_tokens=10,
                cache_read=5,
                cache_write=3,
            )
            for minute in range(12)
        ],
        log_events=[
            sim.LogEvent(
                account=PAYER,
                region=HOME,
                group=GROUP,
                at=TRAFFIC + timedelta(seconds=n),
                message=json.dumps(record(requestId=f"e{n}")),
            )
            for n in range(25)
        ],
        objects=objects(),
    )
    for name, value in changes.items():
        setattr(made, name, value)
    return made


def aws_settings(endpoint: str, **changes: Any) -> AwsSettings:
    given: dict[str, Any] = {
        "endpoint_url": endpoint,
        "allow_plaintext": True,
        "backend_account_id": BACKEND,
        "access_key_id": "AKIAFAKETESTBACKEND0",
        "secret_access_key": "fake-secret",
        "max_attempts": 1,
        "connect_timeout": 5,
        "read_timeout": 10,
    }
    return AwsSettings(**(given | changes))


def wall_clock() -> datetime:
    return datetime.now(UTC)


def sessions(
    endpoint: str,
    *,
    clock: Clock = wall_clock,
    limiter: Limiter | None = None,
    upstream: Limiter | None = None,
    **changes: Any,
) -> AwsSessions:
    return AwsSessions(aws_settings(endpoint, **changes), clock, limiter, upstream)


def access(**changes: Any) -> RoleAccess:
    given: dict[str, Any] = {
        "tenant": "tenant-1",
        "role_arn": ROLE_ARN,
        "external_id": EXTERNAL_ID,
        "allowed_accounts": ACCOUNTS,
    }
    return RoleAccess(**(given | changes))


def payer(endpoint: str, **changes: Any) -> AccountSession:
    return sessions(endpoint, **changes).role(access())

"""Plain boto3 clients pointed at the simulator."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

from demo.world.spec import World

READ_ONLY = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Action": [
                    "s3:GetObject",
                    "s3:ListBucket",
                    "logs:FilterLogEvents",
                    "logs:DescribeLogGroups",
                    "cloudwatch:GetMetricData",
                    "cloudwatch:ListMetrics",
                    "bedrock:Get*",
                    "bedrock:List*",
                ],
                "Resource": "*",
            }
        ],
    }
)


@dataclass(frozen=True, slots=True)
class Keys:
    access_key: str
    secret_key: str
    token: str | None = None


@dataclass(frozen=True, slots=True)
class Clients:
    """Makes clients without retries, so that a test sees the first answer."""

    endpoint_url: str
    world: World

    def client(
        self,
        service: str,
        keys: Keys,
        region: str = "us-east-1",
        attempts: int = 1,
        read_timeout: int = 10,
    ) -> Any:
        return boto3.client(
            service,
            endpoint_url=self.endpoint_url,
            region_name=region,
            aws_access_key_id=keys.access_key,
            aws_secret_access_key=keys.secret_key,
            aws_session_token=keys.token,
            config=Config(
                retries={"mode": "standard", "total_max_attempts": attempts},
                connect_timeout=5,
                read_timeout=read_timeout,
            ),
        )

    @property
    def backend(self) -> Keys:
        return Keys(self.world.backend_access_key, self.world.backend_secret_key)

    def assume(self, keys: Keys, role_arn: str, **more: Any) -> Keys:
        answer = self.client("sts", keys).assume_role(
            RoleArn=role_arn, RoleSessionName="tensorcost-test", **more
        )
        given = answer["Credentials"]
        return Keys(given["AccessKeyId"], given["SecretAccessKey"], given["SessionToken"])

    def reader(self) -> Keys:
        return self.assume(
            self.backend, self.world.reader_role_arn, ExternalId=self.world.external_id
        )

    def member(self, account: str, policy: str = READ_ONLY) -> Keys:
        arn = f"arn:aws:iam::{account}:role/{self.world.jump_role_name}"
        return self.assume(self.reader(), arn, Policy=policy)


def failure(error: ClientError) -> tuple[str, int]:
    """The code and HTTP status of an error answer."""
    return (
        error.response["Error"]["Code"],
        error.response["ResponseMetadata"]["HTTPStatusCode"],
    )

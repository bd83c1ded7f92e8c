"""The operations that cloud-sim answers itself; everything else goes to moto."""

from __future__ import annotations

from demo.aws.context import Operations
from demo.aws.services import bedrock, cloudwatch, exports, iam, logs, organizations, s3, sts

SERVICES: dict[str, Operations] = {
    "sts": sts.OPERATIONS,
    "iam": iam.OPERATIONS,
    "bedrock": bedrock.OPERATIONS,
    "cloudwatch": cloudwatch.OPERATIONS,
    "logs": logs.OPERATIONS,
    "organizations": organizations.OPERATIONS,
    "bcm-data-exports": exports.DATA_EXPORTS,
    "cur": exports.LEGACY,
    "s3": s3.OPERATIONS,
}

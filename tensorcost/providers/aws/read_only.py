"""The inline session policy of every hop into a member account (decisions 23).

The jump role may be an administrator; the session that we take from it may only read.
"""

import json
from typing import Final

READ_ACTIONS: Final = (
    "bedrock:GetInferenceProfile",
    "bedrock:GetModelInvocationLoggingConfiguration",
    "bedrock:GetProvisionedModelThroughput",
    "bedrock:ListFoundationModels",
    "bedrock:ListInferenceProfiles",
    "bedrock:ListProvisionedModelThroughputs",
    "bedrock:ListTagsForResource",
    "cloudwatch:GetMetricData",
    "cloudwatch:ListMetrics",
    "kms:Decrypt",
    "logs:DescribeLogGroups",
    "logs:FilterLogEvents",
    "s3:GetBucketLocation",
    "s3:GetObject",
    "s3:ListBucket",
)

READ_ONLY_POLICY: Final = json.dumps(
    {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Allow", "Action": list(READ_ACTIONS), "Resource": "*"}],
    },
    separators=(",", ":"),
)
"""Compact: AWS allows 2,048 characters."""

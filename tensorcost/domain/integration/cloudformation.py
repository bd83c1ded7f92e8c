"""The published stack as it is launched: its parameters, the console's link, the command line."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.onboarding import DEFAULT_JUMP_ROLE, partition_of

STACK_NAME: Final = "tensorcost-bedrock"
_CONSOLES: Final = {
    "aws": "{region}.console.aws.amazon.com",
    "aws-cn": "{region}.console.amazonaws.cn",
    "aws-us-gov": "{region}.console.amazonaws-us-gov.com",
}
_PLAIN: Final = re.compile(r"[^\s,=\"'\[\]{}\\]*")
"""Values that the AWS CLI's shorthand takes without quotes."""


@dataclass(frozen=True, slots=True)
class Publication:
    """Where the template is published. CloudFormation takes only addresses of S3 objects."""

    template_url: str
    backend_account_id: str


def stack_parameters(connection: Connection, backend_account_id: str) -> dict[str, str]:
    """The parameters of the stack for this connection; those at their default are left out."""
    own = connection.settings
    optional = {
        "BedrockLogGroupArn": own.log_group_arn,
        "BedrockLogBucket": own.log_bucket,
        "BedrockLogPrefix": own.log_prefix if own.log_bucket else "",
        "CurBucket": own.cur_bucket,
        "CurPrefix": own.cur_prefix if own.cur_bucket else "",
        "RolePathPrefix": own.role_path_prefix,
    }
    if own.organization_role_name != DEFAULT_JUMP_ROLE:
        optional["OrganizationAccountAccessRoleName"] = own.organization_role_name
    return {
        "ExternalId": connection.external_id,
        "TensorCostBackendAccountId": backend_account_id,
        "OnboardingMode": connection.mode.value,
    } | {name: value for name, value in optional.items() if value}


def launch_url(connection: Connection, published: Publication) -> str:
    """The console's page with everything filled in; the person only confirms."""
    region = connection.settings.home_region
    host = _CONSOLES.get(partition_of(region), _CONSOLES["aws"]).format(region=region)
    query = {"templateURL": published.template_url, "stackName": STACK_NAME}
    for name, value in stack_parameters(connection, published.backend_account_id).items():
        query[f"param_{name}"] = value
    filled = "&".join(f"{name}={quote(value, safe='')}" for name, value in query.items())
    return f"https://{host}/cloudformation/home?region={region}#/stacks/create/review?{filled}"


def create_stack_command(connection: Connection, published: Publication) -> str:
    """The same stack from a shell.

    ``aws cloudformation deploy`` takes no ``--template-url``; ``create-stack`` does
    (decisions 32).
    """
    given = stack_parameters(connection, published.backend_account_id)
    lines = [
        "aws cloudformation create-stack",
        f"--region {shlex.quote(connection.settings.home_region)}",
        f"--stack-name {STACK_NAME}",
        f"--template-url {shlex.quote(published.template_url)}",
        "--parameters",
        *(f"  {argument}" for argument in _arguments(given)),
        "--capabilities CAPABILITY_NAMED_IAM",
    ]
    return " \\\n  ".join(lines)


def _arguments(given: Mapping[str, str]) -> list[str]:
    return [
        shlex.quote(f"ParameterKey={name},ParameterValue={_shorthand(value)}")
        for name, value in given.items()
    ]


def _shorthand(value: str) -> str:
    if _PLAIN.fullmatch(value):
        return value
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'

"""The published stack as it is launched: its parameters, the console's link, the command line."""

import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote

from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.onboarding import (
    DEFAULT_JUMP_ROLE,
    external_id_in_role,
    partition_of,
)

STACK_NAME: Final = "tensorcost-bedrock"
_CONSOLES: Final = {
    "aws": "{region}.console.aws.amazon.com",
    "aws-cn": "{region}.console.amazonaws.cn",
    "aws-us-gov": "{region}.console.amazonaws-us-gov.com",
}
_PLAIN: Final = re.compile(r"[^\s,=\"'\[\]{}\\]*")
"""Values that the AWS CLI's shorthand takes without quotes."""
_KEPT: Final = (
    "ExternalId",
    "TensorCostBackendAccountId",
    "OnboardingMode",
    "BedrockLogGroupArn",
    "BedrockLogBucket",
    "BedrockLogPrefix",
    "CurBucket",
    "CurPrefix",
    "KmsKeyArn",
    "RolePathPrefix",
    "OrganizationAccountAccessRoleName",
)
"""Parameters that every published version of the template has had: an update keeps what the
customer gave, also where the wizard never heard of it."""


@dataclass(frozen=True, slots=True)
class Publication:
    """Where the template is published. CloudFormation takes only addresses of S3 objects."""

    template_url: str
    backend_account_id: str


def stack_parameters(connection: Connection, backend_account_id: str) -> dict[str, str]:
    """The parameters of the stack for this connection; those at their default are left out.

    The role keeps the name that it got from its first ExternalId, whichever it trusts today.
    """
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
        "ExternalId": _first_external_id(connection),
        "TensorCostBackendAccountId": backend_account_id,
        "OnboardingMode": connection.mode.value,
    } | {name: value for name, value in (_trusted(connection) | optional).items() if value}


def trust_policy(connection: Connection, backend_account_id: str) -> str:
    """The role's trust policy as the stack writes it, as JSON: with both ids while the
    connection's ExternalId is rotated and the new one is not in use yet."""
    partition = partition_of(connection.settings.home_region)
    given = [id_ for id_ in (connection.external_id, connection.next_external_id) if id_]
    statement = {
        "Sid": "TensorCostWithExternalId",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:{partition}:iam::{backend_account_id}:root"},
        "Action": "sts:AssumeRole",
        "Condition": {"StringEquals": {"sts:ExternalId": given if len(given) > 1 else given[0]}},
    }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]}, indent=2) + "\n"


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
    return _command("create-stack", connection, published, _arguments(given))


def update_stack_command(connection: Connection, published: Publication) -> str:
    """Makes the stack trust the connection's ExternalIds of today; all else stays as it is."""
    kept = [f"ParameterKey={name},UsePreviousValue=true" for name in _KEPT]
    return _command(
        "update-stack", connection, published, [*kept, *_arguments(_trusted(connection))]
    )


def _first_external_id(connection: Connection) -> str:
    return external_id_in_role(connection.role_arn) or connection.external_id


def _trusted(connection: Connection) -> dict[str, str]:
    is_first = connection.external_id == _first_external_id(connection)
    return {
        "TrustedExternalId": "" if is_first else connection.external_id,
        "NextExternalId": connection.next_external_id,
    }


def _command(
    action: str, connection: Connection, published: Publication, parameters: list[str]
) -> str:
    lines = [
        f"aws cloudformation {action}",
        f"--region {shlex.quote(connection.settings.home_region)}",
        f"--stack-name {STACK_NAME}",
        f"--template-url {shlex.quote(published.template_url)}",
        "--parameters",
        *(f"  {argument}" for argument in parameters),
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

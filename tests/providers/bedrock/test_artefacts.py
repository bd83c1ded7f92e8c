"""The stack and its companions: lintable, read-only, and deployable for one connection."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl
from uuid import uuid4

import boto3
import pytest
from cfnlint.api import ManualArgs, lint
from cfnlint.decode.cfn_yaml import loads
from moto.server import ThreadedMotoServer

from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionSettings
from tensorcost.domain.integration.external_id import check_external_id
from tensorcost.domain.integration.states import ConnectionMode
from tensorcost.providers.aws.read_only import READ_ACTIONS
from tensorcost.providers.bedrock.artefacts import ArtefactSettings, BedrockArtefacts
from tensorcost.services.integration import Artefacts
from tests.support.connections import connection_of

SETTINGS = ArtefactSettings("900000000001", "https://fake-bucket.s3.amazonaws.com/stack.yml")
SPECIFIED = {
    "ExternalId",
    "TensorCostBackendAccountId",
    "BedrockLogGroupArn",
    "OnboardingMode",
    "RolePathPrefix",
    "OrganizationAccountAccessRoleName",
    "BedrockLogBucket",
    "CurBucket",
    "CurPrefix",
    "KmsKeyArn",
}
READS = re.compile(r"[a-z0-9-]+:(Get|List|Describe|Filter)[A-Za-z]+")
ALLOWED_BESIDE_READS = {"sts:AssumeRole", "kms:Decrypt"}


@pytest.fixture(scope="module")
def artefacts() -> Artefacts:
    return BedrockArtefacts(SETTINGS)


@pytest.fixture(scope="module")
def template(artefacts: Artefacts) -> dict[str, Any]:
    parsed: dict[str, Any] = loads(artefacts.template())
    return parsed


def connected(**changes: Any) -> Connection:
    return connection_of(TenantId(uuid4()), **changes)


def actions_in(node: object) -> Iterator[str]:
    """Every value of an ``Action`` member, wherever it stands."""
    if isinstance(node, dict):
        for name, value in node.items():
            if name == "Action":
                yield from [value] if isinstance(value, str) else value
            else:
                yield from actions_in(value)
    elif isinstance(node, list):
        for value in node:
            yield from actions_in(value)


def lint_matches(text: str) -> list[str]:
    checks = ManualArgs(regions=["us-east-1", "eu-central-1"], include_checks=["I"])
    return [f"{match.rule.id} {match.message}" for match in lint(text, config=checks)]


def test_cfn_lint_has_nothing_to_say(artefacts: Artefacts) -> None:
    assert lint_matches(artefacts.template()) == []


def test_the_linter_would_say_something(artefacts: Artefacts) -> None:
    broken = artefacts.template().replace("Type: AWS::IAM::Role\n", "Type: AWS::IAM::Roll\n")
    assert any("AWS::IAM::Roll" in match for match in lint_matches(broken))


def test_every_parameter_of_the_onboarding_page_is_there(template: dict[str, Any]) -> None:
    assert set(template["Parameters"]) >= SPECIFIED
    assert template["Parameters"]["TensorCostBackendAccountId"]["Default"] == "000000000000"
    assert template["Parameters"]["OnboardingMode"]["AllowedValues"] == [
        "SingleAccount",
        "Organization",
    ]


def test_exactly_one_role_and_its_arn_as_the_output(template: dict[str, Any]) -> None:
    types = [resource["Type"] for resource in template["Resources"].values()]
    assert types == ["AWS::IAM::Role", "AWS::IAM::ManagedPolicy"]
    assert list(template["Outputs"]) == ["BedrockReaderRoleArn"]


def test_no_action_writes_or_invokes(template: dict[str, Any]) -> None:
    granted = set(actions_in(template["Resources"]))
    assert granted
    assert {a for a in granted if not READS.fullmatch(a)} == ALLOWED_BESIDE_READS
    assert "bedrock:ListTagsForResource" in granted
    assert {"s3:ListBucket", "logs:DescribeLogGroups", "bcm-data-exports:ListExports"} <= granted


def test_the_role_may_do_what_a_member_hop_may_do(template: dict[str, Any]) -> None:
    """The same readers run in both, so neither may lack what the other has."""
    assert set(READ_ACTIONS) <= set(actions_in(template["Resources"]))


def test_the_connection_gets_texts_that_fit_the_service(artefacts: Artefacts) -> None:
    connection = connected(external_id=artefacts.new_external_id())
    assert check_external_id(connection.external_id) == connection.external_id
    assert artefacts.new_external_id() != connection.external_id
    assert artefacts.backend_account_id == "900000000001"
    assert artefacts.role_arn(connection).endswith(connection.external_id)
    assert "create-stack" in artefacts.cli_command(connection)
    assert "param_ExternalId=" in artefacts.launch_url(connection)
    assert artefacts.list_accounts_script(connection).startswith("#!/bin/sh\n")


def test_the_bucket_policy_lets_only_this_role_list_and_read(artefacts: Artefacts) -> None:
    settings = ConnectionSettings(cur_bucket="fake-cur", cur_prefix="reports/")
    connection = connected(settings=settings)
    (statement,) = json.loads(artefacts.bucket_policy(connection))["Statement"]
    assert statement["Principal"] == {"AWS": connection.role_arn}
    assert statement["Action"] == ["s3:GetObject", "s3:ListBucket"]
    assert statement["Resource"] == ["arn:aws:s3:::fake-cur", "arn:aws:s3:::fake-cur/reports/*"]


@pytest.fixture(scope="module")
def moto_url() -> Iterator[str]:
    server = ThreadedMotoServer(port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.mark.parametrize("mode", list(ConnectionMode))
def test_the_stack_deploys_into_the_role_that_was_promised(
    artefacts: Artefacts, moto_url: str, mode: ConnectionMode
) -> None:
    settings = ConnectionSettings(
        role_path_prefix="/customer-managed/", log_bucket="fake-logs", cur_bucket="fake-cur"
    )
    connection = connected(
        account_id="123456789012",
        external_id=f"tc-{mode.value}",
        role_arn="",
        mode=mode,
        settings=settings,
    )
    aws = moto_clients(moto_url)
    stacks, iam = aws["cloudformation"], aws["iam"]
    name = f"tensorcost-{mode.value}"
    deploy(stacks, name, artefacts, connection)
    (stack,) = stacks.describe_stacks(StackName=name)["Stacks"]
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
    assert outputs == {"BedrockReaderRoleArn": artefacts.role_arn(connection)}
    role_name = artefacts.role_arn(connection).rpartition("/")[2]
    trust = iam.get_role(RoleName=role_name)["Role"]["AssumeRolePolicyDocument"]
    (statement,) = trust["Statement"]
    assert statement["Principal"] == {"AWS": "arn:aws:iam::900000000001:root"}
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": connection.external_id}}
    attached = iam.list_attached_role_policies(RoleName=role_name)["AttachedPolicies"]
    assert len(attached) == (1 if mode is ConnectionMode.ORGANIZATION else 0)


@pytest.mark.parametrize(
    ("ids", "trusted"),
    [
        ({"next_external_id": "tc-second"}, ["tc-first", "tc-second"]),
        ({"external_id": "tc-second"}, "tc-second"),
        (
            {"external_id": "tc-second", "next_external_id": "tc-third"},
            ["tc-second", "tc-third"],
        ),
    ],
)
def test_a_stack_of_a_rotation_trusts_what_its_policy_says_in_the_same_role(
    artefacts: Artefacts, moto_url: str, ids: dict[str, str], trusted: str | list[str]
) -> None:
    first = connected(account_id="123456789012", external_id="tc-first")
    role_arn = artefacts.role_arn(first)
    connection = first.model_copy(update={"role_arn": role_arn, **ids})
    aws = moto_clients(moto_url)
    name = f"tensorcost-{'-'.join(ids.values())}"
    deploy(aws["cloudformation"], name, artefacts, connection)
    role_name = role_arn.rpartition("/")[2]
    deployed = aws["iam"].get_role(RoleName=role_name)["Role"]["AssumeRolePolicyDocument"]
    assert deployed["Statement"][0]["Condition"] == {"StringEquals": {"sts:ExternalId": trusted}}
    shown = json.loads(artefacts.trust_policy(connection))
    assert shown["Statement"] == deployed["Statement"]
    aws["cloudformation"].delete_stack(StackName=name)


def moto_clients(moto_url: str) -> dict[str, Any]:
    keys = {
        "endpoint_url": moto_url,
        "region_name": "us-east-1",
        "aws_access_key_id": "AKIAFAKEFORTESTS0000",
        "aws_secret_access_key": "fake-for-tests",
    }
    return {service: boto3.client(service, **keys) for service in ("cloudformation", "iam")}


def deploy(stacks: Any, name: str, artefacts: Artefacts, connection: Connection) -> None:
    """The published stack with the parameters of the launch link."""
    stacks.create_stack(
        StackName=name,
        TemplateBody=artefacts.template(),
        Parameters=[
            dict(zip(("ParameterKey", "ParameterValue"), pair, strict=True))
            for pair in given_in(artefacts.launch_url(connection)).items()
        ],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )


def given_in(url: str) -> dict[str, str]:
    """The stack's parameters in a launch link."""
    query = dict(parse_qsl(url.partition("?")[2].partition("?")[2]))
    return {k.removeprefix("param_"): v for k, v in query.items() if k.startswith("param_")}


def test_the_template_ships_inside_the_package(artefacts: Artefacts) -> None:
    shipped = Path(__file__).parents[3] / "tensorcost/providers/bedrock/artefacts/bedrock-stack.yml"
    assert artefacts.template() == shipped.read_text()

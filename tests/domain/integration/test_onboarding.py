"""What the wizard shows: the role's name and ARN, the launch link, the command, the script."""

import json
import os
import shlex
import stat
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from tensorcost.domain.ids import TenantId
from tensorcost.domain.integration.cloudformation import (
    Publication,
    create_stack_command,
    launch_url,
    stack_parameters,
    trust_policy,
    update_stack_command,
)
from tensorcost.domain.integration.contracts_connection import Connection, ConnectionSettings
from tensorcost.domain.integration.onboarding import (
    VARIANTS,
    list_accounts_script,
    parse_role_arn,
    role_arn,
)
from tensorcost.domain.integration.states import ConnectionMode
from tests.support.connections import ACCOUNT, connection_of

PUBLISHED = Publication(
    "https://example-bucket.s3.us-east-1.amazonaws.com/cfn/bedrock-stack.yml", "900000000001"
)


def connected(**changes: Any) -> Connection:
    return connection_of(TenantId(uuid4()), **changes)


def test_the_role_arn_names_the_external_id_and_the_path() -> None:
    assert (
        role_arn("111122223333", "tc-abc")
        == "arn:aws:iam::111122223333:role/TensorCost-BedrockReader-tc-abc"
    )
    with_path = role_arn("111122223333", "tc-abc", path="/customer-managed/")
    assert with_path.endswith(":role/customer-managed/TensorCost-BedrockReader-tc-abc")
    parts = parse_role_arn(with_path)
    assert parts is not None
    assert parts.path == "/customer-managed/"


def test_other_partitions_have_their_own_arns() -> None:
    assert role_arn("111122223333", "tc-abc", region="cn-north-1").startswith("arn:aws-cn:")
    assert role_arn("111122223333", "tc-abc", region="us-gov-west-1").startswith("arn:aws-us-gov:")


@pytest.mark.parametrize("arn", ["", "arn:aws:iam::1111:role/x", "arn:aws:s3:::bucket"])
def test_what_is_not_a_role_arn_has_no_parts(arn: str) -> None:
    assert parse_role_arn(arn) is None


def test_parameters_at_their_default_are_left_out() -> None:
    assert stack_parameters(connected(), "900000000001") == {
        "ExternalId": "tc-fake-external-id",
        "TensorCostBackendAccountId": "900000000001",
        "OnboardingMode": "SingleAccount",
    }


def test_every_setting_of_the_wizard_becomes_a_parameter() -> None:
    settings = ConnectionSettings(
        role_path_prefix="/customer-managed/",
        organization_role_name="AWSControlTowerExecution",
        log_group_arn="arn:aws:logs:us-east-1:111122223333:log-group:/bedrock/calls",
        log_bucket="fake-logs",
        log_prefix="bedrock",
        cur_bucket="fake-cur",
        cur_prefix="reports",
    )
    given = stack_parameters(
        connected(mode=ConnectionMode.ORGANIZATION, settings=settings), "900000000001"
    )
    assert given["OnboardingMode"] == "Organization"
    assert given["RolePathPrefix"] == "/customer-managed/"
    assert given["OrganizationAccountAccessRoleName"] == "AWSControlTowerExecution"
    assert given["BedrockLogGroupArn"] == settings.log_group_arn
    assert (given["BedrockLogBucket"], given["BedrockLogPrefix"]) == ("fake-logs", "bedrock")
    assert (given["CurBucket"], given["CurPrefix"]) == ("fake-cur", "reports")


def test_the_launch_link_fills_the_console_in() -> None:
    connection = connected(
        external_id="a=b,c@d+e",
        role_arn=role_arn(ACCOUNT, "a=b,c@d+e"),
        settings=ConnectionSettings(),
    )
    url = launch_url(connection, PUBLISHED)
    parts = urlsplit(url)
    assert parts.netloc == "us-east-1.console.aws.amazon.com"
    page, _, query = parts.fragment.partition("?")
    assert page == "/stacks/create/review"
    filled = parse_qs(query)
    assert filled["templateURL"] == [PUBLISHED.template_url]
    assert filled["stackName"] == ["tensorcost-bedrock"]
    assert filled["param_ExternalId"] == ["a=b,c@d+e"]


def test_the_command_uses_create_stack_and_survives_the_shell() -> None:
    connection = connected(external_id="a,b=c", role_arn=role_arn(ACCOUNT, "a,b=c"))
    words = shlex.split(create_stack_command(connection, PUBLISHED))
    assert words[:3] == ["aws", "cloudformation", "create-stack"]
    assert words[words.index("--template-url") + 1] == PUBLISHED.template_url
    assert words[words.index("--capabilities") + 1] == "CAPABILITY_NAMED_IAM"
    assert 'ParameterKey=ExternalId,ParameterValue="a,b=c"' in words
    assert "ParameterKey=TensorCostBackendAccountId,ParameterValue=900000000001" in words


FIRST, SECOND, THIRD = "tc-fake-external-id", "tc-fake-second", "tc-fake-third"


@pytest.mark.parametrize(
    ("ids", "given", "trusted"),
    [
        ({"external_id": FIRST}, {}, FIRST),
        (
            {"external_id": FIRST, "next_external_id": SECOND},
            {"NextExternalId": SECOND},
            [FIRST, SECOND],
        ),
        (
            {"external_id": SECOND, "previous_external_id": FIRST},
            {"TrustedExternalId": SECOND},
            SECOND,
        ),
        (
            {"external_id": SECOND, "next_external_id": THIRD},
            {"TrustedExternalId": SECOND, "NextExternalId": THIRD},
            [SECOND, THIRD],
        ),
    ],
)
def test_a_rotated_role_keeps_the_name_of_its_first_external_id(
    ids: dict[str, str], given: dict[str, str], trusted: str | list[str]
) -> None:
    connection = connected(**ids)
    parameters = stack_parameters(connection, "900000000001")
    assert parameters["ExternalId"] == FIRST
    assert {
        k: v for k, v in parameters.items() if k in ("TrustedExternalId", "NextExternalId")
    } == given
    (statement,) = json.loads(trust_policy(connection, "900000000001"))["Statement"]
    assert statement["Condition"] == {"StringEquals": {"sts:ExternalId": trusted}}
    assert statement["Principal"] == {"AWS": "arn:aws:iam::900000000001:root"}
    words = shlex.split(update_stack_command(connection, PUBLISHED))
    assert words[:3] == ["aws", "cloudformation", "update-stack"]
    assert "ParameterKey=KmsKeyArn,UsePreviousValue=true" in words
    assert "ParameterKey=ExternalId,UsePreviousValue=true" in words
    for name in ("TrustedExternalId", "NextExternalId"):
        assert f"ParameterKey={name},ParameterValue={given.get(name, '')}" in words


def test_all_four_variants_have_advice() -> None:
    assert [variant.code for variant in VARIANTS] == ["A", "B", "C", "D"]
    assert all(variant.advice for variant in VARIANTS)
    assert any("AWSControlTowerExecution" in line for line in VARIANTS[2].advice)


POLICY = '{"only":"$reads"}'
FAKE_AWS = """\
#!/bin/sh
case "$1 $2" in
  "sts get-caller-identity") echo 111122223333 ;;
  "organizations list-accounts")
    printf '111122223333\\tACTIVE\\n222233334444\\tACTIVE\\n'
    printf '333344445555\\tSUSPENDED\\n444455556666\\tACTIVE\\n555566667777\\tACTIVE\\n'
    printf '666677778888\\tACTIVE\\n' ;;
  "sts assume-role")
    case "$*" in
      *'--policy {"only":"$reads"}'*) ;;
      *) exit 8 ;;
    esac
    case "$*" in
      *:iam::666677778888:role/AWSControlTowerExecution*) echo arn:fake ;;
      *:iam::222233334444:role/Jump*) echo arn:fake ;;
      *:iam::444455556666:* | *:iam::666677778888:*)
        echo "An error occurred (AccessDenied) when calling AssumeRole" >&2; exit 254 ;;
      *) echo "Could not connect to the endpoint" >&2; exit 255 ;;
    esac ;;
  *) exit 9 ;;
esac
"""


def run_script(script: str, folder: Path) -> subprocess.CompletedProcess[str]:
    fake = folder / "aws"
    fake.write_text(FAKE_AWS)
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    path = f"{folder}:{os.environ['PATH']}"
    return subprocess.run(
        ["sh", "-c", script],
        env={"PATH": path},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
        cwd=folder,
    )


def test_the_script_tells_every_account_apart(tmp_path: Path) -> None:
    done = run_script(list_accounts_script("Jump", POLICY), tmp_path)
    told = {line.split()[1]: line.split()[0] for line in done.stdout.splitlines()}
    assert told == {
        "111122223333": "OWN",
        "222233334444": "COVERED",
        "333344445555": "SKIPPED",
        "444455556666": "MISSING",
        "555566667777": "UNKNOWN",
        "666677778888": "MISSING",
    }
    assert "666677778888 (there is no Jump, but AWSControlTowerExecution)" in done.stdout
    assert done.returncode == 1, "accounts without the role fail the check"
    assert done.stderr == ""


def test_the_script_cannot_be_made_to_run_the_role_name(tmp_path: Path) -> None:
    done = run_script(list_accounts_script("x; touch broken-out", POLICY), tmp_path)
    assert not list(tmp_path.glob("broken-out"))
    assert "COVERED" not in done.stdout

"""What a customer's administrator is shown before and while connecting: names, scripts, advice."""

import re
import shlex
from dataclasses import dataclass
from typing import Final

from tensorcost.domain.integration.external_id import check_external_id

ROLE_PREFIX: Final = "TensorCost-BedrockReader-"
DEFAULT_JUMP_ROLE: Final = "OrganizationAccountAccessRole"
CONTROL_TOWER_JUMP_ROLE: Final = "AWSControlTowerExecution"


def role_name(external_id: str) -> str:
    """The name that the published stack gives its role. ValidationFailed for a bad id."""
    return f"{ROLE_PREFIX}{check_external_id(external_id)}"


def role_arn(account_id: str, external_id: str, *, path: str = "", region: str = "") -> str:
    """The ARN of the stack's role. ``path`` is empty or begins and ends with ``/``."""
    partition = partition_of(region)
    return f"arn:{partition}:iam::{account_id}:role{path or '/'}{role_name(external_id)}"


def partition_of(region: str) -> str:
    """The AWS partition of a region; the public one where none is named."""
    for head, partition in (("cn-", "aws-cn"), ("us-gov-", "aws-us-gov"), ("eusc-", "aws-eusc")):
        if region.startswith(head):
            return partition
    return "aws"


@dataclass(frozen=True, slots=True)
class RoleParts:
    """A role ARN taken apart. ``path`` begins and ends with ``/``."""

    account_id: str
    path: str
    name: str


_ARN: Final = re.compile(r"arn:aws[a-z-]*:iam::(\d{12}):role(/(?:[\w+=,.@-]+/)*)([\w+=,.@-]{1,64})")


def parse_role_arn(arn: str) -> RoleParts | None:
    """The parts of a role ARN, None when it is not one."""
    found = _ARN.fullmatch(arn)
    return RoleParts(found[1], found[2], found[3]) if found else None


def external_id_in_role(arn: str) -> str:
    """The ExternalId that the published stack named the role after; empty for another role."""
    parts = parse_role_arn(arn)
    if parts is None or not parts.name.startswith(ROLE_PREFIX):
        return ""
    return parts.name.removeprefix(ROLE_PREFIX)


@dataclass(frozen=True, slots=True)
class Variant:
    """One of the patterns that most multi-account customers fall into."""

    code: str
    title: str
    when: str
    advice: tuple[str, ...]


VARIANTS: Final = (
    Variant(
        "A",
        "Consolidated billing with a separate payer",
        "One management account pays and holds the Cost and Usage Report; workloads run in "
        "member accounts.",
        (
            "Deploy the stack in the payer account with OnboardingMode=Organization.",
            "Switch model invocation logging on in every member account and region that calls "
            "Bedrock: it is a setting of each.",
            "Name the report's bucket: the same role reads it.",
            "The bill follows its usage by up to 24 hours.",
        ),
    ),
    Variant(
        "B",
        "Service control policies that block IAM",
        "CloudFormation fails with AccessDenied on iam:CreateRole although you administer the "
        "account.",
        (
            "Set RolePathPrefix to the path that the policy allows, for example "
            "/customer-managed/.",
            "The policy must allow arn:aws:iam::*:role/customer-managed/TensorCost-*.",
        ),
    ),
    Variant(
        "C",
        "AWS Control Tower or Landing Zone",
        "Accounts come from Account Factory, whose own role has another name.",
        (
            f"Set OrganizationAccountAccessRoleName={CONTROL_TOWER_JUMP_ROLE}.",
            "Do not place the role in the Audit account: it is locked down, and only the "
            "workload accounts hold what is read.",
        ),
    ),
    Variant(
        "D",
        "The report's bucket belongs to another team or account",
        "The stack may not change the bucket's policy.",
        (
            "Hand the separate bucket policy to the bucket's owner: it lets this connection's "
            "role list and read, nothing else.",
            "A bucket encrypted with a customer-managed key also needs the key's policy to "
            "allow kms:Decrypt to that role.",
        ),
    ),
)

_LIST_ACCOUNTS: Final = """\
#!/bin/sh
# Lists the accounts of the organisation and whether the management account may enter them.
# Run it with credentials of the management account. It reads and changes nothing: the
# credentials that it is given for each account may only read and are thrown away at once.
set -u
role={role}
policy={policy}
enter() {{
  aws sts assume-role --role-session-name tensorcost-check \\
    --role-arn "arn:{partition}:iam::$1:role/$2" --policy "$policy" \\
    --query AssumedRoleUser.Arn --output text 2>&1 </dev/null
}}
management=$(aws sts get-caller-identity --query Account --output text) || exit 2
accounts=$(aws organizations list-accounts \\
  --query 'Accounts[].[Id, State || Status]' --output text) || exit 2
missing=0
while read -r account state; do
  [ -n "$account" ] || continue
  if [ "$account" = "$management" ]; then
    echo "OWN      $account (management account: the stack's role reads it)"
  elif [ "$state" != ACTIVE ]; then
    echo "SKIPPED  $account ($state)"
  elif refusal=$(enter "$account" "$role"); then
    echo "COVERED  $account"
  else
    missing=$((missing + 1))
    for other in {others}; do
      if enter "$account" "$other" >/dev/null; then refusal="There:$other"; fi
    done
    case $refusal in
      There:*)
        echo "MISSING  $account (there is no $role, but ${{refusal#There:}})" ;;
      *AccessDenied* | *NoSuchEntity*)
        echo "MISSING  $account ($role is not there, or does not trust $management)" ;;
      *)
        echo "UNKNOWN  $account ($refusal)" ;;
    esac
  fi
done <<END
$accounts
END
[ "$missing" -eq 0 ]
"""
"""STS answers a missing role and one that does not trust us with the same AccessDenied."""


def list_accounts_script(jump_role: str, policy: str, *, region: str = "") -> str:
    """A POSIX shell script for the management account; exit status 1 when accounts lack the role.

    It enters each member as the connection will, with the session ``policy`` of every hop, which
    is the only check that AWS answers without a profile for every account. Where the role does
    not let it in, it tries the other usual names: a connection knows one.
    """
    others = [one for one in (DEFAULT_JUMP_ROLE, CONTROL_TOWER_JUMP_ROLE) if one != jump_role]
    return _LIST_ACCOUNTS.format(
        role=shlex.quote(jump_role),
        others=" ".join(others),
        policy=shlex.quote(policy),
        partition=partition_of(region),
    )

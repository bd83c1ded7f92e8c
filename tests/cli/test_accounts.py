"""``tensorcost accounts preview`` with a customer's own credentials, before any stack is there."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from demo.aws import state as sim
from demo.aws.control import SimControl
from tests.providers.aws.world import JUMP, NOW, PAYER
from tests.support.command import Outcome, run_command
from tests.support.organization import member, organization

SIZE = 30
CONTROL_TOWER = "AWSControlTowerExecution"
KEYS = ("AKIAFAKECUSTOMERADM0", "fake-secret")
Preview = Callable[..., Outcome]


def customers_organization() -> sim.SimState:
    """No stack anywhere; an administrator with keys of the management account."""
    state = organization(SIZE, now=NOW)
    for account in state.accounts:
        if account.id == PAYER:
            account.roles = []
            may = ["organizations:*", "sts:*"]
            account.users = [
                sim.User(name="admin", access_key=KEYS[0], secret_key=KEYS[1], permissions=may)
            ]
    return state


@pytest.fixture
def aws(simulator: SimControl) -> SimControl:
    simulator.seed_state(customers_organization())
    return simulator


@pytest.fixture
def preview(aws: SimControl, tmp_path: Path) -> Preview:
    def run(*arguments: str, **settings: str) -> Outcome:
        given = {
            "TENSORCOST_HOME": str(tmp_path),
            "TENSORCOST_AWS__ENDPOINT_URL": aws.endpoint_url,
            "TENSORCOST_AWS__ALLOW_PLAINTEXT": "true",
            "AWS_ACCESS_KEY_ID": KEYS[0],
            "AWS_SECRET_ACCESS_KEY": KEYS[1],
        }
        return run_command("accounts", "preview", *arguments, **(given | settings))

    return run


def covered(answer: dict[str, Any]) -> dict[str, str]:
    return {account["account_id"]: account["coverage"] for account in answer["accounts"]}


def test_accounts_without_the_role_are_named_and_fail_the_command(
    aws: SimControl, preview: Preview
) -> None:
    aws.preset("role_missing", account=member(7), role=JUMP)
    aws.preset("account_suspended", account=member(8))
    done = preview("--json")
    assert done.code == 1, done.talk
    answer = done.json()
    assert (answer["management_account"], answer["role"]) == (PAYER, JUMP)
    assert len(answer["accounts"]) == SIZE + 1
    odd = {account: found for account, found in covered(answer).items() if found != "covered"}
    assert odd == {member(7): "role_missing", member(8): "skipped"}
    assert answer["counts"] == {
        "covered": SIZE - 1, "role_missing": 1, "denied": 0, "skipped": 1, "error": 0,
    }  # fmt: skip
    assert any("StackSet" in line for line in answer["advice"])


def test_an_organisation_that_is_wholly_covered_passes(aws: SimControl, preview: Preview) -> None:
    done = preview()
    assert (done.code, done.out) == (0, "")
    assert member(SIZE) in done.talk
    assert f"{SIZE + 1} covered" in done.talk


def test_under_control_tower_the_name_to_set_is_told(aws: SimControl, preview: Preview) -> None:
    for number in range(1, SIZE):
        aws.preset("role_missing", account=member(number), role=JUMP)
        aws.preset("role_deployed", account=member(number), role=CONTROL_TOWER)
    answer = preview("--json").json()
    assert answer["role"] == CONTROL_TOWER
    assert covered(answer)[member(SIZE)] == "role_missing"  # a connection knows one name
    assert (
        f"Set OrganizationAccountAccessRoleName={CONTROL_TOWER} when you connect."
        in (answer["advice"])
    )
    only = preview("--json", "--role", JUMP).json()
    assert only["counts"]["covered"] == 2


def test_nothing_is_changed_and_every_hop_may_only_read(aws: SimControl, preview: Preview) -> None:
    assert preview("--json").code == 0
    entries = aws.requests()
    assert {entry.operation for entry in entries} == {
        "GetCallerIdentity",
        "ListAccounts",
        "AssumeRole",
    }
    hops = [entry for entry in entries if entry.operation == "AssumeRole"]
    assert len(hops) == 2 * SIZE
    assert all(hop.session_policy for hop in hops)


@pytest.mark.parametrize(
    ("preset", "args", "told"),
    [
        ("not_management", {"value": member(3)}, f"use credentials of {member(3)}"),
        ("no_organization", {}, "SingleAccount"),
    ],
)
def test_what_cannot_be_listed_is_told_apart_from_what_is_missing(
    aws: SimControl, preview: Preview, preset: str, args: dict[str, str], told: str
) -> None:
    aws.preset(preset, **args)
    done = preview()
    assert done.code == 2
    assert told in done.talk.replace("\n", " ")


def test_without_credentials_the_command_says_so(preview: Preview, tmp_path: Path) -> None:
    nothing = {
        "AWS_ACCESS_KEY_ID": "",
        "AWS_SECRET_ACCESS_KEY": "",
        "AWS_EC2_METADATA_DISABLED": "true",
        "AWS_SHARED_CREDENTIALS_FILE": str(tmp_path / "none"),
        "AWS_CONFIG_FILE": str(tmp_path / "none"),
    }
    done = preview(**nothing)
    assert done.code == 2
    assert "credentials" in done.talk
    assert "Traceback" not in done.talk


def test_a_profile_of_ones_own_configuration_may_be_named(preview: Preview, tmp_path: Path) -> None:
    config = tmp_path / "config"
    config.write_text(
        f"[profile billing]\naws_access_key_id = {KEYS[0]}\naws_secret_access_key = {KEYS[1]}\n"
    )
    own = {"AWS_CONFIG_FILE": str(config), "AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": ""}
    assert preview("--json", "--profile", "billing", **own).code == 0
    unknown = preview("--profile", "nobody", **own)
    assert unknown.code == 2
    assert "nobody" in unknown.talk

"""The script of the set-up page against an organisation that enforces session policies."""

import os
import subprocess
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from demo.aws import state as sim
from demo.aws.control import SimControl
from tensorcost.domain.ids import TenantId
from tensorcost.providers.bedrock.artefacts import ArtefactSettings, BedrockArtefacts
from tests.providers.aws.world import JUMP, NOW, PAYER
from tests.support.connections import connection_of
from tests.support.organization import member, organization

CONTROL_TOWER = "AWSControlTowerExecution"
KEYS = {"AWS_ACCESS_KEY_ID": "AKIAFAKECUSTOMERADM0", "AWS_SECRET_ACCESS_KEY": "fake-secret"}
COMMAND = """\
import argparse, os, boto3, botocore.exceptions, sys
asked = argparse.ArgumentParser()
for name in ("service", "operation"):
    asked.add_argument(name)
for name in ("role-session-name", "role-arn", "policy", "query", "output"):
    asked.add_argument(f"--{name}")
given = asked.parse_args()
client = boto3.client(given.service, "us-east-1", endpoint_url=os.environ["EMULATOR"])
try:
    if given.operation == "get-caller-identity":
        print(client.get_caller_identity()["Account"])
    elif given.operation == "list-accounts":
        for page in client.get_paginator("list_accounts").paginate():
            for one in page["Accounts"]:
                print(one["Id"], one.get("State") or one["Status"], sep="\\t")
    else:
        names = {"RoleSessionName": given.role_session_name, "RoleArn": given.role_arn}
        policy = {"Policy": given.policy} if given.policy else {}
        print(client.assume_role(**names, **policy)["AssumedRoleUser"]["Arn"])
except botocore.exceptions.ClientError as error:
    sys.exit(str(error))
"""
"""What the script asks of the AWS command line, by the same client library."""


@pytest.fixture
def aws(simulator: SimControl) -> SimControl:
    """Three members and an administrator with keys of the management account; no stack yet."""
    state = organization(3, now=NOW)
    (payer,) = (account for account in state.accounts if account.id == PAYER)
    payer.roles = []
    may = ["organizations:*", "sts:*"]
    key, secret = KEYS.values()
    payer.users = [sim.User(name="admin", access_key=key, secret_key=secret, permissions=may)]
    simulator.seed_state(state)
    return simulator


def test_every_account_is_tried_under_both_names_and_may_only_be_read(
    aws: SimControl, tmp_path: Path
) -> None:
    aws.preset("role_missing", account=member(2), role=JUMP)
    aws.preset("role_deployed", account=member(2), role=CONTROL_TOWER)
    aws.preset("role_missing", account=member(3), role=JUMP)
    program, command = tmp_path / "aws.py", tmp_path / "aws"
    program.write_text(COMMAND)
    # No kernel takes a first line that names a path with a space.
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{program}" "$@"\n')
    command.chmod(0o755)
    connection = connection_of(TenantId(uuid4()))
    artefacts = BedrockArtefacts(ArtefactSettings("900000000001"))
    done = subprocess.run(
        ["sh", "-c", artefacts.list_accounts_script(connection)],
        env={
            **KEYS,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "EMULATOR": aws.endpoint_url,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.stderr == ""
    told = {line.split()[1]: line for line in done.stdout.splitlines()}
    assert {account: line.split()[0] for account, line in told.items()} == {
        PAYER: "OWN", member(1): "COVERED", member(2): "MISSING", member(3): "MISSING",
    }  # fmt: skip
    assert f"there is no {JUMP}, but {CONTROL_TOWER}" in told[member(2)]
    assert "is not there, or does not trust" in told[member(3)]
    assert done.returncode == 1
    hops = [entry for entry in aws.requests() if entry.operation == "AssumeRole"]
    assert len(hops) == 5
    assert all(hop.session_policy for hop in hops)

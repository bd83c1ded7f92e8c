import json
from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo.aws.control import SimControl
from demo.world.story import ACQUIRED, PROD
from tests.demo.clients import READ_ONLY, Clients, Keys, failure


def denied(clients: Clients, keys: Keys, arn: str, **more: Any) -> ClientError:
    with pytest.raises(ClientError) as caught:
        clients.assume(keys, arn, **more)
    return caught.value


def test_right_external_id_opens_the_reader_role(clients: Clients) -> None:
    identity = clients.client("sts", clients.reader()).get_caller_identity()
    assert identity["Account"] == clients.world.reader_account
    assert identity["Arn"].endswith("/tensorcost-test")


@pytest.mark.parametrize("given", [{}, {"ExternalId": "another-one"}])
def test_absent_and_wrong_external_id_get_the_same_sentence(
    clients: Clients, given: dict[str, str]
) -> None:
    arn = clients.world.reader_role_arn
    error = denied(clients, clients.backend, arn, **given)
    assert failure(error) == ("AccessDenied", 403)
    assert error.response["Error"]["Message"] == (
        f"User: {clients.world.backend_arn} is not authorized to perform: sts:AssumeRole "
        f"on resource: {arn}"
    )


def test_missing_role_is_access_denied_and_not_no_such_entity(clients: Clients) -> None:
    arn = f"arn:aws:iam::{clients.world.reader_account}:role/TensorCost-Nobody"
    assert failure(denied(clients, clients.backend, arn)) == ("AccessDenied", 403)


def test_role_under_another_path_is_denied(clients: Clients) -> None:
    arn = clients.world.reader_role_arn.replace(":role/", ":role/customer-managed/")
    assert failure(denied(clients, clients.backend, arn))[0] == "AccessDenied"


def test_role_that_asks_for_no_external_id_accepts_any(clients: Clients, sim: SimControl) -> None:
    sim.preset("external_id_not_required", account=clients.world.reader_account)
    assert clients.assume(clients.backend, clients.world.reader_role_arn).token


@pytest.mark.parametrize("arn", ["short", "arn:aws:iam::1234:role/far-too-short"])
def test_malformed_role_arn_is_a_validation_error(clients: Clients, arn: str) -> None:
    with pytest.raises(ClientError) as caught:
        clients.client("sts", clients.backend).assume_role(
            RoleArn=arn.ljust(20, "x"), RoleSessionName="test"
        )
    assert failure(caught.value) == ("ValidationError", 400)


def test_session_longer_than_the_role_allows_is_refused(clients: Clients) -> None:
    error = denied(
        clients,
        clients.backend,
        clients.world.reader_role_arn,
        ExternalId=clients.world.external_id,
        DurationSeconds=7200,
    )
    assert "MaxSessionDuration" in error.response["Error"]["Message"]


def test_chained_session_is_limited_to_an_hour(clients: Clients) -> None:
    arn = f"arn:aws:iam::{PROD}:role/{clients.world.jump_role_name}"
    error = denied(clients, clients.reader(), arn, Policy=READ_ONLY, DurationSeconds=7200)
    assert failure(error) == ("ValidationError", 400)
    assert "role chaining" in error.response["Error"]["Message"]


def test_member_hop_with_a_read_only_policy_works(clients: Clients) -> None:
    identity = clients.client("sts", clients.member(PROD)).get_caller_identity()
    assert identity["Account"] == PROD


def test_member_without_the_jump_role_is_denied(clients: Clients) -> None:
    arn = f"arn:aws:iam::{ACQUIRED}:role/{clients.world.jump_role_name}"
    error = denied(clients, clients.reader(), arn, Policy=READ_ONLY)
    assert failure(error) == ("AccessDenied", 403)


def test_member_hop_without_a_session_policy_is_refused(clients: Clients) -> None:
    arn = f"arn:aws:iam::{PROD}:role/{clients.world.jump_role_name}"
    assert failure(denied(clients, clients.reader(), arn))[0] == "AccessDenied"


@pytest.mark.parametrize(
    "actions", ["*", ["s3:*"], ["s3:GetObject", "bedrock:InvokeModel"], ["sts:AssumeRole"]]
)
def test_member_hop_with_a_writing_session_policy_is_refused(
    clients: Clients, actions: object
) -> None:
    policy = json.dumps({"Statement": [{"Effect": "Allow", "Action": actions, "Resource": "*"}]})
    arn = f"arn:aws:iam::{PROD}:role/{clients.world.jump_role_name}"
    assert failure(denied(clients, clients.reader(), arn, Policy=policy))[0] == "AccessDenied"


def test_hop_rule_can_be_lifted(clients: Clients, sim: SimControl) -> None:
    sim.preset("hops_unrestricted")
    arn = f"arn:aws:iam::{PROD}:role/{clients.world.jump_role_name}"
    assert clients.assume(clients.reader(), arn).token


def test_session_policy_narrows_an_administrator(clients: Clients) -> None:
    logs = clients.client("logs", clients.member(PROD))
    with pytest.raises(ClientError) as caught:
        logs.describe_log_streams(logGroupName="x")
    assert failure(caught.value)[0] in ("UnknownOperationException", "AccessDeniedException")
    s3 = clients.client("s3", clients.member(PROD), "us-east-1")
    with pytest.raises(ClientError) as refused:
        s3.put_object(Bucket=clients.world.log_buckets[0].bucket, Key="x", Body=b"x")
    assert failure(refused.value) == ("AccessDenied", 403)


def test_policy_that_is_not_json_is_malformed(clients: Clients) -> None:
    arn = f"arn:aws:iam::{PROD}:role/{clients.world.jump_role_name}"
    with pytest.raises(ClientError) as caught:
        clients.assume(clients.reader(), arn, Policy="{nope")
    assert caught.value.response["Error"]["Code"] == "MalformedPolicyDocument"


def test_unknown_access_key_is_invalid_in_every_dialect(clients: Clients) -> None:
    nobody = Keys("AKIANOBODYNOBODYNOBO", "x")
    expected = {
        ("sts", "get_caller_identity"): ("InvalidClientTokenId", 403),
        ("logs", "describe_log_groups"): ("UnrecognizedClientException", 400),
        ("bedrock", "list_inference_profiles"): ("UnrecognizedClientException", 403),
        ("s3", "list_buckets"): ("InvalidAccessKeyId", 403),
        ("cloudwatch", "list_metrics"): ("InvalidClientTokenId", 403),
    }
    for (service, operation), wanted in expected.items():
        with pytest.raises(ClientError) as caught:
            getattr(clients.client(service, nobody), operation)()
        assert failure(caught.value) == wanted


def test_expired_session_is_refused(clients: Clients, sim: SimControl) -> None:
    keys = clients.reader()
    assert sim.expire_sessions() >= 1
    with pytest.raises(ClientError) as caught:
        clients.client("sts", keys).get_caller_identity()
    assert failure(caught.value) == ("ExpiredToken", 403)
    with pytest.raises(ClientError) as again:
        clients.client("logs", keys).describe_log_groups()
    assert failure(again.value) == ("ExpiredTokenException", 400)


def test_get_role_tells_a_missing_role_from_a_present_one(clients: Clients) -> None:
    iam = clients.client("iam", clients.reader())
    name = clients.world.reader_role_arn.rpartition("/")[2]
    assert iam.get_role(RoleName=name)["Role"]["MaxSessionDuration"] == 3600
    with pytest.raises(iam.exceptions.NoSuchEntityException) as caught:
        iam.get_role(RoleName="Nobody")
    assert failure(caught.value) == ("NoSuchEntity", 404)

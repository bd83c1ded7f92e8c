import gzip
import io
import json
import urllib.request
from typing import Any

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from demo.aws.control import ControlError, SimControl
from demo.aws.presets import RULE_PRESETS, STATE_PRESETS
from demo.aws.server import SimulatorFailed, running_simulator, start_simulator
from demo.world.story import PAYER, PROD
from tests.demo.clients import Clients, failure


def first_key(clients: Clients, s3: Any, suffix: str) -> str:
    bucket = clients.world.cur_exports[0].bucket
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"]
    return next(str(item["Key"]) for item in listed if item["Key"].endswith(suffix))


@pytest.mark.parametrize(
    ("service", "operation", "code", "status"),
    [
        ("logs", "describe_log_groups", "ThrottlingException", 400),
        ("bedrock", "list_inference_profiles", "ThrottlingException", 429),
        ("cloudwatch", "list_metrics", "Throttling", 400),
        ("organizations", "list_accounts", "TooManyRequestsException", 400),
        ("sts", "get_caller_identity", "Throttling", 400),
        ("bcm-data-exports", "list_exports", "ThrottlingException", 400),
    ],
)
def test_throttling_has_each_services_own_name_and_ends(
    clients: Clients, sim: SimControl, service: str, operation: str, code: str, status: int
) -> None:
    keys = clients.reader()
    sim.preset("throttling_burst", service=service, times=2)
    impatient = getattr(clients.client(service, keys), operation)
    with pytest.raises(ClientError) as caught:
        impatient()
    assert failure(caught.value) == (code, status)
    patient = getattr(clients.client(service, keys, attempts=4), operation)
    assert patient()["ResponseMetadata"]["HTTPStatusCode"] == 200
    assert sim.fired() == {"throttling_burst": 2}


def test_server_error_is_followed_by_success(clients: Clients, sim: SimControl) -> None:
    keys = clients.reader()
    sim.preset("server_error_once", service="s3")
    s3 = clients.client("s3", keys, attempts=3)
    assert s3.list_objects_v2(Bucket=clients.world.cur_exports[0].bucket)["KeyCount"] > 0
    assert [entry.status for entry in sim.requests(service="s3")] == [500, 200]


def test_rule_strikes_only_the_chosen_call(clients: Clients, sim: SimControl) -> None:
    keys = clients.reader()
    sim.fault(service="logs", nth=[2], code="ServiceUnavailableException", status=503)
    logs = clients.client("logs", keys)
    statuses = []
    for _ in range(3):
        try:
            statuses.append(logs.describe_log_groups()["ResponseMetadata"]["HTTPStatusCode"])
        except ClientError as error:
            statuses.append(failure(error)[1])
    assert statuses == [200, 503, 200]


def test_rules_choose_by_account_region_and_resource(clients: Clients, sim: SimControl) -> None:
    reader, member = clients.reader(), clients.member(PROD)
    sim.fault(account=PROD, region="eu-west-1", kind="denied")
    clients.client("logs", reader, "eu-west-1").describe_log_groups()
    clients.client("logs", member, "us-east-1").describe_log_groups()
    with pytest.raises(ClientError):
        clients.client("logs", member, "eu-west-1").describe_log_groups()


def test_connection_closes_and_bodies_break(clients: Clients, sim: SimControl) -> None:
    keys = clients.reader()
    s3 = clients.client("s3", keys)
    bucket, key = clients.world.cur_exports[0].bucket, first_key(clients, s3, ".parquet")
    sim.preset("connection_closed", service="s3")
    with pytest.raises(ConnectionClosedError):
        s3.get_object(Bucket=bucket, Key=key)
    sim.preset("connection_dropped")
    with pytest.raises((IncompleteReadError, ResponseStreamingError)):
        s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    sim.preset("slow_body", seconds=0.01)
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read()


@pytest.mark.parametrize("preset", ["connection_reset", "body_stalled"])
def test_a_body_that_began_breaks_in_its_middle(
    clients: Clients, sim: SimControl, preset: str
) -> None:
    keys = clients.reader()
    s3 = clients.client("s3", keys, read_timeout=1)
    bucket, key = clients.world.cur_exports[0].bucket, first_key(clients, s3, ".parquet")
    whole = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    sim.preset(preset)
    answer = s3.get_object(Bucket=bucket, Key=key)
    assert answer["ContentLength"] == len(whole)
    with pytest.raises((IncompleteReadError, ResponseStreamingError, ReadTimeoutError)):
        answer["Body"].read()
    assert s3.get_object(Bucket=bucket, Key=key)["Body"].read() == whole


def test_a_connection_may_be_reset_before_any_answer(clients: Clients, sim: SimControl) -> None:
    logs = clients.client("logs", clients.reader(), attempts=2)
    sim.fault(service="logs", close=True, reset=True, times=1)
    assert logs.describe_log_groups()["ResponseMetadata"]["RetryAttempts"] == 1


def test_sessions_end_in_the_middle_of_a_listing(clients: Clients, sim: SimControl) -> None:
    old = clients.reader()
    s3 = clients.client("s3", old)
    sim.fault(operation="ListObjectsV2", page_size=1, nth=[1])
    sim.fault(operation="ListObjectsV2", expire=True, times=1)
    bucket = clients.world.cur_exports[0].bucket
    page = s3.list_objects_v2(Bucket=bucket)
    for _ in range(2):  # the next page finds it ended, and it stays so
        with pytest.raises(ClientError) as caught:
            s3.list_objects_v2(Bucket=bucket, ContinuationToken=page["NextContinuationToken"])
        assert failure(caught.value) == ("ExpiredToken", 400)
    again = clients.client("s3", clients.reader())
    token = page["NextContinuationToken"]
    assert again.list_objects_v2(Bucket=bucket, ContinuationToken=token)["KeyCount"] > 0


def test_sessions_that_end_do_not_touch_who_has_none(clients: Clients, sim: SimControl) -> None:
    sim.fault(operation="GetCallerIdentity", expire=True)
    assert clients.client("sts", clients.backend).get_caller_identity()["Account"]


def test_an_object_is_rewritten_between_list_and_read(clients: Clients, sim: SimControl) -> None:
    s3 = clients.client("s3", clients.reader())
    bucket = clients.world.cur_exports[0].bucket
    listed = s3.list_objects_v2(Bucket=bucket)["Contents"][0]
    sim.preset("object_rewritten")
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=bucket, Key=listed["Key"], IfMatch=listed["ETag"])
    assert failure(caught.value) == ("PreconditionFailed", 412)
    now = s3.list_objects_v2(Bucket=bucket)["Contents"][0]["ETag"]
    assert now != listed["ETag"]
    assert s3.get_object(Bucket=bucket, Key=listed["Key"], IfMatch=now)["ETag"] == now


def test_spoiled_objects_do_not_decode(clients: Clients, sim: SimControl) -> None:
    s3 = clients.client("s3", clients.reader())
    bucket, key = clients.world.cur_exports[0].bucket, first_key(clients, s3, ".parquet")

    def read() -> bytes:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
        return body

    whole = read()
    sim.preset("truncated_parquet")
    cut = read()
    assert whole.startswith(cut)
    assert len(cut) < len(whole)
    with pytest.raises(Exception, match=r"(?i)parquet"):
        pq.read_table(io.BytesIO(cut))
    sim.heal()
    assert pq.read_table(io.BytesIO(read())).num_rows > 0


def test_invalid_gzip_does_not_open(clients: Clients, sim: SimControl) -> None:
    place = clients.world.log_buckets[0]
    s3 = clients.client("s3", clients.member(PROD), place.region)
    listed = s3.list_objects_v2(Bucket=place.bucket)["Contents"]
    key = next(item["Key"] for item in listed if item["Key"].endswith(".gz"))
    sim.preset("invalid_gzip")
    with pytest.raises(gzip.BadGzipFile):
        gzip.decompress(s3.get_object(Bucket=place.bucket, Key=key)["Body"].read())


def test_partial_data_and_first_page_empty(clients: Clients, sim: SimControl) -> None:
    logs = clients.client("logs", clients.reader())
    sim.preset("empty_page")
    page = logs.filter_log_events(logGroupName=clients.world.log_groups[0].name)
    assert page["events"] == []
    assert page["nextToken"]


def test_external_id_may_be_mentioned_by_a_gateway(clients: Clients, sim: SimControl) -> None:
    sim.preset("external_id_mentioned")
    with pytest.raises(ClientError) as caught:
        clients.reader()
    assert failure(caught.value) == ("AccessDenied", 403)
    assert "ExternalId" in caught.value.response["Error"]["Message"]


@pytest.mark.parametrize("preset", ["external_id_mismatch", "backend_account_default"])
def test_broken_trust_denies_with_the_plain_sentence(
    clients: Clients, sim: SimControl, preset: str
) -> None:
    sim.preset(preset, account=PAYER)
    with pytest.raises(ClientError) as caught:
        clients.reader()
    assert failure(caught.value) == ("AccessDenied", 403)
    assert "ExternalId" not in caught.value.response["Error"]["Message"].split("role/")[0]


def test_control_policy_denies_explicitly(clients: Clients, sim: SimControl) -> None:
    sim.preset("trust_explicit_deny")
    with pytest.raises(ClientError) as caught:
        clients.reader()
    assert "with an explicit deny" in caught.value.response["Error"]["Message"]


def test_no_traffic_silences_metrics_groups_and_buckets(clients: Clients, sim: SimControl) -> None:
    place = clients.world.log_buckets[0]
    member, reader = clients.member(PROD), clients.reader()
    sim.preset("no_traffic", account=PROD)
    assert clients.client("cloudwatch", member).list_metrics()["Metrics"] == []
    listed = clients.client("s3", member, place.region).list_objects_v2(Bucket=place.bucket)
    assert listed["KeyCount"] == 0
    assert clients.client("cloudwatch", reader).list_metrics()["Metrics"]


def test_region_may_be_disabled(clients: Clients, sim: SimControl) -> None:
    keys = clients.reader()
    sim.preset("region_disabled", account=PAYER, region="eu-west-1")
    with pytest.raises(ClientError) as caught:
        clients.client("logs", keys, "eu-west-1").describe_log_groups()
    assert failure(caught.value) == ("OptInRequired", 403)


def test_every_preset_can_be_armed(clients: Clients, sim: SimControl) -> None:
    where = {"account": PAYER, "resource": clients.world.cur_exports[0].bucket}
    for name in (*STATE_PRESETS, *RULE_PRESETS):
        own = {"account": "888899990000"} if name == "account_joins" else {}
        sim.preset(name, **(where | own))
        sim.heal()
    assert clients.reader().token


def test_unknown_preset_and_unknown_member_are_refused(sim: SimControl) -> None:
    with pytest.raises(ControlError, match="no preset"):
        sim.preset("nothing_like_this")
    with pytest.raises(TypeError):
        sim.preset("no_events", colour="red")


def test_ledger_tells_who_asked_for_what(clients: Clients, sim: SimControl) -> None:
    sim.forget_requests()
    clients.client("logs", clients.member(PROD)).describe_log_groups()
    first, hop, read = sim.requests()
    assert (first.operation, first.external_id) == ("AssumeRole", clients.world.external_id)
    assert first.role == clients.world.reader_role_arn
    assert not first.session_policy
    assert (hop.session_policy, hop.external_id) == (True, None)
    assert (read.service, read.account, read.region) == ("logs", PROD, "us-east-1")
    assert sim.requests(since=read.number) == []
    assert [entry.number for entry in sim.requests(service="logs")] == [read.number]


def test_unknown_operation_is_named_and_other_services_reach_moto(
    clients: Clients, sim: SimControl
) -> None:
    state = sim.state()
    for account in state.accounts:
        for role in account.roles:
            role.permissions = ["*"]
    sim.seed_state(state)
    keys = clients.reader()
    with pytest.raises(ClientError) as caught:
        clients.client("bedrock", keys).list_guardrails()
    assert failure(caught.value)[0] == "UnknownOperationException"
    ec2 = clients.client("ec2", keys)
    assert ec2.describe_instances()["Reservations"] == []
    queue = clients.client("sqs", keys).create_queue(QueueName="q")["QueueUrl"]
    assert f"/{PAYER}/q" in queue


def test_request_without_signature_is_refused(sim: SimControl) -> None:
    request = urllib.request.Request(f"{sim.endpoint_url}/", data=b"Action=GetCallerIdentity")
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request, timeout=5)
    assert caught.value.code == 403


def test_control_path_answers_in_json(sim: SimControl) -> None:
    with urllib.request.urlopen(f"{sim.endpoint_url}/__sim/health", timeout=5) as answer:
        assert json.load(answer)["ok"] is True


async def test_simulator_starts_from_a_coroutine() -> None:
    async with start_simulator() as control:
        assert control.requests() == []


def test_simulator_that_cannot_start_says_why(tmp_path: Any) -> None:
    with pytest.raises(SimulatorFailed, match=r"world\.json"), running_simulator(tmp_path):
        pass

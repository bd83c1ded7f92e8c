import hashlib
from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo.aws.control import SimControl
from demo.aws.state import Bucket, ObjectSeed
from demo.world.story import BACKEND, PAYER, PROD
from tests.demo.clients import Clients, failure

BUCKET = "plain"


def seed(sim: SimControl, keys: list[str], **bucket: Any) -> None:
    state = sim.state()
    members = {"name": BUCKET, "account": PAYER, "region": "us-east-1"} | bucket
    state.buckets.append(Bucket(**members))
    state.objects = [ObjectSeed(bucket=BUCKET, key=key, text=f"body of {key}") for key in keys]
    sim.seed_state(state)


def test_listing_pages_at_a_thousand_in_key_order(clients: Clients, sim: SimControl) -> None:
    keys = [f"logs/{n:05d} ü.txt" for n in range(2300)]
    seed(sim, ["zzz", *reversed(keys)])
    s3 = clients.client("s3", clients.reader())
    found = list(s3.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix="logs/"))
    assert [page["KeyCount"] for page in found] == [1000, 1000, 300]
    assert [item["Key"] for page in found for item in page["Contents"]] == keys


def test_start_after_and_delimiter(clients: Clients, sim: SimControl) -> None:
    seed(sim, ["a/1", "a/2", "b/1", "b/2", "c"])
    s3 = clients.client("s3", clients.reader())
    after = s3.list_objects_v2(Bucket=BUCKET, StartAfter="a/2")
    assert [item["Key"] for item in after["Contents"]] == ["b/1", "b/2", "c"]
    pages = list(
        s3.get_paginator("list_objects_v2").paginate(
            Bucket=BUCKET, Delimiter="/", PaginationConfig={"PageSize": 1}
        )
    )
    groups = [g["Prefix"] for page in pages for g in page.get("CommonPrefixes", [])]
    assert groups == ["a/", "b/"]
    assert [item["Key"] for page in pages for item in page.get("Contents", [])] == ["c"]


def test_object_comes_with_its_md5_and_in_ranges(clients: Clients, sim: SimControl) -> None:
    seed(sim, ["x"])
    s3 = clients.client("s3", clients.reader())
    whole = s3.get_object(Bucket=BUCKET, Key="x")
    body = whole["Body"].read()
    digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
    assert whole["ETag"] == f'"{digest}"'
    part = s3.get_object(Bucket=BUCKET, Key="x", Range="bytes=2-4")
    assert (part["Body"].read(), part["ContentRange"]) == (body[2:5], f"bytes 2-4/{len(body)}")
    tail = s3.get_object(Bucket=BUCKET, Key="x", Range="bytes=-3")
    assert tail["Body"].read() == body[-3:]
    assert s3.head_object(Bucket=BUCKET, Key="x")["ContentLength"] == len(body)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=BUCKET, Key="x", Range="bytes=900-")
    assert failure(caught.value) == ("InvalidRange", 416)


def test_preconditions_hold_until_the_object_is_replaced(clients: Clients, sim: SimControl) -> None:
    seed(sim, ["x"])
    s3 = clients.client("s3", clients.reader())
    etag = s3.head_object(Bucket=BUCKET, Key="x")["ETag"]
    with pytest.raises(ClientError) as unchanged:
        s3.get_object(Bucket=BUCKET, Key="x", IfNoneMatch=etag)
    assert failure(unchanged.value)[1] == 304
    sim.preset("object_replaced", resource=f"{BUCKET}/x")
    s3.get_object(Bucket=BUCKET, Key="x", IfMatch=etag)
    with pytest.raises(ClientError) as changed:
        s3.get_object(Bucket=BUCKET, Key="x", IfMatch=etag)
    assert failure(changed.value) == ("PreconditionFailed", 412)
    assert s3.head_object(Bucket=BUCKET, Key="x")["ETag"] != etag


def test_missing_key_bucket_and_the_silence_without_list_permission(
    clients: Clients, sim: SimControl
) -> None:
    seed(sim, ["x"])
    s3 = clients.client("s3", clients.reader())
    with pytest.raises(s3.exceptions.NoSuchKey) as no_key:
        s3.get_object(Bucket=BUCKET, Key="y")
    assert failure(no_key.value) == ("NoSuchKey", 404)
    with pytest.raises(s3.exceptions.NoSuchBucket) as no_bucket:
        s3.list_objects_v2(Bucket="nobody")
    assert failure(no_bucket.value) == ("NoSuchBucket", 404)
    state = sim.state()
    for account in state.accounts:
        for role in account.roles:
            role.permissions = [p for p in role.permissions if p != "s3:ListBucket"]
    sim.seed_state(state)
    blind = clients.client("s3", clients.reader())
    with pytest.raises(ClientError) as hidden:
        blind.get_object(Bucket=BUCKET, Key="y")
    assert failure(hidden.value) == ("AccessDenied", 403)


def test_other_account_needs_a_bucket_policy(clients: Clients, sim: SimControl) -> None:
    seed(sim, ["x"], account=PROD)
    s3 = clients.client("s3", clients.reader())
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=BUCKET, Key="x")
    assert failure(caught.value) == ("AccessDenied", 403)
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": clients.world.reader_role_arn},
        "Action": ["s3:GetObject", "s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{BUCKET}", f"arn:aws:s3:::{BUCKET}/*"],
    }
    seed(sim, ["x"], account=PROD, policy={"Statement": [statement]})
    state = sim.state()
    state.buckets = state.buckets[:-2] + state.buckets[-1:]
    state.objects = [ObjectSeed(bucket=BUCKET, key="x", text="now readable")]
    sim.seed_state(state)
    s3 = clients.client("s3", clients.reader())
    assert s3.get_object(Bucket=BUCKET, Key="x")["Body"].read() == b"now readable"


def test_backend_reads_a_bill_by_bucket_policy_alone_only_with_its_own_permission(
    clients: Clients, sim: SimControl
) -> None:
    statement = {
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{BACKEND}:root"},
        "Action": "s3:*",
        "Resource": "*",
    }
    seed(sim, ["x"], policy={"Statement": [statement]})
    s3 = clients.client("s3", clients.backend)
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=BUCKET, Key="x")
    assert failure(caught.value) == ("AccessDenied", 403)


@pytest.mark.parametrize(
    ("preset", "text"), [("kms_denied", "kms:Decrypt"), ("cur_denied", "explicit deny")]
)
def test_refused_bucket_says_why(clients: Clients, sim: SimControl, preset: str, text: str) -> None:
    seed(sim, ["x"])
    sim.preset(preset, resource=BUCKET)
    s3 = clients.client("s3", clients.reader())
    with pytest.raises(ClientError) as caught:
        s3.get_object(Bucket=BUCKET, Key="x")
    assert failure(caught.value) == ("AccessDenied", 403)
    assert text in caught.value.response["Error"]["Message"]


def test_client_of_another_region_is_sent_to_the_right_one(
    clients: Clients, sim: SimControl
) -> None:
    seed(sim, ["x"], region="eu-west-1")
    s3 = clients.client("s3", clients.reader())
    assert s3.list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    codes = [entry.error for entry in sim.requests(service="s3")]
    assert codes == ["AuthorizationHeaderMalformed", None]


def test_seeding_by_put_is_read_back(clients: Clients, sim: SimControl) -> None:
    seed(sim, [])
    state = sim.state()
    for account in state.accounts:
        for role in account.roles:
            role.permissions = ["*"]
    sim.seed_state(state)
    s3 = clients.client("s3", clients.reader())
    s3.put_object(Bucket=BUCKET, Key="folder/new", Body=b"0" * 200_000)
    assert s3.list_objects_v2(Bucket=BUCKET)["Contents"][0]["Size"] == 200_000

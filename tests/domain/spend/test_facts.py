"""Stable ids: equal values meet, different values do not."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.spend.facts import Actor, Dimension, RoutingScope, Source
from tensorcost.domain.spend.identity import content_hash, event_key, metric_native_id

texts = st.text(max_size=20)
BASE = Dimension(
    source=Source.BEDROCK,
    provider="bedrock",
    account_id="111122223333",
    usage_account_id="111122223333",
    region="us-east-1",
    routing_scope=RoutingScope.IN_REGION,
    model_id="amazon.nova-lite-v1:0",
)


@given(texts, texts, texts, texts)
def test_values_do_not_run_into_each_other(a: str, b: str, c: str, d: str) -> None:
    first = replace(BASE, application=a, team=b)
    second = replace(BASE, application=c, team=d)
    assert (first.stable_id() == second.stable_id()) == (first == second)


def test_ids_are_the_same_in_every_process() -> None:
    assert BASE.stable_id() == -6026100073007727349
    assert BASE.cell_id() == 2992380472885194755
    assert Actor(user="ana").stable_id() == -2425551578192886136


def test_the_cell_is_account_region_and_model_alone() -> None:
    assert replace(BASE, application="x", profile_arn="y").cell_id() == BASE.cell_id()
    assert replace(BASE, region="us-west-2").cell_id() != BASE.cell_id()


def test_nobody_has_the_id_zero() -> None:
    assert Actor().stable_id() == 0
    assert Actor(agent="a").stable_id() != Actor(workflow="a").stable_id()


@given(texts, texts)
def test_equal_native_ids_of_two_regions_are_two_events(native: str, account: str) -> None:
    keys = {event_key("bedrock", account, region, native) for region in ("us-east-1", "eu-west-1")}
    assert len(keys) == 2
    assert all(len(key) == 16 for key in keys)


def test_a_metric_window_read_again_is_the_same_row() -> None:
    assert metric_native_id("m", 1_700_000_000, 3600) == metric_native_id("m", 1_700_000_000, 3600)


@given(st.binary(min_size=1, max_size=200))
def test_content_hashes_are_comparable_within_a_tenant_only(body: bytes) -> None:
    ours, theirs = b"k" * 32, b"l" * 32
    assert content_hash(ours, body) == content_hash(ours, body)
    assert content_hash(ours, body) != content_hash(theirs, body)

"""Which export is the bill, and what is said of the others and of those that cannot be read."""

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from demo.aws import state as sim
from demo.aws.control import SimControl
from tensorcost.activities.integration.bedrock.bill import choose_export
from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.activities.integration.ports import Discovery
from tensorcost.domain.integration.states import SourceKind
from tensorcost.providers.bedrock.source_cur import BillExport
from tests.providers.aws.world import (
    CUR_BUCKET,
    HOME,
    NOW,
    PAYER,
    READER,
    bill_export,
    sessions,
    world,
)
from tests.providers.bedrock.connections import connection

EXPORT = BillExport("b-export", "fake-cur", "bills", HOME)
exports = st.builds(
    BillExport,
    st.text("abc", min_size=1, max_size=3),
    st.just("fake-cur"),
    st.just("bills"),
    st.just(HOME),
    is_healthy=st.booleans(),
    is_legacy=st.booleans(),
)


@given(st.lists(exports, min_size=1, max_size=6), st.randoms(use_true_random=False))
def test_the_choice_does_not_depend_on_the_order(found: list[BillExport], random: Any) -> None:
    shuffled = list(found)
    random.shuffle(shuffled)
    assert choose_export(found) == choose_export(shuffled)


def test_a_named_export_is_read_whatever_else_is_there() -> None:
    named = replace(EXPORT, name="z-export", is_healthy=False)
    assert choose_export([EXPORT, named], "z-export") is named


def test_healthy_and_newer_exports_come_first() -> None:
    legacy = replace(EXPORT, name="a-report", is_legacy=True)
    broken = replace(EXPORT, name="a-export", is_healthy=False)
    assert choose_export([legacy, broken, EXPORT]) is EXPORT
    assert choose_export([broken, legacy]) is legacy


def estate(**changes: Any) -> sim.SimState:
    """The tests' world with one export of its bill."""
    state = world()
    state.exports = [bill_export(**({"name": "daily", "prefix": "bills"} | changes))]
    return state


@pytest.fixture
def aws(simulator: SimControl) -> SimControl:
    simulator.seed_state(estate())
    return simulator


def discovered(aws: SimControl, **settings: Any) -> Discovery:
    bedrock = BedrockConnector(sessions(aws.endpoint_url), lambda: NOW)
    return bedrock.discover(connection(settings=settings))


def bills(found: Discovery) -> list[str]:
    return [s.params["bucket"] for s in found.sites if s.source is SourceKind.BILL]


def codes(found: Discovery) -> dict[str, str]:
    return {finding.code: finding.subject for finding in found.findings}


@pytest.mark.parametrize("named", [CUR_BUCKET, ""])
def test_a_bill_that_may_not_be_read_is_left_out_and_said(aws: SimControl, named: str) -> None:
    aws.preset("cur_denied", resource=CUR_BUCKET)
    found = discovered(aws, cur_bucket=named)
    assert bills(found) == []
    assert codes(found)["CUR_DENIED"] == CUR_BUCKET
    assert "No Cost and Usage Report is connected" in found.missing


def test_exports_that_may_not_be_looked_for_are_said_too(aws: SimControl) -> None:
    state = estate()
    account = state.account(PAYER)
    assert account is not None
    role = account.role(READER)
    assert role is not None
    role.permissions = [p for p in role.permissions if not p.startswith("bcm-data-exports")]
    aws.seed_state(state)
    found = discovered(aws, cur_bucket="")
    assert bills(found) == []
    (finding,) = [finding for finding in found.findings if finding.code == "CUR_DENIED"]
    assert "bcm-data-exports:ListExports" in finding.remedy


def test_an_export_that_aws_cannot_deliver_is_named(aws: SimControl) -> None:
    reason = "INSUFFICIENT_PERMISSION"
    aws.seed_state(estate(status="UNHEALTHY", status_reason=reason))
    found = discovered(aws, cur_bucket="")
    assert bills(found) == [CUR_BUCKET]
    (finding,) = [finding for finding in found.findings if finding.code == "EXPORT_UNHEALTHY"]
    assert finding.evidence["reason"] == reason

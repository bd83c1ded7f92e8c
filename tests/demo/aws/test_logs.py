from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from demo.aws.control import SimControl
from demo.aws.state import LogEvent, LogGroup
from demo.world.story import PAYER
from tests.demo.clients import Clients, failure

NOW = datetime(2026, 11, 21, tzinfo=UTC)
GROUP = "/demo/group"
MISSING = "The specified log group does not exist."


def seed(sim: SimControl, messages: list[str], groups: int = 1) -> None:
    state = sim.state()
    state.now = NOW
    state.log_groups = [
        LogGroup(account=PAYER, region="us-east-1", name=f"{GROUP}{n or ''}") for n in range(groups)
    ]
    state.log_events = [
        LogEvent(
            account=PAYER,
            region="us-east-1",
            group=GROUP,
            at=NOW - timedelta(seconds=len(messages) - n),
            message=message,
        )
        for n, message in enumerate(messages)
    ]
    sim.seed_state(state)


def pages(clients: Clients, **more: Any) -> list[Any]:
    logs = clients.client("logs", clients.reader())
    paginator = logs.get_paginator("filter_log_events")
    return list(paginator.paginate(**{"logGroupName": GROUP, **more}))


def test_all_events_are_read_over_an_empty_page(clients: Clients, sim: SimControl) -> None:
    seed(sim, [f"message {n}" for n in range(25)])
    found = pages(clients, limit=10)
    sizes = [len(page["events"]) for page in found]
    assert 0 in sizes[1:-1]
    messages = [event["message"] for page in found for event in page["events"]]
    assert messages == [f"message {n}" for n in range(25)]
    assert all(page["searchedLogStreams"] == [] for page in found)


def test_page_holds_at_most_one_megabyte(clients: Clients, sim: SimControl) -> None:
    seed(sim, ["x" * 300_000 for _ in range(7)])
    sizes = [len(page["events"]) for page in pages(clients)]
    assert max(sizes) == 3
    assert sum(sizes) == 7


def test_page_holds_at_most_ten_thousand_events(clients: Clients, sim: SimControl) -> None:
    seed(sim, ["x"] * 10_500)
    assert [len(page["events"]) for page in pages(clients)] == [10_000, 0, 500]


def test_window_includes_both_ends(clients: Clients, sim: SimControl) -> None:
    seed(sim, [str(n) for n in range(10)])
    at = int(NOW.timestamp() * 1000)
    found = pages(clients, startTime=at - 5000, endTime=at - 3000)
    assert [event["message"] for event in found[0]["events"]] == ["5", "6", "7"]


def test_json_pattern_filters(clients: Clients, sim: SimControl) -> None:
    seed(sim, ['{"a":{"b":"x"},"n":1}', '{"a":{"b":"y"}}', "text"])
    found = pages(clients, filterPattern='{ $.a.b = "x" && $.n = 1 }')
    assert [event["message"] for event in found[0]["events"]] == ['{"a":{"b":"x"},"n":1}']
    assert len(pages(clients, filterPattern='"text"')[0]["events"]) == 1


def test_group_is_named_by_arn_too(clients: Clients, sim: SimControl) -> None:
    seed(sim, ["one"])
    logs = clients.client("logs", clients.reader())
    arn = f"arn:aws:logs:us-east-1:{PAYER}:log-group:{GROUP}"
    assert len(logs.filter_log_events(logGroupIdentifier=arn)["events"]) == 1


def test_missing_group_and_other_region_are_not_found(clients: Clients, sim: SimControl) -> None:
    seed(sim, ["one"])
    for region, group in (("us-east-1", "/nothing"), ("eu-west-1", GROUP)):
        logs = clients.client("logs", clients.reader(), region)
        with pytest.raises(logs.exceptions.ResourceNotFoundException) as caught:
            logs.filter_log_events(logGroupName=group)
        assert failure(caught.value) == ("ResourceNotFoundException", 400)
        assert caught.value.response["Error"]["Message"] == MISSING


def test_groups_page_at_fifty(clients: Clients, sim: SimControl) -> None:
    seed(sim, [], groups=60)
    logs = clients.client("logs", clients.reader())
    found = list(logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix="/demo"))
    assert [len(page["logGroups"]) for page in found] == [50, 10]
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.describe_log_groups(limit=51)


def test_foreign_token_is_refused(clients: Clients, sim: SimControl) -> None:
    seed(sim, ["one"])
    logs = clients.client("logs", clients.reader())
    with pytest.raises(logs.exceptions.InvalidParameterException):
        logs.filter_log_events(logGroupName=GROUP, nextToken="bm90LWEtdG9rZW4=")


def test_denials_of_policy_and_of_key_differ_in_their_text(
    clients: Clients, sim: SimControl
) -> None:
    seed(sim, ["one"])
    for preset, action in (("logs_denied", "logs:FilterLogEvents"), ("kms_denied", "kms:Decrypt")):
        where = {"account": PAYER} if preset == "logs_denied" else {"resource": GROUP}
        sim.preset(preset, **where)
        with pytest.raises(ClientError) as caught:
            pages(clients)
        assert failure(caught.value) == ("AccessDeniedException", 400)
        assert action in caught.value.response["Error"]["Message"]
        sim.heal()


def test_logging_off_silence_and_wrong_region_look_different(
    clients: Clients, sim: SimControl
) -> None:
    place = clients.world.log_groups[0]
    sim.preset("logging_off", account=PAYER)
    logs = clients.client("logs", clients.reader())
    with pytest.raises(logs.exceptions.ResourceNotFoundException):
        logs.filter_log_events(logGroupName=place.name)
    sim.heal()
    sim.preset("no_events", account=PAYER)
    assert logs.filter_log_events(logGroupName=place.name)["events"] == []
    sim.heal()
    sim.preset("wrong_region", account=PAYER, value="eu-central-1")
    assert logs.describe_log_groups()["logGroups"] == []
    elsewhere = clients.client("logs", clients.reader(), "eu-central-1")
    assert elsewhere.describe_log_groups()["logGroups"][0]["logGroupName"] == place.name
    assert elsewhere.filter_log_events(logGroupName=place.name)["events"]
    sim.heal()
    assert logs.filter_log_events(logGroupName=place.name)["events"]

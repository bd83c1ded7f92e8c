from datetime import timedelta

import pytest

from demo.aws.control import SimControl
from tensorcost.domain.integration.probe_facts import ErrorKind
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.bedrock.invocation_log import parse_messages
from tensorcost.providers.bedrock.source_logs import (
    group_exists,
    group_name,
    read_log_events,
    region_of_group,
)
from tests.providers.aws.world import GROUP, HOME, OTHER, PAYER, TRAFFIC, payer
from tests.providers.bedrock.samples import merged, settings

ARN = f"arn:aws:logs:{HOME}:{PAYER}:log-group:{GROUP}"
HOUR = timedelta(hours=1)


def test_events_of_the_window_become_rows(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    events = read_log_events(session, HOME, ARN, TRAFFIC, TRAFFIC + timedelta(seconds=10))
    ids, rejects, _ = merged(parse_messages(events, settings()))
    assert (ids, rejects) == ([f"e{n}" for n in range(10)], [])


def test_empty_pages_in_the_middle_do_not_end_the_read(aws: SimControl) -> None:
    aws.preset("empty_page")
    session = payer(aws.endpoint_url)
    found = list(read_log_events(session, HOME, GROUP, TRAFFIC, TRAFFIC + HOUR, page_events=7))
    assert len(found) == len({event.event_id for event in found}) == 25
    assert len(aws.requests(operation="FilterLogEvents")) > 4


def test_a_group_that_is_missing_in_the_region_is_not_found(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    with pytest.raises(ProviderError) as caught:
        list(read_log_events(session, OTHER, GROUP, TRAFFIC, TRAFFIC + HOUR))
    assert caught.value.kind is ErrorKind.NOT_FOUND
    assert group_exists(session, HOME, GROUP)
    assert not group_exists(session, OTHER, GROUP)
    assert not group_exists(session, HOME, GROUP[:-1])


def test_a_group_is_named_by_arn_or_name() -> None:
    assert group_name(ARN) == group_name(f"{ARN}:*") == group_name(GROUP) == GROUP
    assert (region_of_group(ARN), region_of_group(GROUP)) == (HOME, "")

"""Discovery of an organisation that changes between two looks, on the emulated AWS."""

import threading
from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from demo.aws.control import SimControl
from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.activities.integration.ports import (
    ConnectorError,
    Discovery,
    Known,
    MetricsChunk,
    ReadJob,
)
from tensorcost.domain.integration.accounts import LEFT
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.places import PlaceState
from tensorcost.domain.integration.plan import Site, WorkItem
from tensorcost.domain.integration.states import ConnectionMode, Coverage, SourceKind
from tensorcost.domain.spend.limits import TimeBounds
from tests.providers.aws.world import HOME, JUMP, PAYER
from tests.providers.bedrock.connections import connection
from tests.providers.bedrock.samples import KEY
from tests.support.clock import MovableClock
from tests.support.organization import connector, known_after, member, organization

SIZE = 34
BUSY = tuple(range(1, 11))
CONTROL_TOWER = "AWSControlTowerExecution"
NEW = "300000000001"


@pytest.fixture
def clock() -> MovableClock:
    return MovableClock(datetime.now(UTC).replace(minute=30))


@pytest.fixture
def aws(simulator: SimControl, clock: MovableClock) -> SimControl:
    simulator.seed_state(organization(SIZE, now=clock(), busy=BUSY))
    return simulator


FEW_REGIONS = {
    "home_region": "us-gov-west-1",
    "log_group_arn": f"arn:aws:logs:{HOME}:{PAYER}:log-group:/none",
}
"""Settings by which only three regions are looked at, none of them named by the customer."""
REGIONS = 3
ALL_REGIONS = 15


def subject(**settings: Any) -> Connection:
    found = {"regions": (), "cur_bucket": ""} | settings
    return connection(ConnectionMode.ORGANIZATION, settings=found)


class Watch:
    """A connector that remembers, look by look, what the store would."""

    def __init__(self, aws: SimControl, clock: MovableClock, **settings: Any) -> None:
        self.aws, self.clock = aws, clock
        self.subject = subject(**(settings or FEW_REGIONS))
        self.connector: BedrockConnector = connector(aws, clock)
        self.known = Known()

    def look(self, **later: float) -> Discovery:
        """Look after some time has passed; the ledger holds this look alone."""
        self.clock.move(**later)
        self.aws.forget_requests()
        found = self.connector.discover(self.subject, self.known)
        self.known = known_after(found, self.known)
        return found


def coverage(found: Discovery) -> dict[str, Coverage]:
    return {account.account_id: account.coverage for account in found.accounts}


def read_accounts(found: Discovery) -> set[str]:
    return {site.account_id for site in found.sites if site.source is not SourceKind.BILL}


def about(found: Discovery, account: str) -> list[str]:
    return [f.code for f in found.findings if f.subject.startswith(account)]


def read_metrics(made: BedrockConnector, job: ReadJob) -> int:
    (chunk,) = made.read(job)
    assert isinstance(chunk, MetricsChunk)
    return sum(len(parsed) for parsed in chunk.spend())


def test_thirty_accounts_are_all_accounted_for(aws: SimControl, clock: MovableClock) -> None:
    aws.preset("role_missing", account=member(20), role=JUMP)
    aws.preset("account_suspended", account=member(21))
    found = Watch(aws, clock).look()
    assert len(found.accounts) == SIZE + 1
    odd = {account: state for account, state in coverage(found).items() if state != "covered"}
    assert odd == {member(20): Coverage.ROLE_MISSING, member(21): Coverage.SKIPPED}
    assert about(found, member(20)) == ["MEMBER_ROLE_MISSING"]
    assert about(found, member(21)) == []  # it was never read
    assert read_accounts(found) == {PAYER, *(member(number) for number in BUSY)}


def test_a_quiet_region_costs_two_calls_and_is_not_asked_again_at_once(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock, home_region=HOME)
    first = watch.look()
    quiet = {seen.place for seen in first.places if seen.state is PlaceState.QUIET}
    assert len(quiet) == (SIZE + 1) * ALL_REGIONS - len(BUSY) - 1  # the busy, the payer's home
    calls = Counter((entry.account, entry.region) for entry in aws.requests())
    assert {calls[place] for place in quiet} == {2}
    second = watch.look(hours=1)
    calls = Counter((entry.account, entry.region) for entry in aws.requests())
    assert not quiet & set(calls)
    assert {site.key for site in second.sites} == {site.key for site in first.sites}
    assert sum(calls.values()) < 2.5 * len(first.accounts)


def test_quiet_regions_come_due_within_a_day_and_not_all_at_once(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock, home_region=HOME)
    whole = len(watch.look().places)
    part = len(watch.look(hours=24).places)
    assert 0.3 * whole < part < 0.7 * whole
    rest = len(watch.look(hours=7).places)
    assert part + rest >= whole


def test_calls_that_begin_in_a_quiet_region_are_found_by_the_bill_at_once(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock)
    watch.look()
    place = (member(30), "ap-northeast-3")  # not among the regions that are asked by themselves
    watch.known = Known(
        watch.known.accounts, watch.known.sites, watch.known.places, frozenset({place})
    )
    found = watch.look(hours=1)
    assert Site(SourceKind.METRICS, *place) in found.sites


def test_an_account_that_joins_is_looked_at_in_every_region(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock)
    watch.look()
    aws.preset("account_joins", account=NEW)
    found = watch.look(hours=1)
    assert coverage(found)[NEW] is Coverage.COVERED
    assert len([seen for seen in found.places if seen.account_id == NEW]) == REGIONS


def test_accounts_that_end_are_kept_told_of_and_no_longer_read(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock)
    watch.look()
    aws.preset("account_suspended", account=member(1))
    aws.preset("account_leaves", account=member(2))
    found = watch.look(hours=2)
    kept = {account.account_id: account for account in found.accounts}
    assert (kept[member(1)].state, kept[member(1)].coverage) == ("SUSPENDED", Coverage.SKIPPED)
    assert (kept[member(2)].state, kept[member(2)].coverage) == (LEFT, Coverage.SKIPPED)
    assert about(found, member(1)) == ["ACCOUNT_SUSPENDED"]
    assert about(found, member(2)) == ["ACCOUNT_LEFT"]
    assert not {member(1), member(2)} & read_accounts(found)
    assert not {member(1), member(2)} & {entry.account for entry in aws.requests()}
    again = watch.look(hours=1)
    assert about(again, member(2)) == ["ACCOUNT_LEFT"]
    assert len(again.accounts) == SIZE + 1


def test_a_role_that_is_lost_is_told_with_its_date_and_comes_back(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock)
    watch.look()
    seen = clock()
    aws.preset("role_missing", account=member(3), role=JUMP)
    lost = watch.look(hours=2)
    (told,) = [f for f in lost.findings if f.subject == member(3)]
    assert told.causes[0].code == "ROLE_REMOVED"
    assert told.evidence["read_until"] == seen.isoformat()
    assert member(3) not in read_accounts(lost)
    aws.preset("role_deployed", account=member(3))
    back = watch.look(hours=2)
    assert coverage(back)[member(3)] is Coverage.COVERED
    assert member(3) in read_accounts(back)
    assert about(back, member(3)) == []


def test_a_role_deleted_while_its_session_lasts_is_no_fault_of_ours(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock)
    (site,) = [
        site
        for site in watch.look().sites
        if (site.source, site.account_id) == (SourceKind.METRICS, member(1))
    ]
    item = WorkItem("step", 1, site, clock() - timedelta(hours=6), clock())
    job = ReadJob(watch.subject, item, "", KEY, TimeBounds.at(clock()))
    assert read_metrics(watch.connector, job) > 0
    aws.preset("role_missing", account=member(1), role=JUMP)
    with pytest.raises(ConnectorError) as caught:
        read_metrics(watch.connector, job)
    assert (caught.value.code, caught.value.retry_after) == ("MEMBER_ROLE_MISSING", None)
    assert caught.value.finding is not None
    assert caught.value.finding.subject == member(1)


def test_an_account_that_fails_for_the_moment_keeps_what_is_known_of_it(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock)
    before = watch.look()
    role = f"arn:aws:iam::{member(4)}:role/{JUMP}"
    aws.preset("unavailable", service="sts", resource=role)
    found = watch.look(hours=2)
    assert coverage(found)[member(4)] is Coverage.ERROR
    assert member(4) in found.spared
    assert (before.is_whole, found.is_whole) == (True, False)
    assert {site.key for site in found.sites} == {site.key for site in before.sites}


def test_many_accounts_that_fail_for_the_moment_are_not_left_out(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock)
    roles = f"arn:aws:iam::*:role/{JUMP}"
    aws.fault(service="sts", resource=roles, kind="throttled", times=SIZE)
    assert set(coverage(watch.look()).values()) == {Coverage.COVERED}
    aws.heal()
    aws.preset("unavailable", service="sts", resource=roles)
    with pytest.raises(ConnectorError) as caught:
        watch.look(hours=2)
    assert caught.value.retry_after is not None


def test_one_region_that_fails_costs_the_others_nothing(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock)
    before = watch.look()
    aws.preset("unavailable", service="cloudwatch", account=member(5), region=HOME)
    found = watch.look(hours=2)
    assert f"{member(5)}/{HOME}" in found.spared
    assert (before.is_whole, found.is_whole) == (True, False)
    assert {site.key for site in found.sites} == {site.key for site in before.sites}
    assert (member(5), HOME) not in {seen.place for seen in found.places}
    aws.heal()
    healed = watch.look(hours=1)
    assert (member(5), HOME) in {seen.place for seen in healed.places}


def test_where_everything_fails_the_look_is_tried_again_later(
    aws: SimControl, clock: MovableClock
) -> None:
    aws.preset("unavailable", service="cloudwatch")
    with pytest.raises(ConnectorError) as caught:
        Watch(aws, clock).look()
    assert caught.value.retry_after is not None


def test_under_control_tower_the_configured_name_is_used_and_no_other(
    aws: SimControl, clock: MovableClock
) -> None:
    for number in range(1, SIZE + 1):
        aws.preset("role_missing", account=member(number), role=JUMP)
        aws.preset("role_deployed", account=member(number), role=CONTROL_TOWER)
    refused = Watch(aws, clock).look()
    assert set(coverage(refused).values()) == {Coverage.COVERED, Coverage.ROLE_MISSING}
    assert {entry.role for entry in aws.requests(operation="AssumeRole")} == {
        subject().role_arn,
        *(f"arn:aws:iam::{member(number)}:role/{JUMP}" for number in range(1, SIZE + 1)),
    }
    told = [f for f in refused.findings if f.code == "MEMBER_ROLE_MISSING"]
    assert {f.causes[0].code for f in told} == {"OTHER_ROLE_NAME"}
    assert CONTROL_TOWER in told[0].remedy
    entered = Watch(aws, clock, organization_role_name=CONTROL_TOWER, **FEW_REGIONS).look()
    assert set(coverage(entered).values()) == {Coverage.COVERED}


def test_each_role_is_assumed_once_and_again_only_when_its_session_ends(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock)
    watch.look()
    taken = Counter(entry.role for entry in aws.requests(operation="AssumeRole"))
    assert len(taken) == SIZE + 1
    assert set(taken.values()) == {1}
    watch.look(minutes=30)
    assert aws.requests(operation="AssumeRole") == []
    watch.look(minutes=30)
    taken = Counter(entry.role for entry in aws.requests(operation="AssumeRole"))
    assert (len(taken), set(taken.values())) == (SIZE + 1, {1})


def test_sessions_that_aws_ended_early_are_renewed_by_one_of_many_threads(
    aws: SimControl, clock: MovableClock
) -> None:
    watch = Watch(aws, clock)
    watch.look()
    aws.expire_sessions()
    watch.look(minutes=1)
    taken = Counter(
        entry.role for entry in aws.requests(operation="AssumeRole") if entry.status == 200
    )
    assert taken[subject().role_arn] == 1
    assert set(taken.values()) == {1}


def test_no_more_calls_are_in_flight_than_are_looked_at_together(
    aws: SimControl, clock: MovableClock
) -> None:
    class InFlight:
        """Admits everything and counts the threads and tenants that ask."""

        def __init__(self) -> None:
            self.threads: set[int] = set()
            self.keys: Counter[str] = Counter()

        def acquire(self, key: str) -> None:
            self.threads.add(threading.get_ident())
            self.keys[key] += 1

    limiter = InFlight()
    aws.forget_requests()
    connector(aws, clock, limiter=limiter).discover(subject(**FEW_REGIONS))
    assert set(limiter.keys) == {str(subject().tenant_id)}
    assert limiter.keys.total() == len(aws.requests())
    assert len(limiter.threads) <= 3 * 16 + 1  # accounts, regions, second tries; and the caller

"""One validation round: every call once, in order, and what each found out.

A denial is an answer, not an exception. Nothing is judged here: ``domain.integration
.diagnosis`` reads the facts. The round makes few calls, for it is repeated every few seconds.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import islice
from typing import Final

from tensorcost.domain.clock import Clock
from tensorcost.domain.integration.contracts_connection import Connection
from tensorcost.domain.integration.probe_facts import (
    CallFailure,
    ErrorKind,
    Fact,
    Probe,
    ProbedConnection,
    ProbeResult,
)
from tensorcost.domain.integration.states import ConnectionMode
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession, AwsSessions, account_of_role
from tensorcost.providers.bedrock.access import access_of
from tensorcost.providers.bedrock.probe_logs import LogProbes, attempt
from tensorcost.providers.bedrock.regions import candidate_regions, primary_region
from tensorcost.providers.bedrock.source_accounts import (
    MemberAccount,
    list_accounts,
    management_account,
)
from tensorcost.providers.bedrock.source_metrics import list_models, sum_invocations
from tensorcost.providers.bedrock.source_objects import list_objects, open_object

LOOK_BACK: Final = timedelta(days=3)
"""Long enough to span a weekend, short enough to answer at once."""
MEMBER_SAMPLES: Final = 3
_NO_MODEL: Final = "tensorcost.sample"
"""Asked for where no model was ever called: the permission is what is tested."""
_REFUSALS: Final = (ErrorKind.DENIED, ErrorKind.EXPLICIT_DENY)


def about(connection: Connection, sessions: AwsSessions) -> ProbedConnection:
    """What the diagnosis must know of the connection beside the facts."""
    own = connection.settings
    return ProbedConnection(
        mode=connection.mode,
        role_arn=connection.role_arn,
        account_id=connection.account_id,
        home_region=own.home_region,
        backend_account_id=sessions.settings.backend_account_id,
        organization_role_name=own.organization_role_name,
        cur_bucket=own.cur_bucket,
        log_group_arn=own.log_group_arn,
        log_bucket=own.log_bucket,
        external_id=connection.external_id,
        role_path_prefix=own.role_path_prefix,
    )


def probe(sessions: AwsSessions, connection: Connection, clock: Clock) -> list[ProbeResult]:
    """Make the round. Blocks for some seconds; raises nothing that AWS may answer."""
    return list(_Round(sessions, connection, clock()).run())


class _Round:
    def __init__(self, sessions: AwsSessions, connection: Connection, now: datetime) -> None:
        self._sessions = sessions
        self._connection = connection
        self._now = now
        self._region = primary_region(connection)

    def run(self) -> Iterator[ProbeResult]:
        yield self._backend()
        session, assumed = self._assume()
        yield assumed
        if session is None:
            yield from self._not_reached()
            return
        yield self._external_id()
        counted = self._cloudwatch(session)
        yield counted
        others = [r for r in candidate_regions(self._connection) if r != self._region]
        logs = LogProbes(session, self._connection, self._region, (self._since, self._now))
        yield from logs.run(others)
        yield from self._organization(session)
        yield self._bill(session)

    @property
    def _since(self) -> datetime:
        return self._now - LOOK_BACK

    def _backend(self) -> ProbeResult:
        try:
            account = self._sessions.backend_account()
        except ProviderError as error:
            return ProbeResult(Probe.BACKEND_IDENTITY, False, failure=error.failure)
        return ProbeResult(Probe.BACKEND_IDENTITY, True, facts={Fact.ACCOUNT: account})

    def _assume(self) -> tuple[AccountSession | None, ProbeResult]:
        account = account_of_role(self._connection.role_arn)
        try:
            session = self._sessions.role(access_of(self._connection))
            # A kept session would outlive a trust policy that no longer holds.
            session.renew()
        except ProviderError as error:
            return None, ProbeResult(Probe.ASSUME_ROLE, False, account, failure=error.failure)
        facts = {Fact.ROLE: self._connection.role_arn}
        return session, ProbeResult(Probe.ASSUME_ROLE, True, account, facts=facts)

    def _external_id(self) -> ProbeResult:
        """Without its ExternalId the role must refuse; only a refusal proves it."""
        try:
            self._sessions.assume_without_external_id(access_of(self._connection))
        except ProviderError as error:
            if error.kind in _REFUSALS:
                facts = {Fact.WITHOUT_EXTERNAL_ID: "no"}
                return ProbeResult(Probe.EXTERNAL_ID_REQUIRED, True, facts=facts)
            return ProbeResult(Probe.EXTERNAL_ID_REQUIRED, False, failure=error.failure)
        facts = {Fact.WITHOUT_EXTERNAL_ID: "yes"}
        return ProbeResult(Probe.EXTERNAL_ID_REQUIRED, False, facts=facts)

    def _cloudwatch(self, session: AccountSession) -> ProbeResult:
        def count() -> dict[Fact, str]:
            models = list_models(session, self._region) or {_NO_MODEL}
            calls = sum_invocations(session, self._region, models, self._since, self._now)
            return {Fact.INVOCATIONS: str(calls), Fact.WINDOW: self._window}

        return attempt(Probe.CLOUDWATCH, session, self._region, count)

    @property
    def _window(self) -> str:
        return f"{self._since:%Y-%m-%d %H:%M} to {self._now:%Y-%m-%d %H:%M} UTC"

    def _organization(self, session: AccountSession) -> Iterator[ProbeResult]:
        if self._connection.mode is not ConnectionMode.ORGANIZATION:
            why = "the connection is for one account"
            yield ProbeResult.not_made(Probe.ORGANIZATION, why)
            yield ProbeResult.not_made(Probe.MEMBER_ROLE, why)
            return
        members: list[MemberAccount] = []
        facts: dict[Fact, str] = {}
        failure: CallFailure | None = None
        try:
            members = list(list_accounts(session))
            facts[Fact.MEMBERS] = str(len(members))
        except ProviderError as error:
            failure = error.failure
        try:
            facts[Fact.MANAGEMENT] = management_account(session)
        except ProviderError as error:
            failure = failure or error.failure
        listed = bool(members)
        yield ProbeResult(
            Probe.ORGANIZATION, listed, session.account_id, "",
            None if listed else failure, facts,
        )  # fmt: skip
        yield from self._members(members)

    def _members(self, members: list[MemberAccount]) -> Iterator[ProbeResult]:
        """A sample: created accounts first, for invited ones often lack the role."""
        active = [m for m in members if m.is_active and m.account_id != self._connection.account_id]
        allowed = frozenset(m.account_id for m in active)
        base = self._sessions.role(access_of(self._connection, allowed))
        role = self._connection.settings.organization_role_name
        sample = sorted(active, key=lambda member: member.was_invited)
        if not sample:
            yield ProbeResult.not_made(Probe.MEMBER_ROLE, "no member accounts were listed")
        for member in islice(sample, MEMBER_SAMPLES):
            try:
                base.member(member.account_id, role).renew()
            except ProviderError as error:
                yield ProbeResult(
                    Probe.MEMBER_ROLE, False, member.account_id, failure=error.failure
                )
                continue
            yield ProbeResult(Probe.MEMBER_ROLE, True, member.account_id, facts={Fact.ROLE: role})

    def _bill(self, session: AccountSession) -> ProbeResult:
        own = self._connection.settings
        if not own.cur_bucket:
            return ProbeResult.not_made(Probe.CUR_BUCKET, "no bucket is named")

        def look() -> dict[Fact, str]:
            first = next(
                list_objects(session, own.cur_bucket, own.cur_prefix, own.cur_region), None
            )
            if first is not None:
                with open_object(session, first.bucket, first.key, own.cur_region) as chunks:
                    next(chunks, b"")
            return {Fact.BUCKET: own.cur_bucket}

        return attempt(Probe.CUR_BUCKET, session, own.cur_region, look)

    def _not_reached(self) -> Iterator[ProbeResult]:
        reached = (Probe.BACKEND_IDENTITY, Probe.ASSUME_ROLE)
        for left in Probe:
            if left not in reached:
                yield ProbeResult.not_made(left, "the role could not be assumed")

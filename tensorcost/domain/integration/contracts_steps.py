"""What workflows hand to activities and get back: small models, bulk data by reference."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from tensorcost.domain.integration.contracts import ConnectionKey, Contract, Tally
from tensorcost.domain.integration.contracts_connection import ConnectionChanges
from tensorcost.domain.integration.contracts_findings import NewFinding, Severity
from tensorcost.domain.integration.states import OnboardingPhase, RunState


class OpenValidation(Contract):
    """Begin one attempt: apply changes, move the connection to ``validating``, open its run."""

    connection: ConnectionKey
    run_id: UUID
    workflow_id: str
    requested_by: str
    started_at: datetime
    changes: ConnectionChanges | None = None


class ProbeRequest(Contract):
    connection: ConnectionKey
    run_id: UUID
    round: int


class ProbeStep(Contract):
    """One call of a probe round and how it went. ``skipped`` steps were not reached."""

    name: str
    ok: bool
    detail: str = ""
    skipped: bool = False


class ProbeVerdict(Contract):
    """A round's diagnosis. ``findings`` are ranked, the most likely first.

    ``may_heal`` says whether waiting can help: a denial may be AWS being eventually
    consistent, a malformed ARN never is.
    """

    healthy: bool
    may_heal: bool
    steps: tuple[ProbeStep, ...]
    findings: tuple[NewFinding, ...] = ()
    judged: tuple[str, ...] = ()
    """Codes that this round could tell: open findings of these that it did not repeat close."""

    @property
    def headline(self) -> str:
        """The first finding's title, or nothing."""
        return self.findings[0].title if self.findings else ""


class RoundReport(Contract):
    connection: ConnectionKey
    run_id: UUID
    round: int
    verdict: ProbeVerdict


class FinishValidation(Contract):
    connection: ConnectionKey
    run_id: UUID
    phase: OnboardingPhase
    note: str = ""


class DiscoveryRequest(Contract):
    """Look for accounts and sources.

    With ``unless_within`` nothing is done where somebody looked so recently, and places that
    were quiet a short while ago are left out; without it everything is looked at.
    """

    connection: ConnectionKey
    run_id: UUID
    unless_within: timedelta | None = None


class Discovered(Contract):
    """Counts of what discovery stored: coverage rows, sites and findings."""

    accounts_total: int
    accounts_covered: int
    sites: int
    missing: tuple[str, ...] = ()
    """Sources that are not connected, by title."""
    looked: bool = True
    """False: somebody looked a short while ago, and the counts are zero."""
    changes: tuple[str, ...] = ()
    """What became of accounts since the look before, such as ``joined 111122223333``."""


class LookNote(Contract):
    """How a run's look went: what it found, or the ``code`` and text of why nobody could look."""

    found: Discovered | None = None
    code: str = ""
    error: str = ""


class BackfillRequest(Contract):
    """Ask for a backfill of ``days``; ``run_id`` makes a retry meet its own answer.

    It reads the sites that no backfill has read whole. With ``after_sync`` only those of them
    that this sync could read.
    """

    connection: ConnectionKey
    run_id: UUID
    days: int | None = None
    """None: as many as the backfill before."""
    requested_by: str
    now: datetime
    after_sync: UUID | None = None


class BackfillTicket(Contract):
    """``number`` 0 means that none is needed: one is running, or every site has been read."""

    number: int
    workflow_id: str = ""
    window_start: datetime | None = None
    window_end: datetime | None = None


class PlanRequest(Contract):
    """Plan the run's work. A sync's window ends at ``scheduled_at``."""

    connection: ConnectionKey
    run_id: UUID
    workflow_id: str
    window_start: datetime | None = None
    window_end: datetime
    look: LookNote | None = None
    """A sync's own look before it; None where somebody else had looked a short while ago."""


class Planned(Contract):
    items: int
    in_flight: int
    """The window granted: the tenant's cap shared among its running runs."""


class NextItems(Contract):
    """``together`` is how many small items one activity may read: one, for runs that began when
    there was no such activity."""

    connection: ConnectionKey
    run_id: UUID
    after: int
    limit: int
    together: int = 1


class ItemRef(Contract):
    """An item, with the ``others`` that are read by the same activity, up to ``position``."""

    step_key: str
    position: int
    label: str
    others: tuple[str, ...] = ()


class ItemPage(Contract):
    items: tuple[ItemRef, ...]


class ItemOrder(Contract):
    """Read one item. ``tried`` counts the attempts made together with others."""

    connection: ConnectionKey
    run_id: UUID
    step_key: str
    tried: int = 0


class ItemOutcome(Contract):
    step_key: str
    tally: Tally


class ItemsOrder(Contract):
    """Read some small items together."""

    connection: ConnectionKey
    run_id: UUID
    step_keys: tuple[str, ...]


class ItemLeft(Contract):
    """An item that could not be read together with others. It is read by itself ``after`` a
    while, or given up where the error that ``code`` names is ``final``."""

    step_key: str
    tried: int = 0
    after: timedelta = timedelta()
    final: bool = False
    code: str = ""
    error: str = ""


class ItemsOutcome(Contract):
    """``tally`` counts the items that ended."""

    tally: Tally
    left: tuple[ItemLeft, ...] = ()


class FailItem(Contract):
    """Record an item whose activity gave up. ``error`` is the unwrapped, shortened cause."""

    connection: ConnectionKey
    run_id: UUID
    step_key: str
    code: str
    error: str


class FinishRun(Contract):
    connection: ConnectionKey
    run_id: UUID
    state: RunState
    note: str = ""


class SilenceRequest(Contract):
    """Judge sites that read nothing against CloudWatch's own count of invocations."""

    connection: ConnectionKey
    run_id: UUID
    window_start: datetime
    window_end: datetime


class SilenceVerdict(Contract):
    findings: int


class Done(Contract):
    """The answer of an activity that has nothing to say."""

    changed: bool = True


class RunEnded(Done):
    """``owes_backfill``: the run read sites of which no backfill has read the past."""

    owes_backfill: bool = False


UNEXPLAINED: Final = "UNEXPLAINED"


def unexplained_verdict(code: str, text: str) -> ProbeVerdict:
    """The verdict of a round that ended in an error nobody recognised: its text is kept."""
    finding = NewFinding(
        code=UNEXPLAINED,
        severity=Severity.ERROR,
        title="The check itself failed",
        remedy="Try again. If it stays, send this text to support.",
        evidence={"error": code, "text": text},
    )
    return ProbeVerdict(
        healthy=False,
        may_heal=True,
        steps=(ProbeStep(name="probe", ok=False, detail=text),),
        findings=(finding,),
        judged=(UNEXPLAINED,),
    )

"""Progress told to people: shares, tables; and what a zero means."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.contracts_findings import NewFinding, RankedCause, Severity
from tensorcost.domain.integration.contracts_steps import ProbeStep, ProbeVerdict
from tensorcost.domain.integration.plan import Site
from tensorcost.domain.integration.progress import (
    fenced,
    percent,
    progress_markdown,
    run_state,
    took,
)
from tensorcost.domain.integration.progress_silence import (
    NAMED_PLACES,
    NO_TRAFFIC,
    SILENT_LOGS,
    UNEXPLAINED_ZERO,
    UNLOGGED_REGION,
    Counted,
    judge_silence,
)
from tensorcost.domain.integration.progress_sources import judge_missing
from tensorcost.domain.integration.progress_validation import validation_markdown
from tensorcost.domain.integration.states import OnboardingPhase, RunState, SourceKind

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ACCOUNT = "111122223333"


@pytest.mark.parametrize(
    ("items", "failed", "cancelled", "state"),
    [
        (10, 0, False, RunState.COMPLETED),
        (10, 9, False, RunState.COMPLETED),
        (10, 10, False, RunState.FAILED),
        (0, 0, False, RunState.COMPLETED),
        (10, 10, True, RunState.CANCELLED),
    ],
)
def test_only_a_run_in_which_nothing_worked_has_failed(
    items: int, failed: int, cancelled: bool, state: RunState
) -> None:
    assert run_state(items, failed, cancelled=cancelled) is state


@given(done=st.integers(0, 10_000), total=st.integers(0, 10_000))
def test_a_hundred_per_cent_means_all(done: int, total: int) -> None:
    assert 0 <= percent(done, total) <= 100
    assert (percent(done, total) == 100) == (done >= total)


@given(st.text(max_size=200))
def test_code_spans_hold_whatever_text_they_are_given(text: str) -> None:
    span = fenced(text)
    longest = max(map(len, re.findall("`+", " ".join(text.split()))), default=0)
    fence = "`" * (longest + 1)
    assert span.startswith(fence)
    assert span.endswith(fence)


def test_details_fit_into_what_the_server_takes() -> None:
    labels = ["x" * 300] * 200
    text = progress_markdown("Backfill", Tally(done=1, accepted=5), 10, labels)
    assert len(text.encode()) < 20_000
    assert "(1 of 10 items, 0 failed)" in text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (185, "3 min 5 s"), (7800, "2 h 10 min"), (-5, "0 s")]
)
def test_spans_read_as_people_say_them(seconds: int, text: str) -> None:
    assert took(NOW, NOW + timedelta(seconds=seconds)) == text


def test_tallies_add_field_by_field() -> None:
    total = Tally(done=1, accepted=2, bytes_read=3) + Tally(done=1, failed=1, accepted=5)
    assert total == Tally(done=2, failed=1, accepted=7, bytes_read=3)


def test_a_validation_shows_its_steps_and_causes_the_likeliest_first() -> None:
    verdict = ProbeVerdict(
        healthy=False,
        may_heal=True,
        steps=(
            ProbeStep(name="sts:AssumeRole", ok=False, detail="Access | `Denied`"),
            ProbeStep(name="logs", ok=True, skipped=True),
        ),
        findings=(
            NewFinding(
                code="X",
                severity=Severity.ERROR,
                title="No trust",
                remedy="Redeploy.",
                causes=(
                    RankedCause(code="a", title="unlikely", remedy="r", likelihood=0.1),
                    RankedCause(code="b", title="likely", remedy="r", likelihood=0.9),
                ),
            ),
        ),
    )
    text = validation_markdown(OnboardingPhase.WAITING_FOR_RETRY, 3, verdict)
    assert text.startswith("### Waiting for retry")
    assert "| sts:AssumeRole | ✘ | `` Access / `Denied` `` |" in text
    assert "| logs | - |" in text
    assert text.index("likely →") < text.index("unlikely →")


def site(source: SourceKind, region: str = "us-east-1") -> Site:
    return Site(source, ACCOUNT, region)


LOGS, METRICS = site(SourceKind.LOGS_S3), site(SourceKind.METRICS)
PLACE = (ACCOUNT, "us-east-1")


@pytest.mark.parametrize(
    ("sites", "counted", "codes"),
    [
        ([LOGS, METRICS], Counted(5, 5), []),
        ([LOGS, METRICS], Counted(5, 0), [SILENT_LOGS]),
        ([METRICS], Counted(5, 0), [UNLOGGED_REGION]),
        ([LOGS, METRICS], Counted(0, 0), [NO_TRAFFIC]),
        ([LOGS], Counted(0, 0), [UNEXPLAINED_ZERO]),
        ([LOGS], Counted(0, 7), []),
    ],
)
def test_every_zero_is_explained_or_named(
    sites: list[Site], counted: Counted, codes: list[str]
) -> None:
    found = judge_silence(sites, {PLACE: counted}, "this window")
    assert [finding.code for finding in found] == codes


def test_a_silent_log_names_the_wrong_region_first() -> None:
    (found,) = judge_silence([LOGS, METRICS], {PLACE: Counted(5, 0)}, "w")
    assert found.causes[0].code == "WRONG_REGION"
    assert found.evidence["invocations"] == "5"
    assert found.subject == f"{ACCOUNT}/us-east-1"


def test_silence_is_judged_place_by_place() -> None:
    other = site(SourceKind.METRICS, "eu-west-1")
    counted = {PLACE: Counted(3, 3), (ACCOUNT, "eu-west-1"): Counted(2, 0)}
    found = judge_silence([LOGS, METRICS, other], counted, "w")
    assert [(f.code, f.subject) for f in found] == [(UNLOGGED_REGION, f"{ACCOUNT}/eu-west-1")]


def test_quiet_places_make_one_finding_however_many_they_are() -> None:
    sites = [site(SourceKind.METRICS, f"region-{n:03d}") for n in range(NAMED_PLACES + 12)]
    (found,) = judge_silence(sites, {}, "this window")
    assert (found.code, found.subject, found.severity) == (NO_TRAFFIC, "", Severity.INFO)
    assert "42 places" in found.title
    named = found.evidence["places"].split(", ")
    assert named[0] == f"{ACCOUNT}/region-000"
    assert len(named) == NAMED_PLACES + 1
    assert named[-1] == "and 12 more"


def test_one_quiet_place_is_named_in_the_title() -> None:
    (found,) = judge_silence([LOGS, METRICS], {PLACE: Counted(0, 0)}, "w")
    assert found.title == "No Bedrock calls in us-east-1 in this window"
    assert found.evidence["places"] == f"{ACCOUNT}/us-east-1"


def test_what_is_missing_says_what_it_would_add() -> None:
    found = judge_missing([site(SourceKind.METRICS)])
    assert [f.subject for f in found] == [
        "invocation_logs",
        "cost_and_usage_report",
        "inference_profiles",
    ]
    assert all("It adds" in f.remedy and f.severity is Severity.INFO for f in found)
    either = [site(SourceKind.LOGS_CLOUDWATCH)]
    assert "invocation_logs" not in {f.subject for f in judge_missing(either)}

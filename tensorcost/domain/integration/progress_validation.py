"""A validation as the Temporal UI shows it: phase, rounds, steps, ranked causes."""

from typing import Final

from tensorcost.domain.integration.contracts_steps import ProbeStep, ProbeVerdict
from tensorcost.domain.integration.progress import MAX_DETAILS, fenced
from tensorcost.domain.integration.states import OnboardingPhase

_MARKS: Final = {True: "✔", False: "✘"}


def validation_markdown(
    phase: OnboardingPhase, round_number: int, verdict: ProbeVerdict | None
) -> str:
    """Current details of a ConnectionOnboarding run. Foreign text stands in code spans."""
    lines = [f"### {phase.value.replace('_', ' ').capitalize()}", "", f"Round {round_number}"]
    if verdict is not None:
        lines += ["", "| step | result | detail |", "|---|:-:|---|"]
        lines += [_row(step) for step in verdict.steps]
        for number, finding in enumerate(verdict.findings, start=1):
            lines += ["", f"**{number}. {finding.title}**", "", finding.remedy]
            lines += [
                f"- {cause.title} → {cause.remedy}"
                for cause in sorted(finding.causes, key=lambda cause: -cause.likelihood)
            ]
    return "\n".join(lines)[:MAX_DETAILS]


def _row(step: ProbeStep) -> str:
    mark = "-" if step.skipped else _MARKS[step.ok]
    detail = fenced(step.detail.replace("|", "/")) if step.detail else ""
    return f"| {step.name} | {mark} | {detail} |"

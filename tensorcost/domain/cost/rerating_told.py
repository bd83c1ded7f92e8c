"""A re-rating as the Temporal UI shows it."""

from typing import Final

from tensorcost.domain.cost.contracts_rerating import Preview, RerateInput, RerateState
from tensorcost.domain.cost.reconciliation.months import month_name
from tensorcost.domain.integration.progress import MAX_DETAILS, fenced

_HEAD: Final = (
    "| month | books | rows | unpriced so far | beside finer ones | requests | before USD "
    "| after USD | delta USD | of it drift USD |",
    "|---|---|---:|---:|---:|---:|---:|---:|---:|---:|",
)


def rerating_markdown(
    request: RerateInput, state: RerateState, preview: Preview | None, note: str = ""
) -> str:
    """What the prices change by month, and what is waited for."""
    title = (
        f"price version {request.price_version}"
        if request.reverts is None
        else f"back to before `{request.reverts}`"
    )
    lines = [f"### Re-rating: {title}", "", state.value.replace("_", " ").capitalize() + "."]
    if preview is not None:
        lines += ["", f"Preview {preview.number}:", "", *_HEAD]
        lines += [
            f"| {month_name(month.period)} | {month.state.value} | {month.rows} "
            f"| {month.newly_priced_rows} | {month.beside_rows} | {month.requests} "
            f"| {month.before} | {month.after} | {month.delta} | {month.drift} |"
            for month in preview.months
        ]
        lines += [
            "",
            f"{preview.automatic_rows} rows need no approval, {preview.approval_rows} do "
            f"({preview.approval_delta} USD, {preview.approval_drift} of it on days that a bill "
            "answers for: price drift alone).",
        ]
    if state is RerateState.AWAITING_APPROVAL:
        lines += ["", "Signals: `approve_now`, `reject_now`."]
    if note:
        lines += ["", fenced(note)]
    return "\n".join(lines)[:MAX_DETAILS]

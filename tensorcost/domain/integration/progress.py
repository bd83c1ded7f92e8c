"""How far a run is, and how that is told: a share, a table, a capped outcome."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from tensorcost.domain.integration.contracts import Tally
from tensorcost.domain.integration.states import RunState

BAR_CELLS: Final = 20
MAX_DETAILS: Final = 10_000
"""Characters of markdown; the server takes 20 kB of details."""


def run_state(items: int, failed: int, *, cancelled: bool = False) -> RunState:
    """Partial coverage is a normal result: only a run in which nothing worked has failed."""
    if cancelled:
        return RunState.CANCELLED
    if items > 0 and failed >= items:
        return RunState.FAILED
    return RunState.COMPLETED


def percent(done: int, total: int) -> int:
    """Whole per cent done, 100 only when all is."""
    return 100 if total <= 0 or done >= total else done * 100 // total


def progress_markdown(title: str, tally: Tally, total: int, running: Sequence[str] = ()) -> str:
    """The current details of a run as the Temporal UI shows them."""
    share = percent(tally.done, total)
    filled = share * BAR_CELLS // 100
    lines = [
        f"### {title}",
        "",
        f"`{'█' * filled}{'░' * (BAR_CELLS - filled)}` {share} % "
        f"({tally.done} of {total} items, {tally.failed} failed)",
        "",
        "| rows read | accepted | duplicate | rejected | unpriced | objects | MiB read |",
        "|---:|---:|---:|---:|---:|---:|---:|",
        f"| {tally.rows_read} | {tally.accepted} | {tally.duplicate} | {tally.rejected} "
        f"| {tally.unpriced} | {tally.objects} | {tally.bytes_read >> 20} |",
    ]
    if running:
        lines += ["", "In flight:", *(f"- {fenced(name)}" for name in running)]
    return "\n".join(lines)[:MAX_DETAILS]


def fenced(text: str) -> str:
    """``text`` as inline code that its own backticks cannot leave."""
    longest = run = 0
    for character in text:
        run = run + 1 if character == "`" else 0
        longest = max(longest, run)
    fence = "`" * (longest + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return f"{fence}{pad}{' '.join(text.split())}{pad}{fence}"


def took(since: datetime, now: datetime) -> str:
    """A span as people read it: ``42 s``, ``3 min 5 s``, ``2 h 10 min``."""
    seconds = max(0, int((now - since) / timedelta(seconds=1)))
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60} min"

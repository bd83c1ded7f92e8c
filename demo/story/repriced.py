"""Whoever looks around may bring prices in: what the story's own price list said before that."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from demo.story import questions
from demo.story.api import Session
from demo.story.questions import ESTIMATE, Answer

RERATINGS = "/v1/cost/reratings"


@dataclass(frozen=True, slots=True)
class ByTheList:
    """Estimates by the story's price list alone. ``answer`` None: nobody can tell them any more.

    ``note`` says why they are not those of today; empty where they are.
    """

    answer: Answer | None
    note: str = ""


async def by_the_list(
    session: Session, window: dict[str, str], today: Answer, backfilled_at: str
) -> ByTheList:
    """The estimates that the answer key knows.

    Of today, unless a re-rating changed something or would, or prices of the tenant's own are in
    force; then as of before the first re-rating, if all usage had been read by then.
    """
    reratings = await session.all(RERATINGS)
    if reratings:
        first = min((one["opened_at"] for one in reratings), key=datetime.fromisoformat)
        if datetime.fromisoformat(backfilled_at) < datetime.fromisoformat(first):
            past = await questions.ask_rest(session, window, ESTIMATE, as_of=first)
            return ByTheList(past, f"as of {first}, before {len(reratings)} re-rating(s)")
        return ByTheList(None, "usage was re-rated while it was still being read")
    if own := await _own_prices(session, today):
        return ByTheList(None, f"prices of your own are in force for {', '.join(own)}")
    return ByTheList(today)


async def _own_prices(session: Session, today: Answer) -> list[str]:
    """Models in use for which the tenant has brought prices in; no prices, no answer about them."""
    priced = [name for name, sums in today.groups["model"].items() if name and sums.cost]
    return [
        model
        for model in sorted(priced)
        if any(one["override"] for one in await session.get("/v1/cost/prices", model_id=model))
    ]

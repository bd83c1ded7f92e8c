"""Prices that somebody brought in while looking around do not break the next telling."""

from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

import httpx2
import pytest

from demo.story.api import Session, SignIn
from demo.story.questions import Answer, Part, Sums
from demo.story.repriced import by_the_list

WINDOW = {"from": "2026-08-24", "to": "2026-11-23"}
BACKFILLED, EARLIER = "2026-11-22T02:00:00Z", "2026-11-22T01:00:00Z"
FIRST, SECOND = "2026-11-22T02:37:45.328915Z", "2026-11-22T03:00:00Z"
SUMS = Sums(Decimal(9), 3, 0, 0, {"request": Part(Decimal(9), 3)})
TODAY = Answer(SUMS, frozenset(), frozenset(), {"model": {"m-1": SUMS, "": SUMS}})


@dataclass(slots=True)
class Desk(Session):
    """A product with re-ratings (the newest first) and own prices; it keeps the questions."""

    reratings: tuple[str, ...] = ()
    own: tuple[str, ...] = ()
    asked: list[dict[str, str]] = field(default_factory=list)

    async def all(self, path: str, **params: str) -> list[dict[str, Any]]:
        assert path == "/v1/cost/reratings"
        return [{"opened_at": moment} for moment in self.reratings]

    async def get(self, path: str, **params: str) -> Any:
        if path == "/v1/cost/prices":
            return [{"override": False}, {"override": params["model_id"] in self.own}]
        self.asked.append(params)
        unpriced = {"requests": 0, "tokens": 0}
        totals = {"cost_usd": "7", "requests": 3, "unpriced": unpriced, "by_grain": {}}
        return {"totals": totals, "beside": [], "unpriced": [], "rows": []}


def desk(**known: Any) -> Desk:
    return Desk(httpx2.AsyncClient(), SignIn("", "", ""), **known)


async def test_without_changes_the_estimates_of_today_are_by_the_list() -> None:
    found = await by_the_list(desk(), WINDOW, TODAY, BACKFILLED)
    assert (found.answer, found.note) == (TODAY, "")


async def test_after_re_ratings_they_are_those_of_before_the_first() -> None:
    session = desk(reratings=(SECOND, FIRST), own=("m-1",))
    found = await by_the_list(session, WINDOW, TODAY, BACKFILLED)
    assert found.answer is not None
    assert found.answer.total.cost == Decimal(7)
    assert FIRST in found.note
    assert {asked["as_of"] for asked in session.asked} == {FIRST}


@pytest.mark.parametrize(
    ("known", "why"),
    [
        ({"reratings": (FIRST, EARLIER)}, "while it was still being read"),
        ({"own": ("m-1",)}, "prices of your own are in force for m-1"),
    ],
)
async def test_where_nobody_can_tell_them_that_is_said(known: dict[str, Any], why: str) -> None:
    found = await by_the_list(desk(**known), WINDOW, TODAY, BACKFILLED)
    assert found.answer is None
    assert why in found.note

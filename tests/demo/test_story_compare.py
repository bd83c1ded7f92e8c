"""The comparison with the answer key fails on one wrong nano-dollar, and says where."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from demo.story.board import StageFailed
from demo.story.compare import Key, check, check_findings, read_key
from demo.story.questions import Answer, Part, Sums, window_of
from demo.story.repriced import ByTheList
from demo.world.spec import World
from demo.world.story import ACQUIRED, EMEA, PROD, RESEARCH, SANDBOX


def expected(requests: int, nano: int) -> dict[str, Any]:
    return {"requests": requests, "cost_nano": nano}


KEY = Key(
    logged={
        "total": expected(5, 3_000_000_001),
        "by_foundation_model": {"m-1": expected(3, 3_000_000_001), "m-2": expected(2, 0)},
        "by_application": {"bot": expected(4, 3_000_000_001), "": expected(1, 0)},
    },
    metered={"1": Decimal("7.001")},
    billed={"2": Decimal("0.50")},
)


def sums(requests: int, cost: str | None, **coarser: str) -> Sums:
    money = None if cost is None else Decimal(cost)
    grains = {"request": Part(money, requests)} if requests else {}
    grains |= {grain: Part(Decimal(usd), 0) for grain, usd in coarser.items()}
    return Sums(money, requests, 0, 0, grains)


def answer() -> Answer:
    return Answer(
        total=sums(5, "3.000000001", metric="7.0", bill="0.5"),
        beside=frozenset(),
        unpriced=frozenset(),
        groups={
            "model": {"m-1": sums(3, "3.000000001"), "m-2": sums(2, None)},
            "application": {"bot": sums(4, "3.000000001"), "": sums(1, None, bill="0.5")},
            "team": {"": sums(5, "3.000000001", bill="0.5")},
            "account": {"1": sums(5, "3", metric="7.000"), "2": sums(0, None, bill="0.5")},
        },
    )


def changed(dimension: str, name: str, value: Sums) -> Answer:
    found = answer()
    group = found.groups[dimension] | {name: value}
    return replace(found, groups=found.groups | {dimension: group})


def test_the_right_answer_holds() -> None:
    assert "nano-dollar" in check(answer(), answer(), ByTheList(answer()), KEY)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        (changed("model", "m-1", sums(3, "3.000000002")), "model m-1"),
        (changed("model", "m-1", sums(4, "3.000000001")), "4 requests"),
        (changed("model", "m-3", sums(1, "0")), "model m-3 has logged calls that never were"),
        (changed("application", "", sums(2, None)), "application (none)"),
        (changed("account", "1", sums(5, "3", metric="7.02")), "account 1, metric part"),
        (changed("account", "2", sums(0, None)), "account 2, bill part"),
        (replace(answer(), total=sums(5, "3")), "logged calls"),
    ],
)
def test_one_wrong_figure_fails_and_is_named(wrong: Answer, told: str) -> None:
    with pytest.raises(StageFailed, match=r"key says|never were") as raised:
        check(wrong, wrong, ByTheList(wrong), KEY)
    assert told in str(raised.value)


def test_faces_that_differ_fail_even_where_one_is_right() -> None:
    other = changed("application", "other", sums(0, None, bill="1"))
    with pytest.raises(StageFailed, match="GraphQL and REST differ by application"):
        check(answer(), other, ByTheList(answer()), KEY)


def test_own_prices_since_then_leave_what_was_told_before_them_as_it_was() -> None:
    today = changed("model", "m-1", sums(3, "9.0"))
    held = check(today, today, ByTheList(answer(), "as of then"), KEY)
    assert "logged calls as of then = answer key" in held
    assert "not held against the answer key: why" in check(
        today, today, ByTheList(None, "why"), KEY
    )
    with pytest.raises(StageFailed, match=r"model m-1: 9\.0 USD, the key says"):
        check(today, today, ByTheList(today), KEY)
    with pytest.raises(StageFailed, match="differ by model"):
        check(today, answer(), ByTheList(None, "why"), KEY)


def test_the_key_knows_the_places_that_never_log_and_the_accounts_out_of_reach(
    organization: World,
) -> None:
    key = read_key(organization)
    assert key.metered.keys() == {RESEARCH, EMEA}
    assert key.billed.keys() == {ACQUIRED, SANDBOX}
    assert all(usd > 0 for usd in (*key.metered.values(), *key.billed.values()))
    assert PROD in key.logged["by_account"]


def test_the_window_is_whole_days_around_the_world(organization: World) -> None:
    window = window_of(organization)
    assert window["from"] <= organization.start.isoformat()
    assert window["to"] > organization.end.isoformat()
    assert len(window["from"]) == len(window["to"]) == len("2026-01-01")


def test_a_gap_that_nobody_noticed_fails(organization: World) -> None:
    role = {"subject": ACQUIRED, "evidence": {}}
    lab, desk = ({"subject": f"{one}/us-east-1", "evidence": {}} for one in (RESEARCH, EMEA))
    assert check_findings([role, lab, desk], organization).startswith("3 open")
    with pytest.raises(StageFailed, match=ACQUIRED):
        check_findings([lab, desk], organization)
    with pytest.raises(StageFailed, match=f"{EMEA} in us-east-1"):
        check_findings([role, lab], organization)

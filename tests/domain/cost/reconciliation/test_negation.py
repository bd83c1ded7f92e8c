"""Negations of savings plans: they follow their usage, and nothing is lost or made up."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from tensorcost.domain.cost.reconciliation.facts import Money
from tensorcost.domain.cost.reconciliation.negation import Covered, Negated, follow

PLACE = Negated(
    "999900001111", "111122223333", "us-west-2", "AmazonEC2", "BoxUsage:g6", "RunInstances", "USD"
)
PLAN, OTHER = "arn:aws:savingsplans::1:savingsplan/a", "arn:aws:savingsplans::1:savingsplan/b"
BASES = range(3)


def usage(nano: int, effective: int = 0, **parts: object) -> Covered:
    """Covered usage of an account that knows no net prices."""
    money = Money(nano, effective, nano)
    return replace(Covered(PLACE, PLAN, False, money, 1), **parts)  # type: ignore[arg-type]


def negation(nano: int, **parts: object) -> Covered:
    return replace(
        Covered(PLACE, PLAN, True, Money(nano, 0, nano), 1),
        **parts,  # type: ignore[arg-type]
    )


def money(*found: Covered) -> list[Money]:
    return [amount for amount, _ in follow(found)]


def test_a_negation_takes_back_what_its_usage_was_charged() -> None:
    assert money(usage(19, 12), negation(-19)) == [(0, 12, 0), (0, 0, 0)]


def test_a_negation_is_spread_over_several_lines_by_their_amounts() -> None:
    found = follow([usage(10, 6), usage(20, 12), negation(-30)])
    assert found == [((0, 6, 0), 2), ((0, 12, 0), 1), ((0, 0, 0), 0)]
    assert money(usage(10), usage(10), usage(10), negation(-20)) == [
        (3, 0, 3),
        (3, 0, 3),
        (4, 0, 4),
        (0, 0, 0),
    ]


def test_a_negation_takes_back_no_more_than_was_charged() -> None:
    assert money(usage(10), negation(-15), negation(-15)) == [
        (0, 0, 0),
        (-10, 0, -10),
        (-10, 0, -10),
    ]


def test_a_negation_stays_where_it_is_without_usage_of_its_own() -> None:
    elsewhere = PLACE._replace(usage_type="BoxUsage:g5")
    alone = [usage(10), negation(-10, negated=elsewhere)]
    assert follow(alone) == [(one.money, one.lines) for one in alone]
    assert money(negation(-10)) == [(-10, 0, -10)]


def test_a_negation_with_the_sign_of_its_usage_negates_nothing() -> None:
    assert money(usage(10), negation(5)) == [(10, 0, 10), (5, 0, 5)]


def test_a_correction_of_covered_usage_is_taken_back_too() -> None:
    assert money(usage(-10), usage(4), negation(6)) == [(0, 0, 0), (0, 0, 0), (0, 0, 0)]


def test_net_amounts_of_the_bill_itself_stay() -> None:
    """Where the bill knows net prices, the negation has none and the usage its share of the fee."""
    netted = replace(usage(19), money=Money(19, 12, 11))
    assert money(netted, negation(-19, money=Money(-19, 0, 0))) == [(0, 12, 11), (0, 0, 0)]


def test_plans_are_kept_apart_where_the_bill_names_them() -> None:
    a, b = usage(10), usage(20, savings_plan_arn=OTHER)
    assert money(a, b, negation(-10)) == [(0, 0, 0), (20, 0, 20), (0, 0, 0)]
    unnamed = negation(-30, savings_plan_arn="")
    assert money(a, b, unnamed) == [(0, 0, 0), (0, 0, 0), (0, 0, 0)]
    assert money(usage(10, savings_plan_arn=""), negation(-10)) == [(0, 0, 0), (0, 0, 0)]


amounts = st.one_of(st.integers(-40, 40), st.integers(0, 10**13))
bases = st.one_of(amounts.map(Money.same), st.builds(Money, amounts, amounts, amounts))
anything = st.builds(
    Covered,
    negated=st.sampled_from((PLACE, PLACE, PLACE._replace(region="us-east-1"))),
    savings_plan_arn=st.sampled_from((PLAN, PLAN, OTHER, "")),
    is_negation=st.booleans(),
    money=st.one_of(bases, bases.map(lambda m: Money(-m[0], -m[1], -m[2]))),
    lines=st.integers(1, 5),
)


@given(st.lists(anything, max_size=9))
@settings(max_examples=300, deadline=None)
def test_what_is_common_keeps_its_sum_in_every_basis(found: list[Covered]) -> None:
    before, after = Counter[object](), Counter[object]()
    for one, (left, lines) in zip(found, follow(found), strict=True):
        for basis in BASES:
            before[one.negated, basis] += one.money[basis]
            after[one.negated, basis] += left[basis]
        before[one.negated, "lines"] += one.lines
        after[one.negated, "lines"] += lines
    assert before == after


charged = st.lists(st.integers(1, 10**13), min_size=1, max_size=6)


@given(charged, st.lists(st.integers(0, 4), max_size=3))
@settings(max_examples=200, deadline=None)
def test_a_pair_cancels_in_every_line_however_the_negation_is_cut(
    nanos: list[int], cuts: list[int]
) -> None:
    whole = sum(nanos)
    parts = [whole * cut // 12 for cut in cuts]
    negations = [negation(-part) for part in (*parts, whole - sum(parts))]
    assert all(not any(left) for left, _ in follow([*map(usage, nanos), *negations]))


@given(charged, st.integers(1, 10**14))
@settings(max_examples=200, deadline=None)
def test_usage_is_never_charged_less_than_nothing(nanos: list[int], back: int) -> None:
    *left, (rest, _) = follow([*map(usage, nanos), negation(-back)])
    assert all(0 <= kept.unblended <= nano for (kept, _), nano in zip(left, nanos, strict=True))
    assert rest.unblended == min(0, sum(nanos) - back)

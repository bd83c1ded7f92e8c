"""Negations of savings plans follow the usage that they negate.

A bill charges usage under a savings plan at its on-demand price and takes that back by a line of
its own, which carries none of the usage's tags. Left there, whoever used it would be charged in
full, and a negative amount would belong to nobody.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from tensorcost.domain.cost.reconciliation.amounts import cut, fraction_of, total_of
from tensorcost.domain.cost.reconciliation.facts import Money
from tensorcost.domain.cost.reconciliation.spread import apportion

COVERED_USAGE: Final = "SavingsPlanCoveredUsage"
NEGATION: Final = "SavingsPlanNegation"
_ANY: Final = ""


class Negated(NamedTuple):
    """What covered usage and its negation have in common, within one day."""

    payer_account_id: str
    account_id: str
    region: str
    product_code: str
    usage_type: str
    operation: str
    currency: str


@dataclass(frozen=True, slots=True)
class Covered:
    """Covered usage, or its negation: lines of one day that share everything but amounts."""

    negated: Negated
    savings_plan_arn: str
    """Empty where the bill does not name it: such a line may belong to any plan."""
    is_negation: bool
    money: Money
    lines: int


def follow(found: Sequence[Covered]) -> list[tuple[Money, int]]:
    """Money and number of lines of each of ``found`` once negations stand with their usage.

    A negation is spread in proportion to the unblended amounts of the usage that it negates, the
    rest by largest remainder, so that both cancel in whatever the usage names. It takes back no
    more than was charged: what is beyond, or has no such usage, stays where it is. Every basis,
    and the number of lines, adds up to what it was.
    """
    result = [(one.money, one.lines) for one in found]
    groups: dict[Negated, list[int]] = defaultdict(list)
    for index, one in enumerate(found):
        groups[one.negated].append(index)
    for group in groups.values():
        plans = sorted({found[index].savings_plan_arn for index in group})
        for theirs, ours in _pairs(plans):
            negations = _of_plan(found, group, theirs, is_negation=True)
            usage = _of_plan(found, group, ours, is_negation=False)
            _take_back(result, negations, usage)
    return result


def _pairs(plans: Sequence[str]) -> list[tuple[str, str]]:
    """Plans of negations and of usage that go together, the certain ones first."""
    named = [plan for plan in plans if plan != _ANY]
    certain = [(plan, plan) for plan in plans]
    return [*certain, *((_ANY, plan) for plan in named), *((plan, _ANY) for plan in named)]


def _of_plan(
    found: Sequence[Covered], group: Sequence[int], plan: str, *, is_negation: bool
) -> list[int]:
    return [
        index
        for index in group
        if found[index].is_negation is is_negation and found[index].savings_plan_arn == plan
    ]


def _take_back(
    result: list[tuple[Money, int]], negations: Sequence[int], usage: Sequence[int]
) -> None:
    """Move what ``negations`` take back of ``usage`` to it; both are indices into ``result``."""
    taken = [result[index][0] for index in negations]
    charged = [result[index][0].unblended for index in usage]
    back, whole = total_of(taken).unblended, sum(charged)
    if back * whole >= 0:
        return
    part = min(abs(back), abs(whole))
    moved = fraction_of(total_of(taken), part, abs(back))
    rests = cut(taken, total_of(taken).minus(moved), abs(back) - part, abs(back))
    is_whole = part == abs(back)
    lines = sum(result[index][1] for index in negations) if is_whole else 0
    for index, rest in zip(negations, rests, strict=True):
        result[index] = (rest, 0 if is_whole else result[index][1])
    for index, share in zip(usage, _shares(moved, charged, whole), strict=True):
        result[index] = (result[index][0].plus(share), result[index][1] + lines)
        lines = 0


def _shares(moved: Money, charged: Sequence[int], whole: int) -> list[Money]:
    sign = 1 if whole > 0 else -1
    by_basis = [
        apportion(nano, [nano * one * sign for one in charged], abs(whole)) for nano in moved
    ]
    return [Money(*parts) for parts in zip(*by_basis, strict=True)]

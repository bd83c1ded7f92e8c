"""Amounts in three bases, divided exactly. Bases that are equal, as most are, are counted once."""

from collections.abc import Sequence

from tensorcost.domain.cost.reconciliation.facts import Money
from tensorcost.domain.cost.reconciliation.spread import apportion, spread
from tensorcost.domain.money import divide_half_even

NOTHING = Money()


def fraction_of(money: Money, numerator: int, denominator: int) -> Money:
    """``money * numerator / denominator``, each basis rounded half-even."""
    if numerator == denominator:
        return money
    parts = {nano: divide_half_even(nano * numerator, denominator) for nano in set(money)}
    return Money(*[parts[nano] for nano in money])


def spread_money(money: Money, weights: Sequence[int]) -> list[tuple[int, int, int]]:
    """Each basis spread by the same weights (see ``spread``)."""
    parts = {nano: spread(nano, weights) for nano in set(money)}
    return list(zip(*[parts[nano] for nano in money], strict=True))


def cut(money: Sequence[Money], total: Money, numerator: int, denominator: int) -> list[Money]:
    """The same fraction of every amount, rounded so that each basis adds up to ``total``."""
    if numerator == denominator:
        return list(money)
    if not numerator and total == NOTHING:
        return [NOTHING] * len(money)
    by_basis = (
        apportion(whole, [amount[basis] * numerator for amount in money], denominator)
        for basis, whole in enumerate(total)
    )
    return [Money(*parts) for parts in zip(*by_basis, strict=True)]


def total_of(money: Sequence[tuple[int, int, int]]) -> Money:
    """In one pass: most are a few amounts, for which columns cost more than they save."""
    unblended = amortized = net = 0
    for one in money:
        unblended += one[0]
        amortized += one[1]
        net += one[2]
    return Money(unblended, amortized, net)

"""The gap of one place and currency by class, with what the bill and the rows say about it."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from tensorcost.domain.cost.reconciliation.amounts import NOTHING
from tensorcost.domain.cost.reconciliation.facts import Cell, Gap, GapClass, Money
from tensorcost.domain.cost.reconciliation.groups import MICRO
from tensorcost.domain.money import divide_half_even

_PER_MILLION = 10**6
_KEPT_WITHOUT_MONEY = (GapClass.UNLOGGED, GapClass.EXCESS)
"""Use that only one side knows is worth telling even where it is free or unpriced."""
_ONE_SIDED = ("unmatched_tokens", "unpriced_requests")


@dataclass(slots=True)
class _Entry:
    money: Money = NOTHING
    numbers: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    names: dict[str, set[str]] = field(default_factory=dict)
    prices: dict[str, list[int]] = field(default_factory=dict)
    """By token kind: matched quantity, billed nano, listed nano."""


class Tally:
    """Sums up classes; what is added to a class adds to its money and to its evidence."""

    def __init__(self, cell: Cell, currency: str) -> None:
        self._cell = cell
        self._currency = currency
        self._entries: dict[GapClass, _Entry] = {}

    def __contains__(self, gap_class: GapClass) -> bool:
        return gap_class in self._entries

    def add(
        self,
        gap_class: GapClass,
        money: Money,
        *,
        names: Mapping[str, Iterable[str]] | None = None,
        **numbers: int,
    ) -> None:
        """Add an amount; numbers add up over calls, names are collected."""
        entry = self._entries.get(gap_class)
        if entry is None:
            entry = self._entries[gap_class] = _Entry()
        entry.money = entry.money.plus(money)
        for key, number in numbers.items():
            entry.numbers[key] += number
        for key, found in (names or {}).items():
            entry.names.setdefault(key, set()).update(found)

    def add_price(
        self, gap_class: GapClass, kind: str, quantity: int, billed: int, listed: int | None
    ) -> None:
        """Add what a kind of token cost on the bill and, where it is known, by the list."""
        entry = self._entries[gap_class]
        sums = entry.prices.setdefault(kind, [0, 0, 0])
        sums[0] += quantity
        sums[1] += billed
        sums[2] += listed or 0

    def gaps(self) -> list[Gap]:
        """The classes in their declared order, without those that say nothing."""
        return [
            Gap(self._cell, self._currency, gap_class, entry.money, _evidence(entry))
            for gap_class in GapClass
            if (entry := self._entries.get(gap_class)) and _says_something(gap_class, entry)
        ]


def _says_something(gap_class: GapClass, entry: _Entry) -> bool:
    if any(entry.money):
        return True
    return gap_class in _KEPT_WITHOUT_MONEY and any(entry.numbers.get(n, 0) > 0 for n in _ONE_SIDED)


def _evidence(entry: _Entry) -> dict[str, str | int]:
    found: dict[str, str | int] = {key: n for key, n in entry.numbers.items() if n}
    found.update({key: ",".join(sorted(names)) for key, names in entry.names.items() if names})
    for kind, (quantity, billed, listed) in entry.prices.items():
        found[f"implied_nano_per_million.{kind}"] = _per_million(billed, quantity)
        if listed:
            found[f"list_nano_per_million.{kind}"] = _per_million(listed, quantity)
    return dict(sorted(found.items()))


def _per_million(nano: int, quantity: int) -> int:
    return divide_half_even(nano * _PER_MILLION * MICRO, quantity)

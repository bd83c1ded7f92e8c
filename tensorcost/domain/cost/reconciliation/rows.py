"""Logged rows made ready: their estimate by token kind, and what their tokens weigh."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from math import lcm
from operator import attrgetter
from typing import Final

from tensorcost.domain.cost.price import TOKEN_KINDS
from tensorcost.domain.cost.reconciliation.facts import Logged
from tensorcost.domain.cost.reconciliation.spread import apportion
from tensorcost.domain.spend.bill import TokenKind

UNITS: Final = len(TOKEN_KINDS)
"""Place of what is not tokens, behind the token kinds."""

_NO_TOKENS: Final = (0,) * UNITS
_BY_KEY: Final = attrgetter("dim_id", "actor_id")
Rates = Mapping[TokenKind, Fraction | None]


@dataclass(slots=True)
class Row:
    """A logged row and the parts of billed money that it has been given so far."""

    logged: Logged
    tokens: tuple[int, ...]
    """By kind, in the order of TOKEN_KINDS."""
    weights: tuple[int | None, ...]
    """By kind: tokens times list price in a unit of the cell; None where no price is known."""
    estimate: list[int]
    """Nano-USD by kind and then of what is not tokens; adds up to the row's estimate."""
    shares: list[tuple[int, int, int]] = field(default_factory=list)

    @property
    def is_tokenless(self) -> bool:
        return not any(self.tokens)

    @property
    def is_unknown(self) -> bool:
        """Nothing says what the row costs: some of it has no list price, and it is on no bill."""
        return self.logged.unpriced_requests > 0 and not self.shares

    @property
    def has_no_estimate(self) -> bool:
        return not self.logged.estimate_nano and self.logged.unpriced_requests > 0

    def is_unpriced(self, kind: int) -> bool:
        """True where nothing says what the row's tokens of this kind, or its units, cost."""
        if self.estimate[kind]:
            return False
        return self.has_no_estimate or (kind != UNITS and self.weights[kind] is None)


def prepare(logged: Sequence[Logged]) -> list[Row]:
    """The rows of one cell in order of dimension and actor, with weights of one unit."""
    known = {id(row.rates): row.rates for row in logged}
    scale = lcm(*{r.denominator for rates in known.values() for r in rates.values() if r})
    prices = {key: _scaled(rates, scale) for key, rates in known.items()}
    ordered = sorted(logged, key=_BY_KEY)
    return [_row(row, prices[id(row.rates)]) for row in ordered]


def _scaled(rates: Rates, scale: int) -> tuple[int | None, ...]:
    found = (rates.get(kind) for kind in TOKEN_KINDS)
    return tuple(
        None if rate is None else rate.numerator * (scale // rate.denominator) for rate in found
    )


def _row(logged: Logged, prices: tuple[int | None, ...]) -> Row:
    tokens = tuple(map(logged.tokens.get, TOKEN_KINDS, _NO_TOKENS))
    weights = tuple([None if p is None else p * n for p, n in zip(prices, tokens, strict=True)])
    return Row(logged, tokens, weights, _by_kind(logged.estimate_nano, tokens, weights))


def _by_kind(estimate: int, tokens: tuple[int, ...], weights: tuple[int | None, ...]) -> list[int]:
    """The estimate by the list price of the tokens; by tokens where no kind has a price.

    A restated metric may be negative, its sizes then divide the estimate. An amount without
    any token belongs to what is not sold by the token.
    """
    if not estimate:
        return [0] * (UNITS + 1)
    if not any(tokens):
        return [*_NO_TOKENS, estimate]
    sizes = [abs(weight) if weight else 0 for weight in weights]
    whole = sum(sizes)
    if not whole:
        sizes = [abs(n) for n in tokens]
        whole = sum(sizes)
    if estimate == whole:  # Whole nano-dollars a token, as most prices are: nothing was rounded.
        return [*sizes, 0]
    return [*apportion(estimate, [estimate * size for size in sizes], whole), 0]

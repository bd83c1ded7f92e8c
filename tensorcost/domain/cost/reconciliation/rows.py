"""Logged rows made ready: their estimate by token kind, and what their tokens weigh."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import lcm
from operator import attrgetter, mul
from typing import Final, NamedTuple

from tensorcost.domain.cost.price import TOKEN_KINDS
from tensorcost.domain.cost.reconciliation.facts import Logged, Rates
from tensorcost.domain.cost.reconciliation.spread import apportion

UNITS: Final = len(TOKEN_KINDS)
"""Place of what is not tokens, behind the token kinds."""

_NO_TOKENS: Final = (0,) * UNITS
_BY_KEY: Final = attrgetter("dim_id", "actor_id")


class Prices(NamedTuple):
    """List prices of a token by kind, in a unit that all rows of the cell have."""

    numbers: tuple[int, ...]
    """0 where no price is known."""
    is_known: tuple[bool, ...]


@dataclass(slots=True)
class Row:
    """A logged row and the parts of billed money that it has been given so far."""

    logged: Logged
    tokens: tuple[int, ...]
    """By kind, in the order of TOKEN_KINDS."""
    prices: Prices
    weights: tuple[int, ...]
    """By kind: tokens times list price; 0 where no price is known."""
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
        return self.has_no_estimate or (kind != UNITS and not self.prices.is_known[kind])


def prepare(logged: Sequence[Logged]) -> list[Row]:
    """The rows of one cell in order of dimension and actor, with weights of one unit."""
    known = {id(row.rates): row.rates for row in logged}
    scale = lcm(*{r.denominator for rates in known.values() for r in rates.values() if r})
    prices = {key: _scaled(rates, scale) for key, rates in known.items()}
    ordered = sorted(logged, key=_BY_KEY)
    return [_row(row, prices[id(row.rates)]) for row in ordered]


def _scaled(rates: Rates, scale: int) -> Prices:
    found = [rates.get(kind) for kind in TOKEN_KINDS]
    return Prices(
        tuple([rate.numerator * (scale // rate.denominator) if rate else 0 for rate in found]),
        tuple([rate is not None for rate in found]),
    )


def _row(logged: Logged, prices: Prices) -> Row:
    tokens = logged.tokens
    weights = tuple(map(mul, prices.numbers, tokens))
    return Row(logged, tokens, prices, weights, _by_kind(logged.estimate_nano, tokens, weights))


def _by_kind(estimate: int, tokens: tuple[int, ...], weights: tuple[int, ...]) -> list[int]:
    """The estimate by the list price of the tokens; by tokens where no kind has a price.

    A restated metric may be negative, its sizes then divide the estimate. An amount without
    any token belongs to what is not sold by the token.
    """
    if not estimate:
        return [0] * (UNITS + 1)
    if not any(tokens):
        return [*_NO_TOKENS, estimate]
    sizes = list(map(abs, weights))
    whole = sum(sizes)
    if not whole:
        sizes = list(map(abs, tokens))
        whole = sum(sizes)
    if estimate == whole:  # Whole nano-dollars a token, as most prices are: nothing was rounded.
        return [*sizes, 0]
    return [*apportion(estimate, [estimate * size for size in sizes], whole), 0]

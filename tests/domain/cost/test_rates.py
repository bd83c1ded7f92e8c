"""List prices of a day, as the reconciliation weighs with them."""

from datetime import date
from fractions import Fraction

from tensorcost.domain.cost.price_book import PriceBook
from tensorcost.domain.cost.rates import token_rates
from tensorcost.domain.spend.bill import TokenKind
from tests.domain.cost.builders import JUNE, dimension, price


def test_a_day_has_the_prices_that_hold_when_it_begins() -> None:
    book = PriceBook([price("3", end=JUNE), price("2.5", start=JUNE, version=2)])
    before = token_rates(dimension(), book, date(2026, 5, 31))
    after = token_rates(dimension(), book, date(2026, 6, 1))
    assert (before[TokenKind.INPUT], after[TokenKind.INPUT]) == (Fraction(3_000), Fraction(2_500))


def test_a_price_that_changes_during_a_day_holds_from_the_next_on() -> None:
    book = PriceBook([price("3"), price("2.5", start=JUNE.replace(hour=9), version=2)])
    assert token_rates(dimension(), book, date(2026, 6, 1))[TokenKind.INPUT] == 3_000
    assert token_rates(dimension(), book, date(2026, 6, 2))[TokenKind.INPUT] == 2_500


def test_what_has_no_price_is_none() -> None:
    rates = token_rates(dimension(), PriceBook([price("3")]), date(2025, 12, 31))
    assert set(rates) == set(TokenKind)
    assert set(rates.values()) == {None}

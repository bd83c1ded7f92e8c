"""The explained share of a place is of its usage, by the grain that explains it."""

from fractions import Fraction

import pytest

from tensorcost.domain.cost.reconciliation.coverage import Coverage, share_shown


def test_a_place_is_explained_by_requests_and_metrics_and_the_rest_is_unlogged() -> None:
    place = Coverage("111122223333", "us-east-1", by_request=3, by_metric=2, unlogged=3)
    assert place.billed == 8
    assert place.explained == Fraction(5, 8)
    assert place.explained_by_request == Fraction(3, 8)


def test_where_nothing_is_billed_there_is_no_share() -> None:
    assert Coverage("111122223333", "us-east-1").explained is None


def test_a_correction_does_not_push_the_share_past_the_whole() -> None:
    place = Coverage("111122223333", "us-east-1", by_request=10, unlogged=-4)
    assert place.billed == 6
    assert place.explained == 1


def test_sums_keep_every_part() -> None:
    east = Coverage("111122223333", "us-east-1", 1, 2, 3)
    total = Coverage("", "").plus(east).plus(east)
    assert (total.by_request, total.by_metric, total.unlogged) == (2, 4, 6)
    assert total.account_id == ""


@pytest.mark.parametrize(
    ("share", "shown"),
    [
        (None, "None"),
        (Fraction(0), "0.000000"),
        (Fraction(1, 3), "0.333333"),
        (Fraction(10**9 - 1, 10**9), "0.999999"),
        (Fraction(1), "1.000000"),
    ],
)
def test_a_share_is_shown_as_everything_only_where_it_is(
    share: Fraction | None, shown: str
) -> None:
    assert str(share_shown(share)) == shown

"""Which of a payer's exports count: no account twice, none left out without need, in any order."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.cost.reconciliation.rivals import ExportBill, counted_bills

START = datetime(2026, 10, 1, tzinfo=UTC)
DAY = timedelta(days=1)


def export(name: str, accounts: str, first: float = 0, last: float | None = None) -> ExportBill:
    """Each letter of ``accounts`` is one; first and last delivered that many days after START."""
    known_at = START + (first if last is None else last) * DAY
    return ExportBill("origin", name, frozenset(accounts), START + first * DAY, known_at)


def names(*bills: ExportBill) -> str:
    return " ".join(sorted(bill.export_name for bill in counted_bills(bills)))


@st.composite
def exports(draw: st.DrawFn) -> list[ExportBill]:
    sets = draw(st.lists(st.frozensets(st.sampled_from("abcdef"), min_size=1), max_size=7))
    times = st.integers(0, 9)
    return [
        export(f"export-{n}", "".join(accounts), first := draw(times), first + draw(times))
        for n, accounts in enumerate(sets)
    ]


def test_the_first_counts() -> None:
    assert names(export("daily", "ab"), export("hourly", "ab", 1)) == "daily"
    assert names(export("daily", "ab", 1), export("hourly", "bc")) == "hourly"


def test_the_one_of_more_accounts_goes_before() -> None:
    assert names(export("part", "ab"), export("whole", "abc", 1)) == "whole"
    assert names(export("part", "ab"), export("other", "bcd", 1)) == "other"
    assert names(export("a", "a"), export("b", "b"), export("whole", "abc", 1)) == "whole"


def test_exports_without_a_common_account_all_count() -> None:
    assert names(export("a", "a"), export("b", "b"), export("cd", "cd", 2)) == "a b cd"


def test_an_export_that_does_not_count_holds_no_other_down() -> None:
    chain = export("ab", "ab"), export("bc", "bc", 1), export("cd", "cd", 2)
    assert names(*chain) == "ab cd"
    assert names(*chain, export("abx", "abx", 3)) == "abx cd"
    assert names(*chain, export("bcx", "bcx", 3)) == "bcx"


def test_one_that_fell_silent_gives_way_to_one_that_names_no_fewer() -> None:
    old = export("old", "ab", 0, 5)
    assert names(old, export("new", "ab", 1, 7.9)) == "old"
    assert names(old, export("new", "ab", 1, 8)) == "new"
    assert names(old, export("new", "bc", 1, 8)) == "new"
    assert names(old, export("new", "a", 1, 8)) == "old", "a part never replaces the whole"
    assert names(old, export("new", "cd", 1, 8)) == "new old", "about other accounts"


def test_of_three_that_are_silent_in_turn_the_first_that_still_speaks_counts() -> None:
    assert names(export("a", "x", 0, 0), export("b", "x", 1, 2), export("c", "x", 2, 4)) == "b"


def test_of_none_none_counts() -> None:
    assert counted_bills([]) == []


@given(st.data(), exports())
def test_the_order_does_not_matter(data: st.DataObject, bills: list[ExportBill]) -> None:
    shuffled = data.draw(st.permutations(bills))
    assert counted_bills(shuffled) == counted_bills(bills)


@given(exports())
def test_no_account_counts_twice_and_who_does_not_count_has_a_rival(
    bills: list[ExportBill],
) -> None:
    counted = counted_bills(bills)
    taken = [account for bill in counted for account in bill.accounts]
    assert len(taken) == len(set(taken))
    assert all(bill in counted or bill.accounts & set(taken) for bill in bills)

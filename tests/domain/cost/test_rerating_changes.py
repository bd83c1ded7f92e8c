"""What a change of prices does to the sums, and what an approval of it stands for."""

from datetime import date

import numpy as np
import pytest

from tensorcost.domain.cost.rerating import Bools, Repriced
from tensorcost.domain.cost.rerating_changes import (
    ChangeKey,
    ChangeKind,
    Changes,
    ChangeSum,
    HeldRows,
)

OCTOBER = date(2026, 10, 1)
NOVEMBER = date(2026, 11, 1)
NAMES = [("bedrock", "a"), ("bedrock", "b")]
REPRICED = Repriced(
    old_nano=np.array([5, 5, 0, 0, 5]),
    old_priced=np.array([True, True, False, False, True]),
    new_nano=np.array([5, 7, 7, 0, 0]),
    new_priced=np.array([True, True, True, False, False]),
)
"""Equal, dearer, newly priced, still unpriced, losing its price."""
NONE = np.zeros(5, dtype=np.bool_)


def held(*, beside: Bools = NONE, billed: Bools = NONE) -> HeldRows:
    """Rows of 1 to 5 requests, two of model a and three of b."""
    return HeldRows(np.array([0, 0, 1, 1, 1]), np.array([1, 2, 3, 4, 5]), REPRICED, beside, billed)


def one(model_id: str, kind: ChangeKind, rows: HeldRows) -> ChangeSum:
    """What October's rows of a model change by."""
    changes = Changes()
    changes.add(OCTOBER, NAMES, rows)
    return changes.sums[ChangeKey(OCTOBER, "bedrock", model_id, kind)]


def test_changes_are_added_up_by_month_model_and_kind() -> None:
    changes = Changes()
    for _ in range(2):
        changes.add(OCTOBER, NAMES, held())
    changes.add(NOVEMBER, NAMES, held())
    key = ChangeKey(OCTOBER, "bedrock", "a", ChangeKind.CHANGED)
    assert changes.sums[key] == ChangeSum(2, 4, 10, 14)
    lost = ChangeKey(OCTOBER, "bedrock", "b", ChangeKind.CHANGED)
    assert changes.sums[lost] == ChangeSum(2, 10, 10, 0, unpriced_rows=2)
    new = ChangeKey(OCTOBER, "bedrock", "b", ChangeKind.NEWLY_PRICED)
    assert changes.sums[new] == ChangeSum(2, 6, 0, 14)
    waiting = changes.total([NOVEMBER], approved=True)
    assert (waiting.rows, waiting.delta_nano, waiting.totals_nano) == (4, -6, -6)
    assert changes.total([NOVEMBER], approved=False).rows == 2 + 3


@pytest.mark.parametrize(
    ("model_id", "kind", "unpriced"),
    [
        ("a", ChangeKind.CHANGED, 0),
        ("b", ChangeKind.CHANGED, 1),
        ("b", ChangeKind.NEWLY_PRICED, 0),
    ],
)
def test_a_row_beside_a_finer_one_is_written_and_in_no_amount(
    model_id: str, kind: ChangeKind, unpriced: int
) -> None:
    found = one(model_id, kind, held(beside=~NONE))
    assert found == ChangeSum(rows=1, unpriced_rows=unpriced, beside_rows=1)


@pytest.mark.parametrize(
    ("model_id", "kind", "delta"),
    [
        ("a", ChangeKind.CHANGED, 2),
        ("b", ChangeKind.CHANGED, -5),
        ("b", ChangeKind.NEWLY_PRICED, 7),
    ],
)
def test_on_a_billed_day_only_the_drift_moves(model_id: str, kind: ChangeKind, delta: int) -> None:
    found = one(model_id, kind, held(billed=~NONE))
    assert (found.delta_nano, found.drift_nano, found.totals_nano) == (delta, delta, 0)


def test_an_approval_stands_for_what_needs_it_alone() -> None:
    def digest(**changed: ChangeSum) -> str:
        sums = {
            ChangeKey(OCTOBER, "bedrock", "a", ChangeKind.CHANGED): ChangeSum(1, 1, 5, 7),
            ChangeKey(OCTOBER, "bedrock", "a", ChangeKind.NEWLY_PRICED): ChangeSum(1, 1, 0, 7),
            ChangeKey(NOVEMBER, "bedrock", "a", ChangeKind.CHANGED): ChangeSum(1, 1, 5, 7),
        }
        names = dict(zip(("waits", "new", "runs"), sums, strict=True))
        sums |= {names[name]: found for name, found in changed.items()}
        return Changes(sums).digest([NOVEMBER])

    other = ChangeSum(1, 1, 5, 8)
    assert digest() == digest(new=other) == digest(runs=other) != digest(waits=other)


@pytest.mark.parametrize("part", ["beside", "billed"])
def test_an_approval_stands_for_how_the_rows_count_too(part: str) -> None:
    def digest(**flags: Bools) -> str:
        changes = Changes()
        changes.add(OCTOBER, NAMES, held(**flags))
        return changes.digest([NOVEMBER])

    dearer = np.array([False, True, False, False, False])
    assert digest() == digest() != digest(**{part: dearer})

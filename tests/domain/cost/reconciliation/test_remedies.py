"""Every class of gap is explained, and unlogged money by what keeps it from being attributed."""

import pytest

from tensorcost.domain.cost.reconciliation.day import reconcile_day
from tensorcost.domain.cost.reconciliation.facts import Billed, Gap, GapClass, Logged
from tensorcost.domain.cost.reconciliation.remedies import EXPLANATIONS, Explanation, explain
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tests.domain.cost.reconciliation.days import CELL, USD, line, row

UNNAMED = CELL._replace(model_id="")


@pytest.mark.parametrize("gap_class", GapClass)
def test_every_class_is_explained_to_both_readers(gap_class: GapClass) -> None:
    known = explain(gap_class, {})
    assert known == EXPLANATIONS[gap_class]
    assert known.meaning.endswith(".")
    assert known.remedy.endswith(".")


def unlogged(billed: list[Billed], logged: list[Logged]) -> Explanation:
    """What is said of the unlogged money of a day, from the evidence that the rules leave."""
    found: list[Gap] = [
        gap for gap in reconcile_day(billed, logged).gaps if gap.gap_class is GapClass.UNLOGGED
    ]
    return explain(GapClass.UNLOGGED, found[0].evidence)


@pytest.mark.parametrize(
    ("billed", "logged", "says", "leaves_out"),
    [
        ([line(USD, 100)], [], ["switch model invocation logging on"], ["Batch", "Some calls"]),
        ([line(USD, 100)], [row(40, 1)], ["Some calls are logged"], ["Nothing at all"]),
        (
            [line(USD, 100, service_tier=ServiceTier.BATCH)],
            [],
            ["batch jobs are never logged"],
            ["switch model invocation logging on"],
        ),
        (
            [line(USD, 100, service_tier=ServiceTier.BATCH), line(USD, 100)],
            [],
            ["batch jobs", "switch model invocation logging on"],
            [],
        ),
        ([line(USD, 3, kind=None)], [], ["Not sold by the token"], ["switch model", "the hour"]),
        (
            [line(USD, 3, kind=None, unit="hrs", cell=UNNAMED)],
            [],
            ["billed by the hour"],
            ["Not sold by", "names no model", "switch model"],
        ),
        (
            [line(USD, 3, kind=None, unit="hrs", cell=UNNAMED), line(USD, 3, cell=UNNAMED)],
            [],
            ["billed by the hour", "names no model"],
            ["Not sold by", "switch model"],
        ),
        (
            [
                line(USD, 3, kind=None, unit="hrs", cell=UNNAMED),
                line(USD, 3, kind=None, unit="images", cell=UNNAMED),
            ],
            [],
            ["billed by the hour", "Not sold by", "names no model"],
            ["switch model"],
        ),
        ([line(USD, 3, cell=UNNAMED)], [], ["names no model"], ["switch model"]),
    ],
)
def test_unlogged_money_has_the_remedy_of_its_cause(
    billed: list[Billed], logged: list[Logged], says: list[str], leaves_out: list[str]
) -> None:
    remedy = unlogged(billed, logged).remedy
    assert all(text in remedy for text in says), remedy
    assert not any(text in remedy for text in leaves_out), remedy


def test_drift_names_the_price_that_was_taken() -> None:
    (drift,) = (
        gap
        for gap in reconcile_day(
            [line(3 * USD, 1_000, routing_scope=RoutingScope.GEO)],
            [row(1_000, 2 * USD, routing_scope=RoutingScope.GEO)],
        ).gaps
        if gap.gap_class is GapClass.PRICE_DRIFT
    )
    remedy = explain(drift.gap_class, drift.evidence, drift.cell).remedy
    key = f"model {CELL.model_id}, region {CELL.region}, routing scope geo, service tier standard"
    assert f"{key}, token kind input." in remedy
    assert f"a price map writes the model as us.{CELL.model_id}." in remedy
    assert remedy.startswith(explain(drift.gap_class, drift.evidence).remedy)
    assert explain(drift.gap_class, {}, UNNAMED) == EXPLANATIONS[drift.gap_class]

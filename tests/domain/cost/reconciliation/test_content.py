"""The hash of a day changes with everything that the day says, and with nothing else."""

from dataclasses import replace

from tensorcost.domain.cost.reconciliation.content import RULES, content_hash
from tensorcost.domain.cost.reconciliation.day import reconcile_day
from tensorcost.domain.cost.reconciliation.facts import DayResult, LineClass, Unpriced
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Grain, RoutingScope, ServiceTier
from tests.domain.cost.reconciliation.days import CELL, USD, line, row

OTHER = CELL._replace(model_id="acme.new-model")


def _day() -> DayResult:
    return reconcile_day([line(3 * USD, 1_000)], [row(400, 1_200_000)])


def test_a_rerun_has_the_same_hash() -> None:
    assert content_hash(_day()) == content_hash(_day())
    assert len(content_hash(_day())) == 16


def test_every_part_of_a_day_counts() -> None:
    day = _day()
    allocation, cell, gap = day.allocations[0], day.cells[0], day.gaps[0]
    others = [
        DayResult((), (), ()),
        replace(day, allocations=(allocation._replace(actor_id=9), *day.allocations[1:])),
        replace(day, cells=(replace(cell, requests=9),)),
        replace(day, gaps=(replace(gap, evidence={**gap.evidence, "rows": 9}), *day.gaps[1:])),
        replace(day, gaps=()),
        replace(day, unpriced=(Unpriced(6, 0, Grain.REQUEST, 2, 8),)),
    ]
    assert len({content_hash(other) for other in (day, *others)}) == 1 + len(others)


def test_the_order_in_which_evidence_was_found_does_not_count() -> None:
    day = _day()
    gaps = [replace(g, evidence=dict(reversed(list(g.evidence.items())))) for g in day.gaps]
    assert content_hash(replace(day, gaps=tuple(gaps))) == content_hash(day)


def test_the_rules_have_another_name_when_a_known_day_says_something_else() -> None:
    """A new hash here means new rules: rename RULES, or no day is reconciled by them."""
    lines = [
        line(3 * USD, 1_000),
        line(USD, 70, dim_id=901, service_tier=ServiceTier.BATCH),
        line(USD // 3, 9, dim_id=902, kind=TokenKind.OUTPUT, routing_scope=RoutingScope.GLOBAL),
        line(USD // 7, dim_id=903, line_class=LineClass.TAX, kind=None, unit=""),
        line(5 * USD, dim_id=904, kind=None, unit="hours", service_tier=ServiceTier.PROVISIONED),
        line(-USD, dim_id=905, kind=None, unit="hours", is_negation=True),
    ]
    rows = [
        row(400, 1_200_000),
        row({TokenKind.INPUT: 900, TokenKind.OUTPUT: 7}, 2_805_001, dim_id=2, actor_id=4),
        row(11, 0, dim_id=3, unpriced_requests=1, rates={}),
        row(5_000, 15_000_000, dim_id=4, grain=Grain.METRIC),
        row(60, 180_000, dim_id=5, service_tier=ServiceTier.PROVISIONED),
        row(8, dim_id=6, cell=OTHER, unpriced_requests=2, unpriced_tokens=8, rates={}),
    ]
    known = {"rules-3": "620d62975a474ed7cae0e5e4d8a437d4"}
    assert known[RULES] == content_hash(reconcile_day(lines, rows)).hex()

"""The hash of a day changes with everything that the day says, and with nothing else."""

from dataclasses import replace

from tensorcost.domain.cost.reconciliation.content import content_hash
from tensorcost.domain.cost.reconciliation.day import reconcile_day
from tensorcost.domain.cost.reconciliation.facts import DayResult
from tests.domain.cost.reconciliation.days import USD, line, row


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
    ]
    assert len({content_hash(other) for other in (day, *others)}) == 1 + len(others)


def test_the_order_in_which_evidence_was_found_does_not_count() -> None:
    day = _day()
    gaps = [replace(g, evidence=dict(reversed(list(g.evidence.items())))) for g in day.gaps]
    assert content_hash(replace(day, gaps=tuple(gaps))) == content_hash(day)

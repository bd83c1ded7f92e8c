"""Usage without a list price: on the bill it has an amount, beside it none, and never zero."""

import pytest

from tensorcost.domain.cost.reconciliation.day import reconcile_day
from tensorcost.domain.cost.reconciliation.facts import (
    Billed,
    GapClass,
    LineClass,
    Logged,
    Money,
    Unpriced,
)
from tensorcost.domain.cost.reconciliation.links import (
    PROBABLE_LINES,
    PROBABLE_MODELS,
    PROBABLE_NANO,
    find_links,
    tell_links,
)
from tensorcost.domain.cost.reconciliation.remedies import (
    EXPLANATIONS,
    UNPRICED_EXCESS,
    explain,
    explain_places,
)
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import Grain
from tests.domain.cost.reconciliation.days import CELL, USD, attributed, gap_of, left, line, row

LUMEN = CELL._replace(model_id="stellar.lumen-large-v1:0")
UNNAMED = CELL._replace(model_id="")


def unpriced(tokens: int, requests: int = 3, **parts: object) -> Logged:
    values = {"cell": LUMEN, "rates": {}, "requests": requests, "unpriced_tokens": tokens}
    return row(tokens, 0, **{**values, "unpriced_requests": requests, **parts})


def unnamed(nano: int, tokens: int = 0, **parts: object) -> Billed:
    return line(nano, tokens, **{"cell": UNNAMED, **parts})


def test_without_a_line_of_the_bill_it_stays_unpriced() -> None:
    result = reconcile_day([line(USD, 100)], [row(100, USD), unpriced(70, dim_id=7)])
    assert result.unpriced == (Unpriced(7, 0, Grain.REQUEST, 3, 70),)
    evidence = gap_of(result, GapClass.EXCESS).evidence
    assert (evidence["hints"], evidence["unpriced_requests"]) == ("no_list_price", 3)
    assert explain(GapClass.EXCESS, evidence) == UNPRICED_EXCESS


@pytest.mark.parametrize("nano", [USD, 0], ids=["a dollar", "free of charge"])
def test_with_a_line_of_the_bill_it_costs_what_is_billed(nano: int) -> None:
    billed = [line(nano, 70, cell=LUMEN)]
    result = reconcile_day(billed, [unpriced(70, dim_id=7)])
    assert result.unpriced == ()
    assert attributed(result) == ({(7, 0): nano} if nano else {})


def test_what_has_no_tokens_stays_unpriced_too() -> None:
    result = reconcile_day([], [unpriced(0, requests=2)])
    assert result.unpriced == (Unpriced(1, 0, Grain.REQUEST, 2, 0),)
    assert gap_of(result, GapClass.EXCESS).money == Money()


def test_a_part_with_a_price_is_told_beside() -> None:
    result = reconcile_day([], [row(5, 40, dim_id=1, cell=LUMEN), unpriced(70, dim_id=7)])
    gap = gap_of(result, GapClass.EXCESS)
    assert (gap.money.unblended, gap.evidence["hints"]) == (-40, "listed_too,no_list_price")
    known = explain(GapClass.EXCESS, gap.evidence)
    assert EXPLANATIONS[GapClass.EXCESS].meaning in known.meaning
    assert UNPRICED_EXCESS.meaning in known.meaning


def test_excess_that_has_a_price_is_explained_as_before() -> None:
    gap = gap_of(reconcile_day([], [row(5, 40)]), GapClass.EXCESS)
    assert "hints" not in gap.evidence
    assert explain(GapClass.EXCESS, gap.evidence) == EXPLANATIONS[GapClass.EXCESS]


def test_a_month_tells_of_what_has_no_price_as_its_places_do() -> None:
    unknown, listed = {"hints": "no_list_price"}, {"row_tiers": "standard"}
    both = {"hints": "listed_too,no_list_price"}
    assert explain_places(GapClass.EXCESS, [unknown, unknown]) == UNPRICED_EXCESS
    assert explain_places(GapClass.EXCESS, [listed]) == EXPLANATIONS[GapClass.EXCESS]
    for places in ([listed, unknown], [both]):
        assert explain_places(GapClass.EXCESS, places) == explain(GapClass.EXCESS, both)
    assert explain_places(GapClass.EXCESS, []) == EXPLANATIONS[GapClass.EXCESS]
    assert explain_places(GapClass.UNLOGGED, [unknown]) == EXPLANATIONS[GapClass.UNLOGGED]


def test_lines_without_a_model_are_named_beside_calls_without_a_line() -> None:
    billed = [
        unnamed(7, 70, dim_id=905),
        unnamed(9, 30, dim_id=906, kind=TokenKind.OUTPUT),
        unnamed(100, dim_id=907, kind=None, unit="hours"),
        unnamed(100, 10, dim_id=908, line_class=LineClass.TAX),
        unnamed(100, 10, dim_id=909, cell=UNNAMED._replace(region="eu-west-1")),
    ]
    result = reconcile_day(billed, [unpriced(70)])
    links = find_links(billed, result)
    names = {905: ["Lumen-input-tokens"], 906: ["Lumen-output-tokens"], 907: ["ModelUnits"]}
    told = tell_links(result, links, names)
    sides = [g for g in told.gaps if PROBABLE_LINES in g.evidence]
    assert [(g.cell, g.gap_class) for g in sides] == [
        (UNNAMED, GapClass.UNLOGGED),
        (LUMEN, GapClass.EXCESS),
    ]
    nameless, unbilled = sides
    assert nameless.evidence[PROBABLE_MODELS] == LUMEN.model_id
    assert "probably bill them" in explain(GapClass.UNLOGGED, nameless.evidence).remedy
    assert unbilled.evidence[PROBABLE_LINES] == "Lumen-input-tokens,Lumen-output-tokens"
    assert unbilled.evidence[PROBABLE_NANO] == 16
    assert (told.allocations, told.cells) == (result.allocations, result.cells)


@pytest.mark.parametrize(
    ("billed", "logged"),
    [
        ([unnamed(7, 70)], [row(70, 40, cell=LUMEN)]),
        ([unnamed(7, 70)], [unpriced(70, cell=CELL._replace(region="eu-west-1"))]),
        ([unnamed(7, 70), line(7, 70, cell=LUMEN)], [unpriced(70)]),
        ([unnamed(7, 1, kind=None)], [unpriced(70)]),
        ([unnamed(7, 70, currency="EUR")], [unpriced(70)]),
    ],
    ids=["priced", "another region", "billed by name", "not by token", "another currency"],
)
def test_nothing_else_is_linked(billed: list[Billed], logged: list[Logged]) -> None:
    assert find_links(billed, reconcile_day(billed, logged)) == {}


def test_a_negation_without_its_usage_lowers_nobody_and_says_so() -> None:
    alone = line(-5, dim_id=905, is_negation=True)
    result = reconcile_day([line(10, 100), alone], [row(40, 4, requests=0)])
    assert attributed(result) == {(1, 0): 4}
    assert left(result) == {900: 6, 905: -5}
    evidence = gap_of(result, GapClass.UNLOGGED).evidence
    assert evidence["hints"] == "fewer_rows,negation_without_usage"
    assert "covered usage is not on this day's bill" in explain(GapClass.UNLOGGED, evidence).remedy

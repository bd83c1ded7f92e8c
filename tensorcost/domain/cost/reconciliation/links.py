"""Which lines without a model probably bill the calls that no line names. Nothing is moved by it:
one model may be billed under another name, and the name alone does not prove it."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from tensorcost.domain.cost.reconciliation.coverage import Place
from tensorcost.domain.cost.reconciliation.facts import (
    Billed,
    DayResult,
    Gap,
    GapClass,
    LineClass,
)
from tensorcost.domain.cost.reconciliation.ledger import ESTIMATE_CURRENCY
from tensorcost.domain.cost.reconciliation.settling import NO_PRICE

PROBABLE_LINES: Final = "probable_lines"
"""Evidence: usage types of the lines, on both sides of the link."""
PROBABLE_NANO: Final = "probable_lines_unblended_nano"
PROBABLE_MODELS: Final = "probable_models"
_MOST_NAMES: Final = 10


@dataclass(frozen=True, slots=True)
class Link:
    """One account and region of a day: models that nothing bills, lines that name no model."""

    models: Collection[str]
    lines: Sequence[Billed]


def find_links(billed: Sequence[Billed], result: DayResult) -> dict[Place, Link]:
    """Places where tokens were logged without a price and a line, and others billed without a
    model. ``result`` is what the lines were reconciled to."""
    models: dict[Place, set[str]] = defaultdict(set)
    for gap in result.gaps:
        if _names_model(gap):
            models[gap.cell.account_id, gap.cell.region].add(gap.cell.model_id)
    if not models:
        return {}
    lines: dict[Place, list[Billed]] = defaultdict(list)
    for line in billed:
        place = (line.cell.account_id, line.cell.region)
        if place in models and _names_none(line):
            lines[place].append(line)
    return {place: Link(models[place], found) for place, found in lines.items()}


def tell_links(
    result: DayResult, links: Mapping[Place, Link], usage_types: Mapping[int, Collection[str]]
) -> DayResult:
    """The result with each link told on both of its sides. ``usage_types``: by dimension."""
    return replace(result, gaps=tuple(_told(gap, links, usage_types) for gap in result.gaps))


def _told(gap: Gap, links: Mapping[Place, Link], usage_types: Mapping[int, Collection[str]]) -> Gap:
    link = links.get((gap.cell.account_id, gap.cell.region))
    if link is None or not (_names_model(gap) or _is_nameless(gap)):
        return gap
    names = {name for line in link.lines for name in usage_types.get(line.dim_id, ())}
    told: dict[str, str | int] = {PROBABLE_LINES: _listed(names)} if names else {}
    if _names_model(gap):
        told[PROBABLE_NANO] = sum(line.money.unblended for line in link.lines)
    else:
        told[PROBABLE_MODELS] = _listed(link.models)
    return replace(gap, evidence={**gap.evidence, **told})


def _listed(names: Collection[str]) -> str:
    return ",".join(sorted(names)[:_MOST_NAMES])


def _names_model(gap: Gap) -> bool:
    hints = str(gap.evidence.get("hints", "")).split(",")
    is_unbilled = gap.gap_class is GapClass.EXCESS and NO_PRICE in hints
    return is_unbilled and bool(gap.cell.model_id) and "unmatched_tokens" in gap.evidence


def _is_nameless(gap: Gap) -> bool:
    is_unlogged = gap.gap_class is GapClass.UNLOGGED and gap.currency == ESTIMATE_CURRENCY
    return is_unlogged and not gap.cell.model_id


def _names_none(line: Billed) -> bool:
    is_usage = line.line_class is LineClass.USAGE and line.currency == ESTIMATE_CURRENCY
    return is_usage and line.kind is not None and not line.cell.model_id

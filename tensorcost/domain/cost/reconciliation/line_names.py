"""Names by which the lines behind a gap are found on the bill, those of the dearest lines first."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final, NamedTuple

from tensorcost.domain.cost.reconciliation.facts import GapClass, LineClass

MOST_NAMES: Final = 10
_APART: Final = {line_class.value: line_class for line_class in LineClass}


class NamedLines(NamedTuple):
    """Lines of a bill that share their names. Names may be empty."""

    usage_type: str
    product_code: str
    line_item_type: str
    invoice_id: str
    size_nano: int
    """Sum of the absolute unblended amounts."""


_EVIDENCE: Final = {
    "usage_types": NamedLines._fields.index("usage_type"),
    "product_codes": NamedLines._fields.index("product_code"),
    "line_item_types": NamedLines._fields.index("line_item_type"),
    "invoice_ids": NamedLines._fields.index("invoice_id"),
}


def lines_of_class(gap_class: GapClass) -> LineClass:
    """What lines a class is about: those of its own class, or else the usage of its place."""
    return _APART.get(gap_class.value, LineClass.USAGE)


def name_lines(lines: Iterable[NamedLines]) -> dict[str, str | int]:
    """Evidence: at most ``MOST_NAMES`` names of each sort, the dearest first, and how many more
    there are (``usage_types_more`` …). Nothing for what no line names."""
    sizes: dict[str, dict[str, int]] = {key: defaultdict(int) for key in _EVIDENCE}
    for line in lines:
        for key, place in _EVIDENCE.items():
            if name := line[place]:
                sizes[key][str(name)] += line.size_nano
    told: dict[str, str | int] = {}
    for key, found in sizes.items():
        ranked = sorted(found, key=lambda name: (-found[name], name))
        if ranked:
            told[key] = ",".join(ranked[:MOST_NAMES])
        if len(ranked) > MOST_NAMES:
            told[f"{key}_more"] = len(ranked) - MOST_NAMES
    return told

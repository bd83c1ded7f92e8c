"""The price whose figure the bill contradicts, named so that it can be imported."""

from collections.abc import Mapping
from typing import Final

from tensorcost.domain.cost.model_names import bedrock_key
from tensorcost.domain.cost.reconciliation.facts import Cell
from tensorcost.domain.spend.facts import RoutingScope

_NAMED: Final = {
    "row_scopes": "routing scope",
    "row_tiers": "service tier",
    "kinds": "token kind",
    "units": "unit",
}


def name_price(cell: Cell, evidence: Mapping[str, str | int]) -> str:
    """The keys under which a price map gives the rows of a ledger's place their price, and every
    part of that price's own key; empty where the place names no model."""
    if not cell.model_id:
        return ""
    parts = [f"model {cell.model_id}", f"region {cell.region or '*'}"]
    parts += [
        f"{name} {str(evidence[key]).replace(',', ' and ')}"
        for key, name in _NAMED.items()
        if evidence.get(key)
    ]
    told = f"The price that holds here: {', '.join(parts)}."
    scopes = [scope for scope in str(evidence.get("row_scopes", "")).split(",") if scope]
    keys = [bedrock_key(cell.model_id, RoutingScope(scope), cell.region) for scope in scopes]
    if written := " and ".join(key for key in keys if key):
        told = f"On Bedrock a price map writes the model as {written}. {told}"
    return (
        f"{told} `tensorcost prices import FILE --tenant … --effective …` tells which stored rows "
        "an override matches."
    )

"""SQL of the members that billed money belongs to in a dimension: never the empty text where the
bill, and not a log, leaves something open."""

from typing import Final

from tensorcost.domain.cost.query import ACTORS, TAGS, GroupBy
from tensorcost.domain.cost.reserved import CHARGES, UNATTRIBUTED, UNCLASSIFIED

_FALLBACKS: Final = {
    GroupBy.MODEL: UNCLASSIFIED,
    **dict.fromkeys((*TAGS, *ACTORS), UNATTRIBUTED),
}
_RESERVED: Final = " ".join(f"WHEN '{share}' THEN '{name}'" for share, name in CHARGES.items())


def share_of(line: str) -> str:
    """SQL of the share, as reconciliation names it, of the bill row of the alias ``line``."""
    return (
        f"CASE WHEN lower({line}.line_item_type) = 'refund' THEN 'refund' "
        f"WHEN {line}.charge_category = 'Tax' THEN 'tax' "
        f"WHEN {line}.charge_category = 'Credit' THEN 'credit' "
        f"WHEN {line}.charge_category = 'Adjustment' THEN 'discount' "
        f"WHEN {line}.charge_category = 'Purchase' THEN 'commitment' "
        f"WHEN NOT {line}.in_scope THEN 'out_of_scope' "
        f"WHEN {line}.currency <> 'USD' THEN 'other_currency' ELSE 'unlogged' END"
    )


def member(group: GroupBy, column: str, *, share: str = "s.share", grain: str = "s.grain") -> str:
    """SQL of the member of ``group`` for money of a share and grain whose row says ``column``."""
    fallback = _FALLBACKS.get(group)
    named = (
        f"CASE WHEN {grain} = 3 AND {column} = '' THEN '{fallback}' ELSE {column} END"
        if fallback
        else column
    )
    return f"CASE {share} {_RESERVED} ELSE {named} END"


def billed_model(bill: str) -> str:
    """SQL of the model that the bill row of the alias ``bill``, beside its ``ai.dimension d``, is
    about, or of the member that its money belongs to: never the empty text."""
    nameless = member(GroupBy.MODEL, "''", share=share_of(bill), grain="3")
    return f"CASE WHEN d.model_id <> '' THEN d.model_id ELSE {nameless} END"

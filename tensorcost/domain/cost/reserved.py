"""Members that a dimension has for billed money that names nothing in it (decisions 3).

In parentheses, which no model id has, so that nobody takes one for a name.
"""

from typing import Final

from tensorcost.domain.cost.reconciliation.facts import Share

UNATTRIBUTED: Final = "(unattributed)"
"""Billed AI usage of which neither a log nor the bill's own tags say whose it was."""
UNCLASSIFIED: Final = "(unclassified)"
"""AI usage of which the bill does not say, in words known here, what it used."""
CHARGES: Final[dict[Share, str]] = {
    Share.TAX: "(tax)",
    Share.CREDIT: "(credit)",
    Share.REFUND: "(refund)",
    Share.DISCOUNT: "(discount)",
    Share.COMMITMENT: "(commitment)",
    Share.OUT_OF_SCOPE: "(out of scope)",
}
"""What is billed besides AI usage: a member of its own in every dimension, whatever its line
names there. Out of scope is what was billed for something other than AI."""
RESERVED: Final = frozenset({UNATTRIBUTED, UNCLASSIFIED, *CHARGES.values()})

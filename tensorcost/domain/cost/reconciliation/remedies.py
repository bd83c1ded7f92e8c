"""What each class of gap means, for whoever pays, and what to do about it, for whoever builds."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from tensorcost.domain.cost.reconciliation.facts import GapClass
from tensorcost.domain.cost.reconciliation.settling import (
    BATCH_NOT_LOGGED,
    FEWER_ROWS,
    NO_ROWS,
    NOT_BY_TOKEN,
    UNKNOWN_MODEL,
)
from tensorcost.domain.spend.facts import ServiceTier


@dataclass(frozen=True, slots=True)
class Explanation:
    """Plain words. ``remedy`` says so where there is nothing to do."""

    meaning: str
    remedy: str


EXPLANATIONS: Final[Mapping[GapClass, Explanation]] = {
    GapClass.UNLOGGED: Explanation(
        "The provider billed usage that none of our rows explains, so nobody can be named.",
        "See the coverage of this account and region: it names the probable cause.",
    ),
    GapClass.EXCESS: Explanation(
        "We logged usage that the bill does not charge for; our estimate of it was too high.",
        "Wait for the month's last delivery. If it stays: look for the same calls from two "
        "sources, or for usage that a free allowance covers.",
    ),
    GapClass.UNPRICED: Explanation(
        "Billed and attributed, but we know no list price, so that there was no estimate.",
        "Import a price of this model that was in force on that day: what is unpriced is then "
        "priced by itself.",
    ),
    GapClass.TIER: Explanation(
        "The bill charges another service tier (standard, batch, flex, priority …) than the "
        "calls named.",
        "Compare the tiers in the evidence with what the application asks for: a request for a "
        "tier that is not available is served, and billed, by another one.",
    ),
    GapClass.SCOPE: Explanation(
        "The bill charges another routing scope (in region, geographic, global) than the calls "
        "named; their prices differ by about a tenth.",
        "Compare the inference profile that the application calls with the scopes in the "
        "evidence, and give the connection the profile where it is not resolved.",
    ),
    GapClass.PRICE_DRIFT: Explanation(
        "Model, tier and scope agree, but the bill's price for a token is not the list price.",
        "Compare the implied price in the evidence with the list price: a private price becomes "
        "an override of yours, a changed list price a new price list.",
    ),
    GapClass.ROUNDING: Explanation(
        "Both sides round: at most a billionth for each request and each line of the bill.",
        "Nothing to do.",
    ),
    GapClass.OUT_OF_SCOPE: Explanation(
        "Charges on the same bill that are not spend on AI.",
        "Nothing to do: they are shown so that everything adds up to the invoice.",
    ),
    GapClass.COMMITMENT: Explanation(
        "Fees for reservations and savings plans, which pay for usage of other days.",
        "Read the amortised basis where the fee is to be spread over its term.",
    ),
    GapClass.DISCOUNT: Explanation(
        "A discount that the provider gives as a line of its own.",
        "Read the net basis where discounts are to be part of each price.",
    ),
    GapClass.CREDIT: Explanation(
        "Credits that the provider set against the bill.",
        "Nothing to do: they lower the invoice, not the use.",
    ),
    GapClass.REFUND: Explanation(
        "Money that came back; it belongs to the month whose invoice it stands on.",
        "Nothing to do. The usage that it is about may lie in an earlier month.",
    ),
    GapClass.TAX: Explanation(
        "Taxes on the invoice.",
        "Nothing to do: no call causes them.",
    ),
    GapClass.OTHER_CURRENCY: Explanation(
        "Usage billed in another currency, which is never added to dollars.",
        "Set the month's exchange rate to have it held against the logs.",
    ),
}
_BY_HINT: Final[Mapping[str, str]] = {
    UNKNOWN_MODEL: "The bill's line names no model that we know: compare its usage type with "
    "the provider's price list, and tell us the name.",
    BATCH_NOT_LOGGED: "Batch jobs are never logged: tell them apart by the tags of their "
    "application inference profiles.",
    NOT_BY_TOKEN: "Not sold by the token (capacity, images, seconds): tag the resource that is "
    "billed, so that its owner is known.",
    FEWER_ROWS: "Some calls are logged and some are not: look for lost or refused log files in "
    "the sync history, and for callers in accounts or regions without logging.",
    NO_ROWS: "Nothing at all is logged here: switch model invocation logging on in this account "
    "and region, or see its coverage for what is in the way.",
}
"""What to do about unlogged money, by its probable cause; the most telling one first."""


def explain(gap_class: GapClass, evidence: Mapping[str, str | int]) -> Explanation:
    """What a class is; of unlogged money with the remedy for each cause that the evidence names."""
    known = EXPLANATIONS[gap_class]
    if gap_class is not GapClass.UNLOGGED:
        return known
    hints = set(str(evidence.get("hints", "")).split(","))
    if not _could_be_logged(hints, evidence):
        hints.discard(NO_ROWS)
    remedies = [remedy for hint, remedy in _BY_HINT.items() if hint in hints]
    return Explanation(known.meaning, " ".join(remedies) or known.remedy)


def _could_be_logged(hints: set[str], evidence: Mapping[str, str | int]) -> bool:
    """False for what no log ever names: there is no switch that would help."""
    if UNKNOWN_MODEL in hints or evidence.get("bill_tiers") == ServiceTier.BATCH:
        return False
    return NOT_BY_TOKEN not in hints or "kinds" in evidence

"""What each class of gap means, for whoever pays, and what to do about it, for whoever builds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from tensorcost.domain.cost.reconciliation.drifted_price import name_price
from tensorcost.domain.cost.reconciliation.facts import Cell, GapClass
from tensorcost.domain.cost.reconciliation.links import PROBABLE_MODELS
from tensorcost.domain.cost.reconciliation.settling import (
    BATCH_NOT_LOGGED,
    FEWER_ROWS,
    NEGATION_ALONE,
    NO_PRICE,
    NO_ROWS,
    NOT_BY_TOKEN,
    PRICED_TOO,
    UNKNOWN_MODEL,
)
from tensorcost.domain.integration import log_remedies
from tensorcost.domain.spend.facts import ServiceTier


@dataclass(frozen=True, slots=True)
class Explanation:
    """Plain words. ``remedy`` says so where there is nothing to do."""

    meaning: str
    remedy: str


EXPLANATIONS: Final[Mapping[GapClass, Explanation]] = {
    GapClass.UNLOGGED: Explanation(
        "The provider billed usage that none of our rows explains, so nobody can be named.",
        "See the coverage of this account and region (`GET /v1/cost/coverage`): it names the "
        "probable cause.",
    ),
    GapClass.EXCESS: Explanation(
        "We logged usage that the bill does not charge for; our estimate of it was too high.",
        "Wait for the month's last delivery. If it stays: look for the same calls from two "
        "sources, or for usage that a free allowance covers.",
    ),
    GapClass.UNPRICED: Explanation(
        "Billed and attributed, but we know no list price, so that there was no estimate.",
        "Import a price of this model that was in force on that day (`tensorcost prices import`): "
        "what is unpriced is then priced by itself.",
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
        "A discount that the provider gives as a line of its own, beside the usage that it lowers.",
        "Nothing to do: it lowers the invoice. An export writes such lines in place of net "
        "amounts, so that they are in every basis, the net one as well. To have discounts within "
        "each price, switch its manual discount compatibility off and select its net columns.",
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
        "Nothing can be set: no exchange rate is kept, so that these lines are never attributed. "
        "Read them under their own currency in the month (`GET /v1/cost/reconciliation/{period}`) "
        "and one by one on the bill (`GET /v1/cost/reconciliation/{period}/lines`).",
    ),
}
UNPRICED_EXCESS: Final = Explanation(
    "We logged usage that no line of the bill names, and we know no list price for it: what it "
    "costs is not known. It is probably billed under another name.",
    "Compare the model with the lines in the evidence, which the bill has for this account, region "
    "and day without a model that we know; without any, see the bill's other regions and days. "
    "Import its price to have it estimated meanwhile (`tensorcost prices import`).",
)
NAMELESS: Final = (
    "The bill's line names no model that we know: compare the usage types in the evidence with the "
    "provider's price list. No setting gives a usage type a model: the money stays here, on its "
    "account and region, until a release of TensorCost knows the name and the month is delivered "
    "anew."
)
BY_HINT: Final[Mapping[str, str]] = {
    NEGATION_ALONE: "A negation of a savings plan whose covered usage is not on this day's bill: "
    "look for rows of the delivery that were refused.",
    UNKNOWN_MODEL: NAMELESS,
    BATCH_NOT_LOGGED: log_remedies.BATCH_JOBS,
    NOT_BY_TOKEN: "Not sold by the token (capacity, images, seconds): tag the resource that is "
    "billed, so that its owner is known.",
    FEWER_ROWS: "Some calls are logged and some are not: look for lost or refused log files in "
    "the sync history, and for callers in accounts or regions without logging.",
    NO_ROWS: "Nothing at all is logged here: switch model invocation logging on in this account "
    "and region, or see its coverage for what is in the way.",
}
"""What to do about unlogged money, by its probable cause; the most telling one first."""
BY_THE_HOUR: Final = (
    "Capacity billed by the hour (GPU machines, provisioned throughput): no call names it. Tag the "
    "machine or the reservation with its owner and activate the tag for cost allocation; what it "
    "costs then stands under that owner (`GET /v1/cost/by-tag`). The evidence names the machines "
    "by their usage types."
)
_HOURS: Final = frozenset({"hr", "hrs", "hour", "hours"})
PROBABLY_LOGGED: Final = (
    "The models in the evidence were called here on this day, and no line names them: these lines "
    "probably bill them."
)


def explain(
    gap_class: GapClass, evidence: Mapping[str, str | int], cell: Cell | None = None
) -> Explanation:
    """What a class is; of unlogged money with the remedy for each cause that the evidence names,
    of excess with what is known where some of it has no list price, of drift with the price of
    the ``cell`` where one is given."""
    known = EXPLANATIONS[gap_class]
    if gap_class is GapClass.PRICE_DRIFT and cell is not None:
        told = name_price(cell, evidence)
        return Explanation(known.meaning, f"{known.remedy} {told}".rstrip())
    hints = set(str(evidence.get("hints", "")).split(","))
    if gap_class is GapClass.EXCESS and NO_PRICE in hints:
        return _both(known, UNPRICED_EXCESS) if PRICED_TOO in hints else UNPRICED_EXCESS
    if gap_class is not GapClass.UNLOGGED:
        return known
    if not _could_be_logged(hints, evidence):
        hints.discard(NO_ROWS)
    remedies = []
    if NOT_BY_TOKEN in hints and _is_capacity(evidence):
        remedies.append(BY_THE_HOUR)
        hints -= _said_by_capacity(evidence)
    remedies += [remedy for hint, remedy in BY_HINT.items() if hint in hints]
    if PROBABLE_MODELS in evidence:
        remedies.append(PROBABLY_LOGGED)
    return Explanation(known.meaning, " ".join(remedies) or known.remedy)


def explain_places(gap_class: GapClass, evidence: Iterable[Mapping[str, str | int]]) -> Explanation:
    """What a class of a month is, by the evidence of its places: excess is told as ``explain``
    tells that of one place; other remedies depend on the place."""
    told = [set(str(one.get("hints", "")).split(",")) for one in evidence]
    if gap_class is not GapClass.EXCESS or not told:
        return explain(gap_class, {})
    hints = set().union(*told)
    if any(NO_PRICE not in one for one in told):
        hints.add(PRICED_TOO)
    return explain(gap_class, {"hints": ",".join(hints)})


def _both(first: Explanation, second: Explanation) -> Explanation:
    return Explanation(f"{first.meaning} {second.meaning}", f"{first.remedy} {second.remedy}")


def _units(evidence: Mapping[str, str | int]) -> set[str]:
    return {unit.lower() for unit in str(evidence.get("units", "")).split(",")}


def _is_capacity(evidence: Mapping[str, str | int]) -> bool:
    return bool(_units(evidence) & _HOURS)


def _said_by_capacity(evidence: Mapping[str, str | int]) -> set[str]:
    """Hints that have nothing to add where hours are all that is billed by no token, or at all."""
    if not _units(evidence) <= _HOURS:
        return set()
    return {NOT_BY_TOKEN} if "kinds" in evidence else {NOT_BY_TOKEN, UNKNOWN_MODEL}


def _could_be_logged(hints: set[str], evidence: Mapping[str, str | int]) -> bool:
    """False for what no log ever names: there is no switch that would help."""
    if UNKNOWN_MODEL in hints or evidence.get("bill_tiers") == ServiceTier.BATCH:
        return False
    return NOT_BY_TOKEN not in hints or "kinds" in evidence

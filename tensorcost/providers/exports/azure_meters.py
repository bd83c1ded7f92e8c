"""What an Azure OpenAI meter is called: model, token kind, scope and tier in irregular spelling.

``gpt-4o-mini-0718-Inp-glbl Tokens``, ``gpt 4o mini 0718 cached Inp glbl``, ``5.4 mini Opt Gl``.
A meter whose words are not all understood names no model: its cost stays, unclassified.
"""

import re
from dataclasses import dataclass
from typing import Final

from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier

_SPLIT: Final = re.compile(r"[\s\-_/]+")
_INPUT: Final = frozenset({"inp", "inpt", "input"})
_OUTPUT: Final = frozenset({"out", "outp", "outpt", "opt", "output"})
_CACHED: Final = frozenset({"cached", "cache", "cchd", "cd"})
_SCOPES: Final = {
    **dict.fromkeys(("glbl", "gl", "global"), RoutingScope.GLOBAL),
    **dict.fromkeys(("dz", "dzn", "dzone", "datazone"), RoutingScope.GEO),
    **dict.fromkeys(("rgnl", "regnl", "regional"), RoutingScope.IN_REGION),
}
_TIERS: Final = {
    **dict.fromkeys(("batch", "bch"), ServiceTier.BATCH),
    **dict.fromkeys(("pp", "prty", "priority"), ServiceTier.PRIORITY),
    "flex": ServiceTier.FLEX,
}
_NOISE: Final = frozenset({"tokens", "token", "1k", "1m", "text", "std"})
_MODEL_WORD: Final = re.compile(
    r"gpt\d?|o\d|\d(?:\.\d)?|\d?4o|35|mini|nano|pro|turbo|chat|codex|ada|embedding|large|small|\d{3,4}"
)
_RELEASES: Final = {
    "0125": "0125", "0301": "0301", "0513": "2024-05-13", "0613": "0613", "0718": "2024-07-18",
    "0806": "2024-08-06", "1106": "1106", "1120": "2024-11-20", "1217": "2024-12-17",
    "002": "002",
}  # fmt: skip
"""The release that a meter's month and day stand for; another one leaves the model unnamed."""


@dataclass(frozen=True, slots=True)
class AzureMeter:
    model_id: str = ""
    token_kind: TokenKind | None = None
    scope: RoutingScope = RoutingScope.IN_REGION
    tier: ServiceTier = ServiceTier.STANDARD


def parse_meter(name: str) -> AzureMeter:
    """The meter of a name; without model and kind where a word is not understood."""
    model: list[str] = []
    kind: TokenKind | None = None
    cached, scope, tier = False, RoutingScope.IN_REGION, ServiceTier.STANDARD
    for word in _SPLIT.split(name.strip().lower()):
        if word in _INPUT:
            kind = TokenKind.INPUT
        elif word in _OUTPUT:
            kind = TokenKind.OUTPUT
        elif word in _CACHED:
            cached = True
        elif word in _SCOPES:
            scope = _SCOPES[word]
        elif word in _TIERS:
            tier = _TIERS[word]
        elif word not in _NOISE:
            model.append(word)
    model_id = _model_id(model)
    if kind is None or not model_id:
        return AzureMeter(scope=scope, tier=tier)
    if cached and kind is TokenKind.INPUT:
        kind = TokenKind.CACHED
    return AzureMeter(model_id, kind, scope, tier)


def _model_id(words: list[str]) -> str:
    if not words or not all(_MODEL_WORD.fullmatch(word) for word in words):
        return ""
    last = words[-1]
    if re.fullmatch(r"\d{3,4}", last):
        if last not in _RELEASES:
            return ""
        words = [*words[:-1], _RELEASES[last]]
    if words[0][0].isdigit():
        words = ["gpt", *words]
    return "-".join(words)

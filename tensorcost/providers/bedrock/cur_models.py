"""Model names as bills spell them, to foundation model ids.

A bill names a model by a squashed label (``Claude4.6Sonnet``), by a product name (``Claude
Sonnet 4.6 (Amazon Bedrock Edition)``) or, for newer models, by its API id without version.
All are reduced to letters and digits and looked up; what is not found stays unknown, so that
its cost is kept unclassified and never counted under a guess.
"""

import csv
import re
from importlib.resources import files
from typing import Final

EDITION: Final = "(amazon bedrock edition)"

_CLAUDE: Final = {
    "instant": "anthropic.claude-instant-v1",
    "2": "anthropic.claude-v2",
    "20": "anthropic.claude-v2",
    "21": "anthropic.claude-v2:1",
    "3haiku": "anthropic.claude-3-haiku-20240307-v1:0",
    "3sonnet": "anthropic.claude-3-sonnet-20240229-v1:0",
    "3opus": "anthropic.claude-3-opus-20240229-v1:0",
    "35haiku": "anthropic.claude-3-5-haiku-20241022-v1:0",
    "35sonnet": "anthropic.claude-3-5-sonnet-20240620-v1:0",
    "35sonnetv2": "anthropic.claude-3-5-sonnet-20241022-v2:0",
    "37sonnet": "anthropic.claude-3-7-sonnet-20250219-v1:0",
    "4sonnet": "anthropic.claude-sonnet-4-20250514-v1:0",
    "4opus": "anthropic.claude-opus-4-20250514-v1:0",
    "41opus": "anthropic.claude-opus-4-1-20250805-v1:0",
    "45haiku": "anthropic.claude-haiku-4-5-20251001-v1:0",
    "45sonnet": "anthropic.claude-sonnet-4-5-20250929-v1:0",
    "45opus": "anthropic.claude-opus-4-5-20251101-v1:0",
    "46opus": "anthropic.claude-opus-4-6-v1",
}
"""Version digits, then the class. From 4.6 on ids carry no date and follow from the name."""
_CLAUDE_IDS: Final = frozenset(_CLAUDE.values())
_CLAUDE_NAME: Final = re.compile(r"v?(\d{1,2})?(opus|sonnet|haiku)?(?<!\d)(\d{1,2})?(v2)?")
_FIRST_UNDATED: Final = 4
_LEFT_OUT: Final = re.compile(r"(-instruct|-chat|-text)?(-v\d+|-1(?=:0))?(:\d+)?$")
_API_ID: Final = re.compile(r"[a-z0-9]{2,12}\.[a-z0-9][a-z0-9.:-]+")


def _squash(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _build() -> dict[str, str]:
    """Spellings that follow from the id, then the further names of ``billed_models.csv``."""
    table: dict[str, str] = {}
    further: dict[str, str] = {}
    listing = files("tensorcost.providers.bedrock").joinpath("data/billed_models.csv")
    for row in csv.DictReader(listing.read_text(encoding="utf-8").splitlines()):
        model_id = row["model_id"]
        name = model_id.partition(".")[2]
        for spelling in (model_id, name, _LEFT_OUT.sub("", name), _LEFT_OUT.sub("", model_id)):
            table.setdefault(_squash(spelling), model_id)
        further |= dict.fromkeys(filter(None, row["names"].split("|")), model_id)
    return table | further


_TABLE: Final = _build()


def model_of_name(name: str) -> str:
    """Foundation model id of a billed name, empty when it is not known."""
    label = name.lower().replace(EDITION, "").strip()
    label = label.removesuffix("-mantle")
    if label in _CLAUDE_IDS:
        return label
    squashed = _squash(label)
    if "claude" in squashed:
        return _claude(squashed)
    for spelling in (squashed, squashed.removeprefix("meta"), squashed.removeprefix("amazon")):
        if found := _TABLE.get(spelling):
            return found
    return label if _API_ID.fullmatch(label) and any(c.isalpha() for c in label) else ""


def _claude(squashed: str) -> str:
    """Version digits and class in either order, with an optional ``v2`` at the end."""
    rest = squashed.partition("claude")[2]
    if rest.startswith("instant"):
        return _CLAUDE["instant"]
    parts = _CLAUDE_NAME.fullmatch(rest)
    if parts is None:
        return ""
    version, family = parts[1] or parts[3], parts[2] or ""
    if known := _CLAUDE.get(f"{version}{family}{parts[4] or ''}"):
        return known
    if not family or parts[4] or int(version[0]) < _FIRST_UNDATED:
        return ""
    return f"anthropic.claude-{family}-{'-'.join(version)}"

"""The one table from LiteLLM's price fields to the parts of our price key (decisions 7).

A field is a stem and any number of suffixes: ``cache_creation_input_token_cost`` +
``_above_1hr`` + ``_above_200k_tokens``. Stems name modality and kind, suffixes move the
price to another time to live, context bucket or service tier.
"""

import re
from dataclasses import dataclass
from typing import Final

from tensorcost.domain.cost.price import BASE_CONTEXT, CONTEXT_THRESHOLDS, PriceKind, UnitKind
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import ServiceTier

TEXT: Final = "text"
BY_MODE: Final = ""
"""Modality of unit prices: taken from the entry's ``mode``."""

STEMS: Final[dict[str, tuple[str, PriceKind]]] = {
    "input_cost_per_token": (TEXT, TokenKind.INPUT),
    "output_cost_per_token": (TEXT, TokenKind.OUTPUT),
    "cache_read_input_token_cost": (TEXT, TokenKind.CACHED),
    "input_cost_per_token_cache_hit": (TEXT, TokenKind.CACHED),
    "cache_creation_input_token_cost": (TEXT, TokenKind.CACHE_WRITE_5M),
    "input_cost_per_audio_token": ("audio", TokenKind.INPUT),
    "output_cost_per_audio_token": ("audio", TokenKind.OUTPUT),
    "cache_read_input_audio_token_cost": ("audio", TokenKind.CACHED),
    "cache_creation_input_audio_token_cost": ("audio", TokenKind.CACHE_WRITE_5M),
    "input_cost_per_image_token": ("image", TokenKind.INPUT),
    "output_cost_per_image_token": ("image", TokenKind.OUTPUT),
    "cache_read_input_image_token_cost": ("image", TokenKind.CACHED),
    "input_cost_per_image": (BY_MODE, UnitKind.INPUT_IMAGE),
    "output_cost_per_image": (BY_MODE, UnitKind.OUTPUT_IMAGE),
    "input_cost_per_second": (BY_MODE, UnitKind.INPUT_SECOND),
    "output_cost_per_second": (BY_MODE, UnitKind.OUTPUT_SECOND),
    "input_cost_per_audio_per_second": (BY_MODE, UnitKind.INPUT_AUDIO_SECOND),
    "input_cost_per_video_per_second": (BY_MODE, UnitKind.INPUT_VIDEO_SECOND),
    "output_cost_per_video_per_second": (BY_MODE, UnitKind.OUTPUT_VIDEO_SECOND),
    "input_cost_per_character": (BY_MODE, UnitKind.INPUT_CHARACTER),
    "output_cost_per_character": (BY_MODE, UnitKind.OUTPUT_CHARACTER),
    "input_cost_per_pixel": (BY_MODE, UnitKind.INPUT_PIXEL),
    "output_cost_per_pixel": (BY_MODE, UnitKind.OUTPUT_PIXEL),
    "input_cost_per_query": (BY_MODE, UnitKind.QUERY),
    "input_cost_per_request": (BY_MODE, UnitKind.REQUEST),
    "ocr_cost_per_page": (BY_MODE, UnitKind.PAGE),
}

SUFFIXES: Final[dict[str, tuple[str, str]]] = {
    "_above_1hr": ("ttl", "1h"),
    "_above_128k_tokens": ("context", "above_128k"),
    "_above_200k_tokens": ("context", "above_200k"),
    "_above_272k_tokens": ("context", "above_272k"),
    "_above_512k_tokens": ("context", "above_512k"),
    "_batches": ("tier", ServiceTier.BATCH),
    "_batch_requests": ("tier", ServiceTier.BATCH),
    "_flex": ("tier", ServiceTier.FLEX),
    "_priority": ("tier", ServiceTier.PRIORITY),
}

MODALITY_OF_MODE: Final[dict[str, str]] = {
    "image_generation": "image",
    "image_edit": "image",
    "video_generation": "video",
    "audio_transcription": "audio",
    "audio_speech": "audio",
}

SKIPPED: Final[dict[str, str]] = {
    "output_cost_per_reasoning_token": "reasoning tokens are part of the output tokens",
    "citation_cost_per_token": "citations are not counted by any source",
    "search_context_cost_per_query": "price of a tool, by size of its context",
    "code_interpreter_cost_per_session": "price of a tool",
    "file_search_cost_per_1k_calls": "price of a tool",
    "file_search_cost_per_gb_per_day": "price of storage",
    "vector_store_cost_per_gb_per_day": "price of storage",
    "computer_use_input_cost_per_1k_tokens": "price of a tool",
    "computer_use_output_cost_per_1k_tokens": "price of a tool",
    "annotation_cost_per_page": "price of an option",
    "input_dbu_cost_per_token": "Databricks units, not dollars",
    "output_dbu_cost_per_token": "Databricks units, not dollars",
    "output_db_cost_per_token": "Databricks units, not dollars",
    "tiered_pricing": "a list of ranges that are not our context buckets",
    "input_cost_per_video_per_second_above_8s_interval": "price by length of the clip",
    "input_cost_per_video_per_second_above_15s_interval": "price by length of the clip",
    "output_cost_per_image_premium_image": "price by quality",
    "output_cost_per_image_above_512_and_512_pixels": "price by size",
    "output_cost_per_image_above_512_and_512_pixels_and_premium_image": "price by size",
    "output_cost_per_image_above_1024_and_1024_pixels": "price by size",
    "output_cost_per_image_above_1024_and_1024_pixels_and_premium_image": "price by size",
}

_SUFFIX: Final = re.compile("(" + "|".join(re.escape(s) for s in SUFFIXES) + ")$")
_MONEY: Final = re.compile(r"cost|price|pricing")


@dataclass(frozen=True, slots=True)
class FieldMeaning:
    modality: str
    kind: PriceKind
    context_bucket: str = BASE_CONTEXT
    service_tier: ServiceTier = ServiceTier.STANDARD


def meaning_of(field: str) -> FieldMeaning | None:
    """What a price field means; None where the table does not know it."""
    stem, found = field, {"ttl": "", "context": BASE_CONTEXT, "tier": str(ServiceTier.STANDARD)}
    while stem not in STEMS:
        suffix = _SUFFIX.search(stem)
        if suffix is None:
            return None
        name, value = SUFFIXES[suffix[1]]
        found[name] = value
        stem = stem[: suffix.start()]
    modality, kind = STEMS[stem]
    if found["ttl"]:
        if kind is not TokenKind.CACHE_WRITE_5M:
            return None
        kind = TokenKind.CACHE_WRITE_1H
    return FieldMeaning(modality, kind, found["context"], ServiceTier(found["tier"]))


def is_price_field(field: str) -> bool:
    """Whether a field speaks of money: such a field is mapped, skipped, or reported."""
    return _MONEY.search(field) is not None


if set(CONTEXT_THRESHOLDS) != {BASE_CONTEXT, *(v for n, v in SUFFIXES.values() if n == "context")}:
    raise RuntimeError("the suffix table and the context buckets differ")

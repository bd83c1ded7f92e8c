import pytest

from tensorcost.domain.cost.price import UnitKind
from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import ServiceTier
from tensorcost.providers.price_catalogue.fields import (
    SKIPPED,
    STEMS,
    SUFFIXES,
    FieldMeaning,
    is_price_field,
    meaning_of,
)

STANDARD = ServiceTier.STANDARD


@pytest.mark.parametrize(
    ("field", "meaning"),
    [
        ("input_cost_per_token", FieldMeaning("text", TokenKind.INPUT)),
        ("cache_read_input_token_cost", FieldMeaning("text", TokenKind.CACHED)),
        ("cache_creation_input_token_cost", FieldMeaning("text", TokenKind.CACHE_WRITE_5M)),
        (
            "cache_creation_input_token_cost_above_1hr",
            FieldMeaning("text", TokenKind.CACHE_WRITE_1H),
        ),
        (
            "cache_creation_input_token_cost_above_1hr_above_200k_tokens",
            FieldMeaning("text", TokenKind.CACHE_WRITE_1H, "above_200k"),
        ),
        (
            "cache_creation_input_token_cost_above_200k_tokens_above_1hr",
            FieldMeaning("text", TokenKind.CACHE_WRITE_1H, "above_200k"),
        ),
        (
            "input_cost_per_token_above_272k_tokens_priority",
            FieldMeaning("text", TokenKind.INPUT, "above_272k", ServiceTier.PRIORITY),
        ),
        (
            "output_cost_per_token_batches",
            FieldMeaning("text", TokenKind.OUTPUT, "base", ServiceTier.BATCH),
        ),
        (
            "input_cost_per_token_batch_requests",
            FieldMeaning("text", TokenKind.INPUT, "base", ServiceTier.BATCH),
        ),
        (
            "cache_read_input_token_cost_flex",
            FieldMeaning("text", TokenKind.CACHED, "base", ServiceTier.FLEX),
        ),
        (
            "input_cost_per_token_above_512k_tokens",
            FieldMeaning("text", TokenKind.INPUT, "above_512k"),
        ),
        ("output_cost_per_audio_token", FieldMeaning("audio", TokenKind.OUTPUT)),
        ("output_cost_per_image", FieldMeaning("", UnitKind.OUTPUT_IMAGE)),
        (
            "input_cost_per_image_above_128k_tokens",
            FieldMeaning("", UnitKind.INPUT_IMAGE, "above_128k"),
        ),
    ],
)
def test_a_field_means_what_its_stem_and_suffixes_say(field: str, meaning: FieldMeaning) -> None:
    assert meaning_of(field) == meaning


@pytest.mark.parametrize(
    "field",
    [
        "input_cost_per_token_above_64k_tokens",
        "output_cost_per_token_above_1hr",
        "input_cost_per_token_turbo",
        "cost_per_smile",
    ],
)
def test_a_field_that_the_table_does_not_know_has_no_meaning(field: str) -> None:
    assert is_price_field(field)
    assert meaning_of(field) is None


def test_no_field_is_both_mapped_and_skipped() -> None:
    assert [field for field in SKIPPED if meaning_of(field) is not None] == []
    assert all(is_price_field(field) for field in (*STEMS, *SKIPPED))


def test_two_stems_never_read_as_stem_and_suffix_of_each_other() -> None:
    ambiguous = [a + suffix for a in STEMS for suffix in SUFFIXES if a + suffix in STEMS]
    assert ambiguous == []

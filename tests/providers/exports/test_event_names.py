import pytest

from tensorcost.domain.spend.facts import RoutingScope, ServiceTier, Source
from tensorcost.providers.exports.event_names import call_name, tier_of

HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
ARN = f"arn:aws:bedrock:eu-west-1:111122223333:inference-profile/eu.{HAIKU}"
IN_REGION, GEO, GLOBAL = RoutingScope.IN_REGION, RoutingScope.GEO, RoutingScope.GLOBAL


@pytest.mark.parametrize(
    ("source", "model", "expected"),
    [
        ("bedrock", f"us.{HAIKU}", (Source.BEDROCK, "bedrock", HAIKU, GEO, "")),
        ("bedrock", f"global.{HAIKU}", (Source.BEDROCK, "bedrock", HAIKU, GLOBAL, "")),
        ("bedrock", HAIKU, (Source.BEDROCK, "bedrock", HAIKU, IN_REGION, "")),
        ("bedrock", ARN, (Source.BEDROCK, "bedrock", HAIKU, GEO, ARN)),
        ("bedrock", "anthropic.claude-v2:0:200k",
         (Source.BEDROCK, "bedrock", "anthropic.claude-v2:0", IN_REGION, "")),
        ("", f"bedrock/us.{HAIKU}", (Source.BEDROCK, "bedrock", HAIKU, GEO, "")),
        ("openai", "openai/gpt-4o", (Source.OPENAI_API, "openai", "gpt-4o", GLOBAL, "")),
        ("openai_api", "gpt-4o", (Source.OPENAI_API, "openai", "gpt-4o", GLOBAL, "")),
        ("anthropic_api", "claude-opus-5",
         (Source.ANTHROPIC_API, "anthropic", "claude-opus-5", GLOBAL, "")),
        ("azure_openai", "gpt-4o", (Source.AZURE_OPENAI, "azure_openai", "gpt-4o", IN_REGION, "")),
        ("deepseek", "deepseek/deepseek-chat",
         (Source.OTHER, "deepseek", "deepseek-chat", GLOBAL, "")),
        ("", "openrouter/anthropic/claude-3.5-sonnet",
         (Source.OTHER, "openrouter", "anthropic/claude-3.5-sonnet", GLOBAL, "")),
        ("", "claude-opus-5", (Source.OTHER, "", "claude-opus-5", GLOBAL, "")),
    ],
)  # fmt: skip
def test_source_provider_model_and_scope_of_a_call(
    source: str, model: str, expected: tuple[object, ...]
) -> None:
    assert tuple(call_name(source, "", model, None)) == expected


def test_a_stated_scope_and_provider_win() -> None:
    call = call_name("azure", "partner", "gpt-4o", GLOBAL)
    assert (call.provider, call.scope) == ("partner", GLOBAL)


def test_a_tier_that_we_do_not_know_is_not_taken_for_standard() -> None:
    assert tier_of("") is ServiceTier.STANDARD
    assert tier_of("Default") is ServiceTier.STANDARD
    assert tier_of("batch") is ServiceTier.BATCH
    assert tier_of("lunar") is ServiceTier.UNKNOWN

import pytest

from tensorcost.domain.spend.facts import RoutingScope
from tensorcost.providers.price_catalogue.keys import Listing, NotAModel, listings_of

IN_REGION, GEO, GLOBAL = RoutingScope.IN_REGION, RoutingScope.GEO, RoutingScope.GLOBAL
CLAUDE = "anthropic.claude-sonnet-4-5-20250929-v1:0"


def places(
    key: str, provider: str, *others: str
) -> list[tuple[str, str, RoutingScope, tuple[str, ...]]]:
    found = listings_of(key, provider, {key, *others})
    assert not isinstance(found, NotAModel)
    return [(p.provider, p.model_id, p.scope, p.regions) for p in found]


@pytest.mark.parametrize(
    ("key", "scope", "regions"),
    [
        (CLAUDE, IN_REGION, ("*",)),
        (f"us.{CLAUDE}", GEO, ("us-*", "ca-*")),
        (f"eu.{CLAUDE}", GEO, ("eu-*",)),
        (f"apac.{CLAUDE}", GEO, ("ap-*",)),
        (f"jp.{CLAUDE}", GEO, ("ap-northeast-1", "ap-northeast-3")),
        (f"au.{CLAUDE}", GEO, ("ap-southeast-2", "ap-southeast-4", "ap-southeast-6")),
        (f"us-gov.{CLAUDE}", GEO, ("us-gov-*",)),
        (f"global.{CLAUDE}", GLOBAL, ("*",)),
        (f"bedrock/eu-west-3/{CLAUDE}", IN_REGION, ("eu-west-3",)),
        (f"bedrock/us-gov-west-1/{CLAUDE}", IN_REGION, ("us-gov-west-1",)),
        (f"bedrock/us.{CLAUDE}", GEO, ("us-*", "ca-*")),
        (f"bedrock/invoke/{CLAUDE}", IN_REGION, ("*",)),
    ],
)
@pytest.mark.parametrize("provider", ["bedrock", "bedrock_converse"])
def test_bedrock_keys_name_scope_and_source_region(
    key: str, scope: RoutingScope, regions: tuple[str, ...], provider: str
) -> None:
    assert places(key, provider) == [("bedrock", CLAUDE, scope, regions)]


@pytest.mark.parametrize("model", ["zai.glm-4.7", "openai.gpt-5.1", "qwen.qwen3-32b-v1:0"])
def test_a_vendor_is_not_taken_for_a_routing_prefix(model: str) -> None:
    assert places(model, "bedrock_converse") == [("bedrock", model, IN_REGION, ("*",))]


def test_azure_data_zones_and_global_deployments_are_scopes_of_their_own() -> None:
    assert places("azure/eu/gpt-4o", "azure") == [("azure_openai", "gpt-4o", GEO, ("eu-*",))]
    for name in ("global", "global-standard"):
        assert places(f"azure/{name}/gpt-4o", "azure") == [
            ("azure_openai", "gpt-4o", GLOBAL, ("*",))
        ]


def test_an_azure_key_without_scope_serves_global_only_where_nothing_else_does() -> None:
    assert [p[2] for p in places("azure/gpt-5", "azure")] == [IN_REGION, GLOBAL]
    assert [p[2] for p in places("azure/gpt-5", "azure", "azure/global/gpt-5")] == [IN_REGION]


def test_claude_on_vertex_is_priced_regionally_only_while_regional_costs_the_same() -> None:
    old, new = "vertex_ai/claude-3-5-sonnet@20240620", "vertex_ai/claude-sonnet-4-5@20250929"
    assert [p[2] for p in places(old, "vertex_ai-anthropic_models")] == [GLOBAL, IN_REGION]
    assert [p[2] for p in places(new, "vertex_ai-anthropic_models")] == [GLOBAL]


def test_direct_apis_sell_globally_under_the_name_of_the_model() -> None:
    assert places("gpt-4.1", "openai") == [("openai", "gpt-4.1", GLOBAL, ("*",))]
    assert places("deepseek/deepseek-chat", "deepseek")[0][:2] == ("deepseek", "deepseek-chat")
    nested = places("openrouter/anthropic/claude-3.5-sonnet", "openrouter")
    assert nested[0][:2] == ("openrouter", "anthropic/claude-3.5-sonnet")


@pytest.mark.parametrize(
    ("key", "provider", "reason"),
    [
        ("sample_spec", "one of https://docs.litellm.ai/docs/providers", "not a model"),
        ("nameless", "", "not a model"),
        (f"bedrock/*/1-month-commitment/{CLAUDE}", "bedrock", "commitment"),
        (f"bedrock/us-east-1/6-month-commitment/{CLAUDE}", "bedrock", "commitment"),
        ("1024-x-1024/50-steps/bedrock/amazon.nova-canvas-v1:0", "bedrock", "size"),
        ("azure/hd/1024-x-1024/dall-e-3", "azure", "size"),
        (f"bedrock/moon/base/{CLAUDE}", "bedrock", "unknown form"),
    ],
)
def test_what_is_not_a_price_of_usage_is_left_out_with_its_reason(
    key: str, provider: str, reason: str
) -> None:
    found = listings_of(key, provider, {key})
    assert isinstance(found, NotAModel)
    assert reason in found.reason


def test_the_plainest_name_has_the_lowest_rank() -> None:
    ranks = []
    for key in (CLAUDE, f"bedrock/{CLAUDE}", f"bedrock/invoke/{CLAUDE}"):
        found = listings_of(key, "bedrock", {key})
        assert isinstance(found, tuple)
        assert isinstance(found[0], Listing)
        ranks.append(found[0].rank)
    assert ranks == sorted(set(ranks))

import pytest

from tensorcost.domain.spend.bill import TokenKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.providers.bedrock.cur_regions import split_region
from tensorcost.providers.bedrock.cur_usage import classify_usage

BEDROCK = "AmazonBedrock"
SONNET = "anthropic.claude-sonnet-4-6"
EDITION = "Claude Sonnet 4.6 (Amazon Bedrock Edition)"
NATIVE = [
    ("USE1-Claude4.6Sonnet-input-tokens", TokenKind.INPUT, "in_region", "standard"),
    ("USE1-Claude4.6Sonnet-output-tokens-batch", TokenKind.OUTPUT, "in_region", "batch"),
    ("USE1-Claude4.6Sonnet-input-tokens-flex", TokenKind.INPUT, "in_region", "flex"),
    ("USE1-Claude4.6Sonnet-output-tokens-priority", TokenKind.OUTPUT, "in_region", "priority"),
    (
        "USE1-Claude4.6Sonnet-cache-read-input-token-count-cross-region-global",
        TokenKind.CACHED,
        "global",
        "standard",
    ),
    ("USE1-Claude4.6Sonnet-cache-write-input-token-count", TokenKind.CACHE_WRITE_5M, "in_region",
     "standard"),
    ("USE1-Claude4.6Sonnet-cache-write-1h-input-token-count", TokenKind.CACHE_WRITE_1H,
     "in_region", "standard"),
    ("USE1-Claude4.6Sonnet-input-tokens-cross-region-global-batch", TokenKind.INPUT, "global",
     "batch"),
    ("USE1-Claude4.6Sonnet-text-input-tokens-priority-cross-region-global", TokenKind.INPUT,
     "global", "priority"),
    ("USE1-anthropic.claude-sonnet-4-6-mantle-input-tokens-standard", TokenKind.INPUT,
     "in_region", "standard"),
]  # fmt: skip
MARKETPLACE = [
    ("USE1-MP:USE1_InputTokenCount-Units", TokenKind.INPUT, "in_region", "standard"),
    ("USE1-MP:USE1_OutputTokenCount_Global-Units", TokenKind.OUTPUT, "global", "standard"),
    ("USE1-MP:USE1_CacheReadInputTokenCount-Units", TokenKind.CACHED, "in_region", "standard"),
    ("USE1-MP:USE1_CacheWriteInputTokenCount-Units", TokenKind.CACHE_WRITE_5M, "in_region",
     "standard"),
    ("USE1-MP:USE1_CacheWrite1hInputTokenCount_Global-Units", TokenKind.CACHE_WRITE_1H, "global",
     "standard"),
    ("USE1-MP:USE1_output_tokens_global_standard-Units", TokenKind.OUTPUT, "global", "standard"),
    ("USE1-MP:USE1_cache_write_tokens_1h_global_standard-Units", TokenKind.CACHE_WRITE_1H,
     "global", "standard"),
    ("USE1-MP:USE1_MillionBatchInputTokens-Units", TokenKind.INPUT, "in_region", "batch"),
]  # fmt: skip


@pytest.mark.parametrize(("usage", "kind", "routing", "tier"), NATIVE)
def test_native_usage_types_name_model_kind_routing_and_tier(
    usage: str, kind: TokenKind, routing: str, tier: str
) -> None:
    found = classify_usage(BEDROCK, usage, "", "1K tokens")
    assert (found.provider, found.model_id, found.region) == ("bedrock", SONNET, "us-east-1")
    assert (found.token_kind, found.routing_scope, found.service_tier) == (kind, routing, tier)
    assert (found.scale, found.unit) == (1_000, "tokens")


@pytest.mark.parametrize(("usage", "kind", "routing", "tier"), MARKETPLACE)
@pytest.mark.parametrize("product_code", ["5w8example0code", "AmazonBedrockFoundationModels"])
def test_marketplace_usage_types_are_recognised_under_any_product_code(
    product_code: str, usage: str, kind: TokenKind, routing: str, tier: str
) -> None:
    found = classify_usage(product_code, usage, EDITION, "Units")
    assert (found.provider, found.model_id, found.region) == ("bedrock", SONNET, "us-east-1")
    assert (found.token_kind, found.routing_scope, found.service_tier) == (kind, routing, tier)
    assert (found.scale, found.unit) == (1_000_000, "tokens")


def test_a_marketplace_line_without_product_name_keeps_its_cost_in_scope_without_a_model() -> None:
    found = classify_usage("5w8example0code", "USE1-MP:USE1_InputTokenCount-Units", "", "Units")
    assert (found.in_scope, found.model_id) == (True, "")


@pytest.mark.parametrize(
    "usage",
    ["USE1-Guardrail-AutomatedReasoningPolicyUnitsConsumed", "USE1-SomethingNew-input-tokens", ""],
)
def test_unknown_usage_types_of_bedrock_stay_in_scope_without_a_model(usage: str) -> None:
    found = classify_usage(BEDROCK, usage, "", "")
    assert (found.in_scope, found.model_id) == (True, "")


@pytest.mark.parametrize(
    ("usage", "tier"),
    [
        ("USE1-MP:USE1_Reserved_1Month_InputTPM_Geo-Units", ServiceTier.RESERVED),
        ("USE1-MP:USE1_ProvisionedThroughput_ModelUnits-Units", ServiceTier.PROVISIONED),
    ],
)
def test_commitments_are_no_tokens(usage: str, tier: ServiceTier) -> None:
    found = classify_usage("5w8example0code", usage, EDITION, "Units")
    assert (found.token_kind, found.service_tier, found.unit) == (None, tier, "units")
    assert found.model_id == SONNET


@pytest.mark.parametrize(
    ("unit", "scale"),
    [
        ("1K tokens", 1_000),
        ("1M tokens", 1_000_000),
        ("Million Tokens", 1_000_000),
        ("Tokens", 1),
        ("1000 tokens", 1_000),
        ("", 1_000),
    ],
)
def test_quantities_are_scaled_by_the_pricing_unit(unit: str, scale: int) -> None:
    assert classify_usage(BEDROCK, NATIVE[0][0], "", unit).scale == scale


def test_a_unit_that_cannot_be_scaled_leaves_the_quantity_as_billed() -> None:
    found = classify_usage(BEDROCK, NATIVE[0][0], "", "Furlongs")
    assert (found.token_kind, found.scale, found.unit) == (None, 1, "furlongs")
    assert found.model_id == SONNET


@pytest.mark.parametrize(
    ("product_code", "usage", "provider"),
    [
        ("AmazonEC2", "BoxUsage:p5.48xlarge", "ec2"),
        ("AmazonEC2", "USW2-SpotUsage:g6.xlarge", "ec2"),
        ("AmazonEC2", "EU-UnusedBox:p6-b200.48xlarge", "ec2"),
        ("AmazonEC2", "BoxUsage:m7i.large", ""),
        ("AmazonEC2", "EBS:VolumeUsage.gp3", ""),
        ("AmazonS3", "USE1-TimedStorage-ByteHrs", ""),
        ("vendor1", "USE1-MP:USE1_Seats-Units", ""),
    ],
)
def test_only_gpu_hours_and_models_are_ai_spend(
    product_code: str, usage: str, provider: str
) -> None:
    assert classify_usage(product_code, usage, "", "").provider == provider


def test_a_custom_models_tokens_are_not_taken_for_its_base_models() -> None:
    usage = "USE1-NovaMicro-cache-read-input-token-count-custom-model"
    found = classify_usage(BEDROCK, usage, "", "1K tokens")
    assert (found.model_id, found.token_kind) == ("", TokenKind.CACHED)


def test_a_modality_may_be_part_of_the_models_name_or_not() -> None:
    embedding = classify_usage(BEDROCK, "USE1-TitanEmbeddingsV2-Text-input-tokens", "", "")
    assert embedding.model_id == "amazon.titan-embed-text-v2:0"
    sonic = classify_usage(BEDROCK, "USE1-NovaSonic-speech-input-tokens", "", "")
    assert sonic.model_id == "amazon.nova-sonic-v1:0"


def test_routing_without_a_mark_is_in_region() -> None:
    found = classify_usage(BEDROCK, "USE1-NovaPro-input-tokens-cross-region", "", "")
    assert found.routing_scope is RoutingScope.GEO
    assert classify_usage(BEDROCK, NATIVE[0][0], "", "").routing_scope is RoutingScope.IN_REGION


def test_an_unknown_prefix_is_part_of_the_usage_type() -> None:
    assert split_region("APS3-X") == ("ap-south-1", "X")
    assert split_region("EU-X") == ("eu-west-1", "X")
    assert split_region("ZZZ9-X") == ("", "ZZZ9-X")

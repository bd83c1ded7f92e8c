import pytest

from tensorcost.domain.spend.facts import ModelTier, RoutingScope, ServiceTier
from tensorcost.providers.bedrock.model_id import resolve_model
from tensorcost.providers.bedrock.profiles import (
    ProfileDirectory,
    ProfileEntry,
    routing_of_models,
)
from tests.providers.bedrock.samples import DIRECTORY, PROFILE

IN_REGION, GEO, GLOBAL = RoutingScope.IN_REGION, RoutingScope.GEO, RoutingScope.GLOBAL
HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"


@pytest.mark.parametrize(
    ("raw", "model_id", "routing"),
    [
        (HAIKU, HAIKU, IN_REGION),
        ("anthropic.claude-sonnet-4-6", "anthropic.claude-sonnet-4-6", IN_REGION),
        ("anthropic.claude-v2:1:200k", "anthropic.claude-v2:1", IN_REGION),
        ("amazon.titan-embed-text-v2:0:8k", "amazon.titan-embed-text-v2:0", IN_REGION),
        (f"us.{HAIKU}", HAIKU, GEO),
        (f"eu.{HAIKU}", HAIKU, GEO),
        (f"apac.{HAIKU}", HAIKU, GEO),
        (f"us-gov.{HAIKU}", HAIKU, GEO),
        (f"global.{HAIKU}", HAIKU, GLOBAL),
        (f"arn:aws:bedrock:us-east-1::foundation-model/{HAIKU}", HAIKU, IN_REGION),
        (f"arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.{HAIKU}", HAIKU, GEO),
        (f"arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.{HAIKU}", HAIKU, GLOBAL),
        (PROFILE, "anthropic.claude-sonnet-4-6", GEO),
        ("ab12cd34ef56", "anthropic.claude-sonnet-4-6", GEO),
        ("zai.glm-4.7", "zai.glm-4.7", IN_REGION),
        ("us.zai.glm-4.7", "zai.glm-4.7", GEO),
        ("qwen.qwen3.5-30b", "qwen.qwen3.5-30b", IN_REGION),
    ],
)
def test_every_form_resolves_to_the_foundation_model(
    raw: str, model_id: str, routing: RoutingScope
) -> None:
    found = resolve_model(raw, DIRECTORY)
    assert (found.model_id, found.routing_scope, found.is_resolved) == (model_id, routing, True)
    assert found.raw == raw


@pytest.mark.parametrize(
    "raw",
    [
        "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/zz99zz99zz99",
        "arn:aws:bedrock:us-east-1:111122223333:custom-model/amazon.nova-lite-v1:0/abcdef",
        "arn:aws:bedrock:us-east-1:111122223333:imported-model/abcdef",
        "arn:aws:bedrock:us-east-1:111122223333:prompt-router/abcdef",
        "arn:aws:bedrock:us-east-1:111122223333:default-prompt-router/anthropic.claude:1",
        "not a model",
        "",
        "arn:",
    ],
)
def test_what_only_the_control_plane_can_explain_stays_unresolved_under_its_own_name(
    raw: str,
) -> None:
    found = resolve_model(raw)
    assert (found.model_id, found.is_resolved, found.tier) == (raw, False, ModelTier.UNKNOWN)


def test_an_unknown_routing_prefix_counts_as_geographic_and_is_named() -> None:
    found = resolve_model(f"mars.{HAIKU}")
    assert (found.model_id, found.routing_scope, found.unknown_prefix) == (HAIKU, GEO, "mars")


def test_an_application_profile_brings_its_arn_and_tags() -> None:
    found = resolve_model(PROFILE, DIRECTORY)
    assert found.profile_arn == PROFILE
    assert ("Team", "care-from-tag") in found.profile_tags


def test_a_provisioned_model_is_billed_as_provisioned_known_or_not() -> None:
    arn = "arn:aws:bedrock:us-east-1:111122223333:provisioned-model/pt1"
    entry = ProfileEntry(arn, HAIKU, IN_REGION, service_tier=ServiceTier.PROVISIONED)
    assert resolve_model(arn).service_tier is ServiceTier.PROVISIONED
    known = resolve_model(arn, ProfileDirectory.of([entry]))
    assert (known.model_id, known.service_tier) == (HAIKU, ServiceTier.PROVISIONED)


def test_a_bare_id_that_two_accounts_share_resolves_to_neither() -> None:
    entries = [
        ProfileEntry(f"arn:aws:bedrock:us-east-1:{account}:x/same", HAIKU, IN_REGION)
        for account in ("111122223333", "444455556666")
    ]
    directory = ProfileDirectory.of(entries)
    assert directory.find("same") is None
    assert directory.find(entries[1].arn) == entries[1]


@pytest.mark.parametrize(
    ("model_id", "family", "tier"),
    [
        ("anthropic.claude-opus-4-8", "claude-opus", ModelTier.FLAGSHIP),
        ("anthropic.claude-3-5-sonnet-20241022-v2:0", "claude-sonnet", ModelTier.STANDARD),
        ("amazon.nova-micro-v1:0", "nova", ModelTier.EFFICIENT),
        ("amazon.titan-embed-text-v2:0", "titan-embed", ModelTier.EMBEDDING),
        ("meta.llama3-1-405b-instruct-v1:0", "llama3", ModelTier.FLAGSHIP),
        ("newvendor.model-1", "", ModelTier.UNKNOWN),
    ],
)
def test_family_and_tier_come_from_the_table(model_id: str, family: str, tier: ModelTier) -> None:
    found = resolve_model(model_id)
    assert (found.family, found.tier) == (family, tier)


@pytest.mark.parametrize(
    ("regions", "routing"),
    [
        (["us-east-1"], IN_REGION),
        (["us-east-1", "us-west-2"], GEO),
        (["us-west-2"], GEO),
        (["us-east-1", ""], GLOBAL),
    ],
)
def test_a_profiles_routing_follows_from_the_regions_of_its_models(
    regions: list[str], routing: RoutingScope
) -> None:
    arns = [f"arn:aws:bedrock:{region}::foundation-model/{HAIKU}" for region in regions]
    assert routing_of_models(arns, "us-east-1") is routing

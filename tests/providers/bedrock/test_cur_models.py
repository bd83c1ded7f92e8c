import pytest

from tensorcost.providers.bedrock.cur_models import model_of_name


@pytest.mark.parametrize(
    ("name", "model_id"),
    [
        ("Claude4.6Sonnet", "anthropic.claude-sonnet-4-6"),
        ("Claude Sonnet 4.6 (Amazon Bedrock Edition)", "anthropic.claude-sonnet-4-6"),
        ("Claude3Haiku", "anthropic.claude-3-haiku-20240307-v1:0"),
        ("Claude3.5Sonnet", "anthropic.claude-3-5-sonnet-20240620-v1:0"),
        ("Claude3.5Sonnetv2", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("Claude 3.5 Sonnet v2", "anthropic.claude-3-5-sonnet-20241022-v2:0"),
        ("Claude2.1", "anthropic.claude-v2:1"),
        ("ClaudeInstant", "anthropic.claude-instant-v1"),
        ("Claude4.5Opus", "anthropic.claude-opus-4-5-20251101-v1:0"),
        ("Claude Opus 4.6", "anthropic.claude-opus-4-6-v1"),
        ("Claude Sonnet 5 (Amazon Bedrock Edition)", "anthropic.claude-sonnet-5"),
        ("anthropic.claude-opus-5-mantle", "anthropic.claude-opus-5"),
        (
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
            "anthropic.claude-3-5-sonnet-20241022-v2:0",
        ),
        ("NovaMicro", "amazon.nova-micro-v1:0"),
        ("Nova2.0Lite", "amazon.nova-2-lite-v1:0"),
        ("Llama3-1-70B", "meta.llama3-1-70b-instruct-v1:0"),
        ("Meta Llama 3.1 405B", "meta.llama3-1-405b-instruct-v1:0"),
        ("TitanEmbeddingsG1-Text", "amazon.titan-embed-text-v1"),
        ("gpt-oss-120b", "openai.gpt-oss-120b-1:0"),
        ("openai.gpt-oss-120b-mantle", "openai.gpt-oss-120b-1:0"),
        ("zai.glm-4.7", "zai.glm-4.7"),
        ("Qwen3-32B", "qwen.qwen3-32b-v1:0"),
        ("newvendor.model-9", "newvendor.model-9"),
        ("Guardrail", ""),
        ("Claude (100K)", ""),
        ("Claude 3.9 Sonnet", ""),
        ("", ""),
    ],
)
def test_billed_names_map_to_foundation_ids_or_to_nothing(name: str, model_id: str) -> None:
    assert model_of_name(name) == model_id

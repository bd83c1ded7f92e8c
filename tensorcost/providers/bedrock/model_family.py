"""Family and tier of a foundation model, from its id. A table, read top to bottom."""

import re
from typing import Final

from tensorcost.domain.spend.facts import UNKNOWN, ModelTier

_F, _S, _E = ModelTier.FLAGSHIP, ModelTier.STANDARD, ModelTier.EFFICIENT

_RULES: Final[tuple[tuple[re.Pattern[str], str, ModelTier], ...]] = tuple(
    (re.compile(pattern), family, tier)
    for pattern, family, tier in (
        (r"anthropic\.claude-.*opus", "claude-opus", _F),
        (r"anthropic\.claude-.*sonnet", "claude-sonnet", _S),
        (r"anthropic\.claude-.*haiku", "claude-haiku", _E),
        (r"anthropic\.claude-instant", "claude-instant", _E),
        (r"anthropic\.claude-v", "claude", _F),
        (r"amazon\.nova-.*embed", "nova-embed", ModelTier.EMBEDDING),
        (r"amazon\.nova-(2-)?premier", "nova", _F),
        (r"amazon\.nova-(2-)?pro", "nova", _S),
        (r"amazon\.nova-", "nova", _E),
        (r"amazon\.titan-embed", "titan-embed", ModelTier.EMBEDDING),
        (r"amazon\.titan-text-premier", "titan-text", _F),
        (r"amazon\.titan-text", "titan-text", _E),
        (r"amazon\.titan-image", "titan-image", _S),
        (r"amazon\.rerank", "rerank", ModelTier.EMBEDDING),
        (r"cohere\.embed", "embed", ModelTier.EMBEDDING),
        (r"cohere\.rerank", "rerank", ModelTier.EMBEDDING),
        (r"cohere\.command-r-plus", "command-r", _F),
        (r"cohere\.command-r", "command-r", _S),
        (r"cohere\.command", "command", _S),
        (r"twelvelabs\..*embed|twelvelabs\.marengo", "marengo", ModelTier.EMBEDDING),
        (r"meta\.llama3-.*405b", "llama3", _F),
        (r"meta\.llama3-.*(70b|90b)", "llama3", _S),
        (r"meta\.llama3-", "llama3", _E),
        (r"meta\.llama4-", "llama4", _E),
        (r"meta\.llama2-", "llama2", _E),
        (r"mistral\.mistral-large-2", "mistral", _F),
        (r"mistral\.(mistral-large|pixtral-large|magistral)", "mistral", _S),
        (r"mistral\.", "mistral", _E),
        (r"ai21\.jamba.*mini", "jamba", _E),
        (r"ai21\.jamba", "jamba", _S),
        (r"ai21\.j2", "jurassic", _S),
        (r"deepseek\.", "deepseek", _S),
        (r"openai\.gpt-oss", "gpt-oss", _E),
        (r"openai\.", "gpt", _F),
        (r"qwen\.qwen3.*(235b|480b)", "qwen3", _S),
        (r"qwen\.", "qwen3", _E),
        (r"moonshot(ai)?\.kimi", "kimi", _S),
        (r"minimax\.", "minimax", _E),
        (r"zai\.glm", "glm", _S),
        (r"writer\.palmyra", "palmyra", _S),
        (r"google\.gemma", "gemma", _E),
        (r"nvidia\.nemotron", "nemotron", _E),
        (r"stability\.", "stable-image", _S),
        (r"luma\.", "ray", _S),
    )
)

_MODALITIES: Final = (
    (re.compile(r"stability\.|amazon\.titan-image|amazon\.nova-canvas"), "image"),
    (re.compile(r"luma\.|amazon\.nova-reel"), "video"),
)

TEXT: Final = "text"


def family_and_tier(model_id: str) -> tuple[str, ModelTier]:
    """``("claude-sonnet", STANDARD)``; ``("", UNKNOWN)`` for a model that no rule names."""
    for pattern, family, tier in _RULES:
        if pattern.match(model_id):
            return family, tier
    return UNKNOWN, ModelTier.UNKNOWN


def modality(model_id: str) -> str:
    """What the model is billed by: ``image`` and ``video`` models are not billed by token."""
    for pattern, name in _MODALITIES:
        if pattern.match(model_id):
            return name
    return TEXT

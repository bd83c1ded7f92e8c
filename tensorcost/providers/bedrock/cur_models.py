"""Model names as bills spell them, to foundation model ids.

A bill names a model by a squashed label (``Claude4.6Sonnet``), by a product name (``Claude
Sonnet 4.6 (Amazon Bedrock Edition)``) or, for newer models, by its API id without version.
All are reduced to letters and digits and looked up; what is not found stays unknown, so that
its cost is kept unclassified and never counted under a guess.
"""

import re
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

_IDS: Final = (
    "ai21.jamba-1-5-large-v1:0 ai21.jamba-1-5-mini-v1:0 ai21.jamba-instruct-v1:0 "
    "amazon.nova-micro-v1:0 amazon.nova-lite-v1:0 amazon.nova-pro-v1:0 amazon.nova-premier-v1:0 "
    "amazon.nova-canvas-v1:0 amazon.nova-reel-v1:0 amazon.nova-sonic-v1:0 "
    "amazon.nova-2-lite-v1:0 amazon.nova-2-pro-v1:0 amazon.nova-2-sonic-v1:0 "
    "amazon.titan-embed-text-v1 amazon.titan-embed-text-v2:0 amazon.titan-embed-image-v1 "
    "amazon.titan-image-generator-v1 amazon.titan-image-generator-v2:0 "
    "amazon.titan-text-express-v1 amazon.titan-text-lite-v1 amazon.titan-text-premier-v1:0 "
    "amazon.rerank-v1:0 cohere.command-r-v1:0 cohere.command-r-plus-v1:0 "
    "cohere.command-text-v14 cohere.command-light-text-v14 cohere.embed-english-v3 "
    "cohere.embed-multilingual-v3 cohere.embed-v4:0 cohere.rerank-v3-5:0 deepseek.r1-v1:0 "
    "deepseek.v3-v1:0 deepseek.v3.2 google.gemma-3-4b-it google.gemma-3-12b-it "
    "google.gemma-3-27b-it meta.llama2-13b-chat-v1 meta.llama2-70b-chat-v1 "
    "meta.llama3-8b-instruct-v1:0 meta.llama3-70b-instruct-v1:0 meta.llama3-1-8b-instruct-v1:0 "
    "meta.llama3-1-70b-instruct-v1:0 meta.llama3-1-405b-instruct-v1:0 "
    "meta.llama3-2-1b-instruct-v1:0 meta.llama3-2-3b-instruct-v1:0 "
    "meta.llama3-2-11b-instruct-v1:0 meta.llama3-2-90b-instruct-v1:0 "
    "meta.llama3-3-70b-instruct-v1:0 meta.llama4-maverick-17b-instruct-v1:0 "
    "meta.llama4-scout-17b-instruct-v1:0 minimax.minimax-m2 minimax.minimax-m2.5 "
    "mistral.mistral-7b-instruct-v0:2 mistral.mixtral-8x7b-instruct-v0:1 "
    "mistral.mistral-small-2402-v1:0 mistral.mistral-large-2402-v1:0 "
    "mistral.mistral-large-2407-v1:0 mistral.mistral-large-3-675b-instruct "
    "mistral.ministral-3-3b-instruct mistral.ministral-3-8b-instruct "
    "mistral.ministral-3-14b-instruct mistral.magistral-small-2509 "
    "mistral.pixtral-large-2502-v1:0 mistral.voxtral-mini-3b-2507 "
    "mistral.voxtral-small-24b-2507 moonshot.kimi-k2-thinking nvidia.nemotron-nano-9b-v2 "
    "nvidia.nemotron-nano-12b-v2 openai.gpt-oss-20b-1:0 openai.gpt-oss-120b-1:0 "
    "openai.gpt-oss-safeguard-20b openai.gpt-oss-safeguard-120b "
    "qwen.qwen3-32b-v1:0 qwen.qwen3-235b-a22b-2507-v1:0 qwen.qwen3-coder-30b-a3b-v1:0 "
    "qwen.qwen3-coder-480b-a35b-v1:0 qwen.qwen3-next-80b-a3b qwen.qwen3-vl-235b-a22b "
    "twelvelabs.pegasus-1-2-v1:0 twelvelabs.marengo-embed-2-7-v1:0 writer.palmyra-x4-v1:0 "
    "writer.palmyra-x5-v1:0 zai.glm-4.7 zai.glm-5"
).split()

_OTHER_NAMES: Final = {
    "nova20lite": "amazon.nova-2-lite-v1:0",
    "nova20pro": "amazon.nova-2-pro-v1:0",
    "novasonic20": "amazon.nova-2-sonic-v1:0",
    "titantextg1express": "amazon.titan-text-express-v1",
    "titantextg1lite": "amazon.titan-text-lite-v1",
    "titantextg1premier": "amazon.titan-text-premier-v1:0",
    "titanembeddingsg1text": "amazon.titan-embed-text-v1",
    "titanembeddingsv2text": "amazon.titan-embed-text-v2:0",
    "titantextembeddingsv2": "amazon.titan-embed-text-v2:0",
    "titanembeddingsg1image": "amazon.titan-embed-image-v1",
    "titanimagegeneratorg1": "amazon.titan-image-generator-v1",
    "titanimagegeneratorg1v2": "amazon.titan-image-generator-v2:0",
    "mistral7b": "mistral.mistral-7b-instruct-v0:2",
    "mixtral8x7b": "mistral.mixtral-8x7b-instruct-v0:1",
    "mistralsmall": "mistral.mistral-small-2402-v1:0",
    "mistrallarge": "mistral.mistral-large-2402-v1:0",
    "mistrallarge2402": "mistral.mistral-large-2402-v1:0",
    "mistrallarge2407": "mistral.mistral-large-2407-v1:0",
    "mistrallarge3": "mistral.mistral-large-3-675b-instruct",
    "pixtrallarge": "mistral.pixtral-large-2502-v1:0",
    "commandr": "cohere.command-r-v1:0",
    "commandrplus": "cohere.command-r-plus-v1:0",
    "cohereembed4model": "cohere.embed-v4:0",
    "cohereembed3modelenglish": "cohere.embed-english-v3",
    "cohereembed3modelmultilingual": "cohere.embed-multilingual-v3",
    "coherererankv35": "cohere.rerank-v3-5:0",
    "amazonrerankv1": "amazon.rerank-v1:0",
    "deepseekr1": "deepseek.r1-v1:0",
    "deepseekv31": "deepseek.v3-v1:0",
    "r1": "deepseek.r1-v1:0",
    "kimik2thinking": "moonshot.kimi-k2-thinking",
    "jamba15large": "ai21.jamba-1-5-large-v1:0",
    "jamba15mini": "ai21.jamba-1-5-mini-v1:0",
    "writerpalmyrax4": "writer.palmyra-x4-v1:0",
    "writerpalmyrax5": "writer.palmyra-x5-v1:0",
}
_LEFT_OUT: Final = re.compile(r"(-instruct|-chat|-text)?(-v\d+|-1(?=:0))?(:\d+)?$")
_API_ID: Final = re.compile(r"[a-z0-9]{2,12}\.[a-z0-9][a-z0-9.:-]+")


def _squash(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _build() -> dict[str, str]:
    table: dict[str, str] = {}
    for model_id in _IDS:
        name = model_id.partition(".")[2]
        for spelling in (model_id, name, _LEFT_OUT.sub("", name), _LEFT_OUT.sub("", model_id)):
            table.setdefault(_squash(spelling), model_id)
    return table | _OTHER_NAMES


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

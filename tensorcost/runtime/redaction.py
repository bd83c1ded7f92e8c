"""What never reaches a log line: credentials, and the text that people send to models.

Fields are judged by name, at any depth; texts are searched for the forms that credentials take,
because exception messages and foreign loggers have no field names.
"""

import re
from collections.abc import Mapping
from typing import Final

MASK: Final = "[redacted]"
MAX_DEPTH: Final = 8

_SECRET_NAME: Final = re.compile(
    r"(^|_)("
    r"password|passwd|pwd|passphrase|secret|secrets|token|tokens|jwt|credential|credentials|"
    r"authorization|cookie|cookies|api_?key|access_?key|access_?key_?id|private_?key|external_?id|"
    r"signature|dsn|database_url|redis_url|key_material"
    r")$"
)
_PROMPT_NAME: Final = re.compile(
    r"(^|_)("
    r"prompt|prompts|completion|completions|messages|instructions|input_text|output_text|"
    r"input_body|output_body|input_body_json|output_body_json|request_body|response_body|body|"
    r"content|contents|text|arguments|parameters"
    r")$"
)
# Numbers of tokens are what this product is about; they are not credentials.
_TOKEN_COUNT: Final = re.compile(
    r"(^|_)(input|output|cached|cache_write|cache_write_5m|cache_write_1h|total|prompt|completion|"
    r"max|used|reasoning)_tokens$"
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

_KEPT: Final = r"\g<keep>" + MASK


def _assigned(names: str, unless: str = "") -> re.Pattern[str]:
    return re.compile(
        rf"(?i)(?P<keep>\b[a-z_-]*(?:{names})[a-z_-]*[\"']?\s*[=:]\s*[\"']?)"
        rf"{unless}[^\s&,;\"'}}\])]+"
    )


_FORMS: Final = (
    (re.compile(r"(?P<keep>\b[a-z][a-z0-9+.-]*://[^\s/:@]*):[^\s@]+@"), r"\g<keep>:" + MASK + "@"),
    (re.compile(r"(?i)(?P<keep>\b(?:bearer|basic)\s+)[A-Za-z0-9._~+/=-]{8,}"), _KEPT),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]*"), MASK),
    (re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"\bsk-[A-Za-z0-9_-]{16,}"), MASK),
    (_assigned("password|secret|api[_-]?key|access[_-]?key|signature|external[_-]?id"), _KEPT),
    # A number after "tokens" is a count.
    (_assigned("token|credential", r"(?!\d+\b)"), _KEPT),
)


def is_private_name(name: str) -> bool:
    """Tell whether a field of this name may hold a credential or a model's input or output."""
    snake = _CAMEL.sub("_", name).replace("-", "_").replace(".", "_").lower()
    if _TOKEN_COUNT.search(snake):
        return False
    return bool(_SECRET_NAME.search(snake) or _PROMPT_NAME.search(snake))


def redact_text(text: str) -> str:
    """Return ``text`` with what looks like a credential masked."""
    for pattern, replacement in _FORMS:
        text = pattern.sub(replacement, text)
    return text


def redact(value: object, depth: int = 0) -> object:
    """Return ``value`` with private fields and credentials masked, at any depth."""
    if isinstance(value, str):
        return redact_text(value)
    if value is None or isinstance(value, bool | int | float):
        return value
    return _redact_container(value, depth) if depth < MAX_DEPTH else MASK


def _redact_container(value: object, depth: int) -> object:
    if isinstance(value, Mapping):
        return {
            str(key): MASK if is_private_name(str(key)) else redact(item, depth + 1)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [redact(item, depth + 1) for item in value]
    if isinstance(value, bytes | bytearray | memoryview):
        return MASK
    return redact_text(str(value))

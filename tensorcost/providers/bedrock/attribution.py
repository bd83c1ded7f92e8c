"""Who and what a call was for: request metadata, then profile tags, then the caller's identity.

Request metadata is free text that AWS does not verify: it is bounded in length, characters
and number of distinct values, and never used for authorisation.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final, NamedTuple

from tensorcost.domain.spend.facts import UNKNOWN
from tensorcost.domain.spend.labels import ALIASES
from tensorcost.domain.spend.limits import MAX_LABEL_LENGTH

OVER_LIMIT: Final = "(other)"
"""Stands for a value beyond the cap on distinct values."""


class Label(IntEnum):
    """What a metadata key or a tag may mean; the number is its place in ``Labels.values``."""

    APPLICATION = 0
    TEAM = 1
    ENVIRONMENT = 2
    OWNER = 3
    USER = 4
    AGENT = 5
    WORKFLOW = 6
    CONVERSATION = 7
    SESSION = 8


DEFAULT_ALIASES: Final[Mapping[str, Label]] = {
    **{key: Label[meaning.upper()] for key, meaning in ALIASES.items()},
    **dict.fromkeys(("user", "user_id", "userid"), Label.USER),
    **dict.fromkeys(("agent", "agent_id", "agentid"), Label.AGENT),
    **dict.fromkeys(("workflow", "workflow_id", "workflowid"), Label.WORKFLOW),
    **dict.fromkeys(("conversation_id", "conversation", "conversationid"), Label.CONVERSATION),
    **dict.fromkeys(("session_id", "session", "sessionid"), Label.SESSION),
}


@dataclass(frozen=True, slots=True)
class AttributionRules:
    """How one connection's labels are read.

    ``aliases`` maps a lower-case key, dashes as underscores, to its meaning; ``free_tags`` are
    the further keys that may become tags of the dimension. With
    ``capture_request_metadata`` off nothing of the metadata is kept, ids included.
    """

    capture_request_metadata: bool = True
    aliases: Mapping[str, Label] = field(default_factory=lambda: DEFAULT_ALIASES)
    free_tags: frozenset[str] = frozenset()
    user_from_identity: bool = True
    max_distinct: int = 1_000


class Labels(NamedTuple):
    """Cleaned values by ``Label`` (empty where not given), and free tags sorted by key."""

    values: tuple[str, ...]
    tags: tuple[tuple[str, str], ...] = ()


NO_LABELS: Final = Labels((UNKNOWN,) * len(Label))
_IGNORED: Final = -1
_TAG: Final = len(Label)
_MAX_KNOWN_KEYS: Final = 20_000


class LabelReader:
    """Reads labels from free key-value pairs, remembering what a key means."""

    def __init__(self, rules: AttributionRules) -> None:
        self._rules = rules
        self._known: dict[str, tuple[int, str]] = {}

    def read(self, pairs: Iterable[tuple[str, str | None]], base: Labels = NO_LABELS) -> Labels:
        """Labels of ``pairs``, completed from ``base``; the first key of a meaning wins."""
        values = [UNKNOWN] * _TAG
        tags: dict[str, str] = {}
        known = self._known
        for key, value in pairs:
            place, name = known.get(key) or self._learn(key)
            if place == _IGNORED or not (text := clean_text(value or "")):
                continue
            if place == _TAG:
                tags[name] = text
            elif not values[place]:
                values[place] = text
        if base is not NO_LABELS:
            values = [own or other for own, other in zip(values, base.values, strict=True)]
            tags = dict(base.tags) | tags
        return Labels(tuple(values), tuple(sorted(tags.items())) if tags else ())

    def _learn(self, key: str) -> tuple[int, str]:
        name = key.lower().replace("-", "_")
        label = self._rules.aliases.get(name)
        if label is not None:
            place = int(label)
        else:
            place = _TAG if name in self._rules.free_tags else _IGNORED
        if len(self._known) >= _MAX_KNOWN_KEYS:
            self._known.clear()
        self._known[key] = place, name
        return place, name


def clean_text(value: str, limit: int = MAX_LABEL_LENGTH) -> str:
    """Printable characters only, at most ``limit`` of them, without blanks at the ends."""
    if not value.isprintable():
        value = "".join(c if c.isprintable() else " " for c in value)
    return value.strip()[:limit]


_MACHINE_SESSION: Final = re.compile(
    r"i-[0-9a-f]{8,17}|eks-.*|ecs-.*|[0-9a-f]{32}|[0-9a-f-]{36}|\d{10,}"
    r"|botocore-session-\d+|aws-sdk-.*|AssumeRoleSession|AssumedRoleSession|GitHubActions"
)


def user_of_identity(arn: str) -> str:
    """The person's name in an IAM or STS ARN, else empty.

    A session name that a machine made up (an instance id, a task id) names nobody: calls
    behind a shared role are reported as such, never spread over invented users.
    """
    kind, _, rest = arn.split(":", 5)[-1].partition("/")
    if kind in ("user", "federated-user"):
        return clean_text(rest.rsplit("/", 1)[-1])
    if kind == "assumed-role":
        session = rest.partition("/")[2]
        return UNKNOWN if _MACHINE_SESSION.fullmatch(session) else clean_text(session)
    return UNKNOWN


class DistinctLimiter:
    """Caps the number of distinct values of each label within one object."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._seen: dict[str, set[str]] = {}

    def admit(self, label: str, value: str) -> str:
        """``value``, or ``(other)`` once the label has had its share of distinct values."""
        if not value:
            return value
        seen = self._seen.setdefault(label, set())
        if value in seen:
            return value
        if len(seen) >= self._limit:
            return OVER_LIMIT
        seen.add(value)
        return value

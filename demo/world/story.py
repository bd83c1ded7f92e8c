"""Northwind Robotics: its accounts, its applications and how each of them calls Bedrock."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum

PAYER, PROD, RESEARCH, ACQUIRED = "111122223333", "222233334444", "333344445555", "444455556666"
DATA, EMEA, SANDBOX = "555566667777", "666677778888", "777788889999"
BACKEND = "900000000001"
ORGANIZATION = "o-demo0world"
JUMP_ROLE = "OrganizationAccountAccessRole"
EXTERNAL_ID = "tc-demo-4f7a9c21"
READER_ROLE = f"TensorCost-BedrockReader-{EXTERNAL_ID}"
ACCOUNT_NAMES = {
    PAYER: "northwind-payer",
    PROD: "northwind-prod",
    RESEARCH: "northwind-research",
    ACQUIRED: "storefront-acquired",
    DATA: "northwind-data",
    EMEA: "northwind-emea",
    SANDBOX: "northwind-sandbox",
}
"""ACQUIRED was invited and lacks the jump role; RESEARCH logs in us-west-2 only; EMEA logs in
eu-west-1 while most of its calls are in us-east-1; SANDBOX was closed and is suspended."""

SONNET = "anthropic.claude-sonnet-4-5-20250929-v1:0"
OPUS = "anthropic.claude-opus-4-5-20251101-v1:0"
HAIKU = "anthropic.claude-haiku-4-5-20251001-v1:0"
OLD_HAIKU = "anthropic.claude-3-haiku-20240307-v1:0"
NOVA_LITE = "amazon.nova-lite-v1:0"
NOVA_PRO = "amazon.nova-pro-v1:0"
TITAN = "amazon.titan-embed-text-v2:0"
LUMEN = "stellar.lumen-large-v1:0"

GEO_REGIONS = {
    "us": ("us-east-1", "us-east-2", "us-west-2"),
    "eu": ("eu-west-1", "eu-central-1", "eu-north-1"),
    "global": ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2"),
}


class Shape(StrEnum):
    CHAT = "chat"
    CODE = "code"
    DOCUMENTS = "documents"
    SESSIONS = "sessions"
    EMBEDDING = "embedding"


class Caching(StrEnum):
    NONE = "none"
    SYSTEM = "system"
    """One long system prompt per agent, cached for five minutes."""
    PREFIX = "prefix"
    """Document prefixes that an earlier request already wrote."""
    SESSION = "session"
    """Repository map for an hour, conversation for five minutes."""


class Call(StrEnum):
    PROFILE = "profile"
    """Through an application inference profile."""
    DIRECT = "direct"
    ARN = "arn"
    """Through a system profile, written as an ARN."""


@dataclass(frozen=True, slots=True)
class Stream:
    """One way in which one application calls one model."""

    name: str
    application: str
    team: str
    environment: str
    account: str
    region: str
    model: str
    """Foundation id."""
    scope: str
    """``us``, ``eu`` or ``global``; empty for in-region calls."""
    operation: str
    shape: Shape
    share: int
    client: str
    """Whose hourly rates the traffic follows."""
    caching: Caching = Caching.NONE
    call: Call = Call.DIRECT
    agents: tuple[str, ...] = ()
    workflow: str | None = None
    metadata_style: str = "plain"
    metadata_rate: float = 0.93
    role: str = "AppRole"
    bursty: bool = False
    stumbles: bool = True
    """Some calls are throttled or invalid."""
    runaway_agent: str | None = None
    """This agent loses itself in a loop one night in the last week."""
    open_share: float = 1.0
    """Share of the world's days after which nothing calls any more."""

    @property
    def priced_model(self) -> str:
        """The model id that names the price: scope prefix and foundation id."""
        return f"{self.scope}.{self.model}" if self.scope else self.model

    @property
    def called_model(self) -> str:
        """``modelId`` as the caller wrote it."""
        base = f"arn:aws:bedrock:{self.region}:{self.account}"
        if self.call is Call.PROFILE:
            return f"{base}:application-inference-profile/{self.profile_id}"
        if self.call is Call.ARN:
            return f"{base}:inference-profile/{self.priced_model}"
        return self.priced_model

    @property
    def profile_name(self) -> str:
        return f"{self.application}-{self.environment}"

    @property
    def profile_id(self) -> str:
        """Twelve characters, as opaque as the real ones."""
        return hashlib.blake2b(self.profile_name.encode(), digest_size=6).hexdigest()

    @property
    def streams_tokens(self) -> bool:
        return self.operation in ("ConverseStream", "InvokeModelWithResponseStream")


def _stream(
    name: str,
    owner: tuple[str, str],
    where: tuple[str, str],
    model: tuple[str, str],
    operation: str,
    shape: Shape,
    share: tuple[int, str],
    **more: object,
) -> Stream:
    base = Stream(name, *owner, "prod", *where, *model, operation, shape, *share)
    return replace(base, **more)  # type: ignore[arg-type]


_SUPPORT, _CODE = ("support-bot", "care"), ("code-assistant", "devex")
_SEARCH, _LEGAL = ("doc-search", "search"), ("contract-review", "legal")
_AGENTS, _FINOPS = ("literature-agents", "research"), ("finops-copilot", "finance")
_CATALOGUE, _DESK = ("catalogue", "data"), ("emea-desk", "emea")
_PROD_US, _PROD_EU = (PROD, "us-east-1"), (PROD, "eu-west-1")
_LAB_WEST, _LAB_EAST = (RESEARCH, "us-west-2"), (RESEARCH, "us-east-1")

STREAMS: tuple[Stream, ...] = (
    _stream(
        "support-chat", _SUPPORT, _PROD_US, (SONNET, "us"), "ConverseStream",
        Shape.CHAT, (24, "m-large-78"), caching=Caching.SYSTEM, call=Call.PROFILE,
        agents=("concierge", "refunds", "returns"), role="SupportBot",
    ),
    _stream(
        "support-triage", _SUPPORT, _PROD_US, (HAIKU, "us"), "Converse",
        Shape.CHAT, (14, "m-large-78"), agents=("triage",), workflow="ticket-intake",
        role="SupportBot",
    ),
    _stream(
        "support-staging", _SUPPORT, _PROD_US, (HAIKU, "us"), "Converse",
        Shape.CHAT, (2, "m-mid-84"), environment="staging", agents=("triage",), role="SupportBot",
    ),
    _stream(
        "code-agent", _CODE, _PROD_US, (OPUS, "global"),
        "InvokeModelWithResponseStream", Shape.SESSIONS, (7, "m-large-48"),
        caching=Caching.SESSION, agents=("coder", "reviewer"), metadata_style="short",
        role="CodeAssistant", bursty=True,
    ),
    _stream(
        "code-complete", _CODE, _PROD_US, (HAIKU, "global"), "InvokeModel",
        Shape.CODE, (16, "m-large-48"), metadata_style="short", role="CodeAssistant",
    ),
    _stream(
        "doc-embed", _SEARCH, _PROD_US, (TITAN, ""), "InvokeModel",
        Shape.EMBEDDING, (12, "m-small-39"), workflow="nightly-index", metadata_rate=0.99,
        role="DocIndexer", stumbles=False,
    ),
    _stream(
        "doc-answer", _SEARCH, _PROD_EU, (NOVA_LITE, ""), "Converse",
        Shape.CHAT, (8, "m-large-21"), agents=("librarian",), role="DocSearch",
    ),
    _stream(
        "contract-review", _LEGAL, _PROD_EU, (SONNET, "eu"), "Converse",
        Shape.DOCUMENTS, (3, "m-large-66"), call=Call.PROFILE, agents=("clause-finder",),
        workflow="contract-intake", metadata_rate=0.4, role="ContractReview",
    ),
    _stream(
        "literature-sweep", _AGENTS, _LAB_WEST, (SONNET, "us"),
        "ConverseStream", Shape.DOCUMENTS, (4, "m-large-120"), caching=Caching.PREFIX,
        call=Call.ARN, agents=("sweeper-1", "sweeper-2", "sweeper-3"),
        workflow="literature-sweep", role="Sweeper", bursty=True, runaway_agent="sweeper-3",
    ),
    _stream(
        "model-trial", _AGENTS, _LAB_WEST, (LUMEN, "us"), "Converse",
        Shape.CHAT, (2, "m-mid-93"), environment="dev", agents=("trialist",), role="Trial",
        stumbles=False,
    ),
    _stream(
        "research-plan", _AGENTS, _LAB_EAST, (OPUS, "us"), "InvokeModel",
        Shape.DOCUMENTS, (1, "m-large-120"), agents=("planner",), role="Planner",
    ),
    _stream(
        "research-notes", _AGENTS, _LAB_EAST, (HAIKU, "us"), "Converse",
        Shape.CHAT, (2, "m-mid-84"), agents=("scribe",), role="Planner",
    ),
    _stream(
        "finops-copilot", _FINOPS, (PAYER, "us-east-1"), (NOVA_PRO, "us"),
        "Converse", Shape.CHAT, (3, "m-mid-93"), agents=("analyst",), role="FinOps",
    ),
    _stream(
        "storefront", ("storefront-recs", "storefront"), (ACQUIRED, "us-east-1"), (OLD_HAIKU, ""),
        "InvokeModel", Shape.CHAT, (2, "m-mid-84"), role="Storefront",
    ),
    _stream(
        "catalogue-tags", _CATALOGUE, (DATA, "us-east-1"), (HAIKU, "us"), "Converse",
        Shape.CHAT, (4, "m-mid-84"), agents=("tagger",), workflow="catalogue-load",
        role="Catalogue",
    ),
    _stream(
        "catalogue-embed", _CATALOGUE, (DATA, "us-east-1"), (TITAN, ""), "InvokeModel",
        Shape.EMBEDDING, (4, "m-small-39"), workflow="catalogue-load", role="Catalogue",
        stumbles=False,
    ),
    _stream(
        "emea-desk", _DESK, (EMEA, "us-east-1"), (HAIKU, "us"), "Converse",
        Shape.CHAT, (3, "m-large-21"), agents=("dispatcher",), role="Desk",
    ),
    _stream(
        "emea-letters", _DESK, (EMEA, "eu-west-1"), (NOVA_LITE, ""), "Converse",
        Shape.CHAT, (1, "m-large-21"), agents=("writer",), role="Desk",
    ),
    _stream(
        "hackathon", ("hackathon", "interns"), (SANDBOX, "us-east-1"), (HAIKU, "us"), "Converse",
        Shape.CHAT, (2, "m-mid-93"), environment="dev", role="Hackers", open_share=0.6,
    ),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LogPlace:
    """Where the invocation logs of one account and region go; either, both or none."""

    account: str
    region: str
    bucket: str | None = None
    key_prefix: str | None = None
    log_group: str | None = None
    retention_days: int | None = None
    lost: float = 0.0
    """Share of the calls whose record was never delivered."""


@dataclass(frozen=True, slots=True)
class Story:
    """What a world is made of."""

    payer: str
    accounts: tuple[str, ...]
    streams: tuple[Stream, ...]
    logs: tuple[LogPlace, ...]
    cur_bucket: str
    reader_account: str
    members_with_jump_role: tuple[str, ...] = field(default=())
    suspended: tuple[str, ...] = field(default=())
    """Closed accounts: Organizations lists them, nobody can enter them any more."""

    @property
    def reachable(self) -> tuple[str, ...]:
        """Accounts that a reader of the payer can look into."""
        return (self.reader_account, *self.members_with_jump_role)

    def log_place(self, stream: Stream) -> LogPlace | None:
        here = (stream.account, stream.region)
        return next((p for p in self.logs if (p.account, p.region) == here), None)


_LOG_GROUP = "/aws/bedrock/modelinvocations"
_LOG_DAYS = 14


def organization() -> Story:
    """One payer and six members."""
    return Story(
        payer=PAYER,
        accounts=(PAYER, PROD, RESEARCH, ACQUIRED, DATA, EMEA, SANDBOX),
        streams=STREAMS,
        logs=(
            LogPlace(PROD, "us-east-1", "northwind-prod-bedrock-logs-use1", "bedrock"),
            LogPlace(
                PROD, "eu-west-1", "northwind-prod-bedrock-logs-euw1", "bedrock", lost=0.01
            ),
            LogPlace(RESEARCH, "us-west-2", "northwind-research-bedrock-logs-usw2"),
            LogPlace(DATA, "us-east-1", "northwind-data-bedrock-logs-use1", "bedrock"),
            LogPlace(EMEA, "eu-west-1", "northwind-emea-bedrock-logs-euw1"),
            LogPlace(
                PAYER, "us-east-1", log_group=_LOG_GROUP, retention_days=_LOG_DAYS
            ),
        ),
        cur_bucket="northwind-cur-exports",
        reader_account=PAYER,
        members_with_jump_role=(PROD, RESEARCH, DATA, EMEA),
        suspended=(SANDBOX,),
    )  # fmt: skip


def single_account() -> Story:
    """PROD alone; in us-east-1 every call is logged twice, to a bucket and to a log group."""
    streams = tuple(_at_home(s) for s in STREAMS if s.account in (PROD, RESEARCH))
    return Story(
        payer=PROD,
        accounts=(PROD,),
        streams=streams,
        logs=(
            LogPlace(
                PROD, "us-east-1", "northwind-prod-bedrock-logs-use1", "bedrock",
                _LOG_GROUP, _LOG_DAYS,
            ),
            LogPlace(PROD, "eu-west-1", "northwind-prod-bedrock-logs-euw1", "bedrock"),
        ),
        cur_bucket="northwind-cur-exports",
        reader_account=PROD,
    )  # fmt: skip


def _at_home(stream: Stream) -> Stream:
    return stream if stream.account == PROD else replace(stream, account=PROD, region="us-east-1")


def profiles(streams: Sequence[Stream]) -> list[Stream]:
    """One stream for every application inference profile."""
    return [stream for stream in streams if stream.call is Call.PROFILE]

"""Bedrock's control plane: profiles, provisioned throughput, logging, known models."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from tensorcost.domain.integration.probe_facts import ErrorKind
from tensorcost.domain.integration.progress_records import StoredProfile
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession
from tensorcost.providers.bedrock.model_id import resolve_model
from tensorcost.providers.bedrock.profiles import (
    ProfileDirectory,
    ProfileEntry,
    routing_of_models,
)

_PAGE: Final = 1000
_DENIALS: Final = frozenset({ErrorKind.DENIED, ErrorKind.EXPLICIT_DENY})


@dataclass(frozen=True, slots=True)
class LoggingConfiguration:
    """Where a region's invocation logs go. Both destinations may be on at once."""

    log_group: str
    bucket: str
    prefix: str
    has_text: bool


@dataclass(frozen=True, slots=True)
class ProfileListing:
    """Profiles of one region. ``tags_denied``: names came, tags did not."""

    profiles: tuple[StoredProfile, ...]
    tags_denied: bool = False


def read_logging(session: AccountSession, region: str) -> LoggingConfiguration | None:
    """The region's logging configuration, None when logging is off. Raises ProviderError."""
    answer = session.call("bedrock", "get_model_invocation_logging_configuration", region)
    config = answer.get("loggingConfig") or {}
    logs, objects = config.get("cloudWatchConfig") or {}, config.get("s3Config") or {}
    group, bucket = logs.get("logGroupName", ""), objects.get("bucketName", "")
    if not group and not bucket:
        return None
    prefix = objects.get("keyPrefix", "")
    return LoggingConfiguration(
        group, bucket, prefix, bool(config.get("textDataDeliveryEnabled", True))
    )


def list_profiles(session: AccountSession, region: str) -> ProfileListing:
    """Application profiles with tags, and provisioned throughputs. Raises ProviderError.

    AWS returns application profiles only when asked for by type, and tags only to roles that
    may list them; without that permission the names still help.
    """
    tagged = _Tags(session, region)
    found = [
        _profile(session, region, summary, tagged)
        for summary in _pages(
            session, region, "list_inference_profiles", "inferenceProfileSummaries", "APPLICATION"
        )
    ]
    found += [
        _provisioned(session, region, summary, tagged)
        for summary in _pages(
            session, region, "list_provisioned_model_throughputs", "provisionedModelSummaries"
        )
    ]
    return ProfileListing(tuple(found), tagged.denied)


def list_callable_models(session: AccountSession, region: str) -> set[str]:
    """Every name under which a model can be called here. Raises ProviderError.

    CloudWatch forgets silent metrics in its lists, not in its store: these names let a
    backfill ask for models that were not called lately.
    """
    models: set[str] = set()
    for summary in _pages(
        session, region, "list_inference_profiles", "inferenceProfileSummaries", "SYSTEM_DEFINED"
    ):
        models.add(str(summary["inferenceProfileId"]))
    answer = session.call("bedrock", "list_foundation_models", region)
    for model in answer.get("modelSummaries", []):
        models.add(str(model["modelId"]))
    return models


def directory_of(profiles: Iterable[StoredProfile]) -> ProfileDirectory:
    """The parser's directory of stored profiles."""
    return ProfileDirectory.of(
        ProfileEntry(
            arn=profile.arn,
            model_id=profile.model_id,
            routing_scope=RoutingScope(profile.routing_scope),
            tags=profile.tags,
            name=profile.name,
            service_tier=ServiceTier(profile.service_tier),
        )
        for profile in profiles
    )


class _Tags:
    """Tags of resources, until the role turns out not to be allowed to list them."""

    def __init__(self, session: AccountSession, region: str) -> None:
        self._session = session
        self._region = region
        self.denied = False

    def of(self, arn: str) -> tuple[tuple[str, str], ...]:
        if self.denied:
            return ()
        try:
            answer = self._session.call(
                "bedrock", "list_tags_for_resource", self._region, resourceARN=arn
            )
        except ProviderError as error:
            if error.kind is ErrorKind.NOT_FOUND:
                return ()
            if error.kind not in _DENIALS:
                raise
            self.denied = True
            return ()
        return tuple(sorted((tag["key"], tag["value"]) for tag in answer.get("tags", [])))


def _pages(
    session: AccountSession, region: str, operation: str, member: str, kind: str = ""
) -> Iterator[dict[str, Any]]:
    given: dict[str, Any] = {"maxResults": _PAGE} | ({"typeEquals": kind} if kind else {})
    while True:
        page = session.call("bedrock", operation, region, **given)
        yield from page.get(member, [])
        token = page.get("nextToken")
        if not token:
            return
        given["nextToken"] = token


def _profile(
    session: AccountSession, region: str, summary: dict[str, Any], tags: _Tags
) -> StoredProfile:
    arns = [str(model["modelArn"]) for model in summary.get("models", []) if model.get("modelArn")]
    arn = str(summary["inferenceProfileArn"])
    return StoredProfile(
        arn=arn,
        account_id=session.account_id,
        region=region,
        name=str(summary.get("inferenceProfileName", "")),
        model_id=resolve_model(arns[0]).model_id if arns else "",
        routing_scope=routing_of_models(arns, region).value,
        service_tier=ServiceTier.STANDARD.value,
        tags=tags.of(arn),
    )


def _provisioned(
    session: AccountSession, region: str, summary: dict[str, Any], tags: _Tags
) -> StoredProfile:
    arn = str(summary["provisionedModelArn"])
    base = str(summary.get("foundationModelArn") or summary.get("modelArn") or "")
    return StoredProfile(
        arn=arn,
        account_id=session.account_id,
        region=region,
        name=str(summary.get("provisionedModelName", "")),
        model_id=resolve_model(base).model_id,
        routing_scope=RoutingScope.IN_REGION.value,
        service_tier=ServiceTier.PROVISIONED.value,
        tags=tags.of(arn),
    )

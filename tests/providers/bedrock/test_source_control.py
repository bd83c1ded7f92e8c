import pytest

from demo.aws.control import SimControl
from tensorcost.domain.integration.probe_facts import ErrorKind
from tensorcost.domain.spend.facts import RoutingScope, ServiceTier
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.bedrock.model_id import resolve_model
from tensorcost.providers.bedrock.source_accounts import list_accounts, management_account
from tensorcost.providers.bedrock.source_control import (
    directory_of,
    list_callable_models,
    list_profiles,
    read_logging,
)
from tests.providers.aws.world import (
    ACQUIRED,
    BUCKET,
    CLOSED,
    GROUP,
    HOME,
    JUMP,
    MEMBER,
    MODEL,
    OTHER,
    PAYER,
    PROFILE_ID,
    payer,
)


def test_application_profiles_come_with_tags_and_resolve(aws: SimControl) -> None:
    listing = list_profiles(payer(aws.endpoint_url), HOME)
    profile, provisioned = listing.profiles
    assert not listing.tags_denied
    assert profile.arn.endswith(f"application-inference-profile/{PROFILE_ID}")
    assert (profile.name, profile.tags) == ("support-bot-prod", (("team", "care"),))
    assert (profile.model_id, profile.routing_scope) == ("anthropic.claude-sonnet-4-6", "geo")
    assert (provisioned.model_id, provisioned.service_tier) == (
        "amazon.nova-lite-v1:0",
        "provisioned",
    )
    found = resolve_model(profile.arn, directory_of(listing.profiles))
    assert (found.model_id, found.routing_scope) == (
        "anthropic.claude-sonnet-4-6",
        RoutingScope.GEO,
    )
    assert resolve_model(provisioned.arn, directory_of(listing.profiles)).service_tier is (
        ServiceTier.PROVISIONED
    )


def test_without_permission_for_tags_the_names_still_come(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    session.verify()
    aws.fault(service="bedrock", operation="ListTagsForResource", kind="denied")
    listing = list_profiles(session, HOME)
    assert listing.tags_denied
    assert [profile.tags for profile in listing.profiles] == [(), ()]
    assert len(aws.requests(operation="ListTagsForResource")) == 1


def test_other_failures_of_tags_are_not_swallowed(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    aws.fault(service="bedrock", operation="ListTagsForResource", kind="throttled")
    with pytest.raises(ProviderError) as caught:
        list_profiles(session, HOME)
    assert caught.value.kind is ErrorKind.THROTTLED


def test_the_logging_configuration_is_read_or_off(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    found = read_logging(session, HOME)
    assert found is not None
    assert (found.log_group, found.bucket, found.prefix, found.has_text) == (
        GROUP,
        BUCKET,
        "logs",
        True,
    )
    assert read_logging(session, OTHER) is None


def test_every_callable_name_is_known(aws: SimControl) -> None:
    found = list_callable_models(payer(aws.endpoint_url), HOME)
    assert found == {MODEL, "amazon.nova-lite-v1:0"}


def test_accounts_are_listed_over_empty_and_small_pages(aws: SimControl) -> None:
    aws.preset("small_pages", service="organizations")
    session = payer(aws.endpoint_url)
    found = {account.account_id: account for account in list_accounts(session)}
    assert set(found) == {PAYER, MEMBER, ACQUIRED, CLOSED}
    assert found[ACQUIRED].was_invited
    assert [a for a in found if not found[a].is_active] == [CLOSED]
    assert management_account(session) == PAYER


def test_a_member_sees_the_management_account_but_no_list(aws: SimControl) -> None:
    member = payer(aws.endpoint_url).member(MEMBER, JUMP)
    with pytest.raises(ProviderError) as caught:
        list(list_accounts(member))
    assert caught.value.kind in (ErrorKind.DENIED, ErrorKind.EXPLICIT_DENY)

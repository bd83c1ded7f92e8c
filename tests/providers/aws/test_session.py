from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest

from demo.aws.control import SimControl
from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.integration.probe_facts import ErrorKind
from tensorcost.providers.aws.errors import ProviderError
from tensorcost.providers.aws.session import AccountSession
from tests.providers.aws.world import (
    ACQUIRED,
    BACKEND,
    EXTERNAL_ID,
    HOME,
    JUMP,
    MEMBER,
    OTHER,
    PAYER,
    ROLE_ARN,
    access,
    aws_settings,
    payer,
    sessions,
)


def account_of(session: AccountSession) -> str:
    return str(session.call("sts", "get_caller_identity", HOME)["Account"])


def test_the_role_is_assumed_with_its_external_id(aws: SimControl) -> None:
    assert account_of(payer(aws.endpoint_url)) == PAYER
    (entry,) = aws.requests(operation="AssumeRole")
    assert (entry.external_id, entry.role, entry.session_policy) == (EXTERNAL_ID, ROLE_ARN, False)


def test_the_backend_knows_its_own_account(aws: SimControl) -> None:
    assert sessions(aws.endpoint_url).backend_account() == BACKEND


def test_a_session_is_assumed_once_and_shared(aws: SimControl) -> None:
    made = sessions(aws.endpoint_url)
    for _ in range(3):
        account_of(made.role(access()))
    assert len(aws.requests(operation="AssumeRole")) == 1


def test_two_tenants_never_share_a_session(aws: SimControl) -> None:
    made = sessions(aws.endpoint_url)
    account_of(made.role(access()))
    account_of(made.role(access(tenant="tenant-2")))
    assert len(aws.requests(operation="AssumeRole")) == 2


def test_a_session_is_renewed_before_it_expires(aws: SimControl) -> None:
    now = [datetime.now(UTC)]
    session = payer(aws.endpoint_url, clock=lambda: now[0])
    account_of(session)
    now[0] += timedelta(minutes=54)
    account_of(session)
    assert len(aws.requests(operation="AssumeRole")) == 1
    now[0] += timedelta(minutes=2)
    account_of(session)
    assert len(aws.requests(operation="AssumeRole")) == 2


def test_a_session_that_aws_ended_early_is_taken_once_more(aws: SimControl) -> None:
    session = payer(aws.endpoint_url)
    account_of(session)
    aws.expire_sessions()
    assert account_of(session) == PAYER
    assert len(aws.requests(operation="AssumeRole")) == 2


def test_a_member_hop_is_chained_bounded_and_read_only(aws: SimControl) -> None:
    member = payer(aws.endpoint_url, session_seconds=43_200).member(MEMBER, JUMP)
    assert account_of(member) == MEMBER
    hop = aws.requests(operation="AssumeRole")[-1]
    assert (hop.session_policy, hop.external_id, hop.error) == (True, None, None)
    with pytest.raises(ProviderError) as caught:
        member.call("s3", "put_object", HOME, Bucket="any", Key="k", Body=b"x")
    assert caught.value.kind in (ErrorKind.DENIED, ErrorKind.EXPLICIT_DENY, ErrorKind.NOT_FOUND)


def test_a_member_session_ended_early_is_renewed_with_the_session_before_it(
    aws: SimControl,
) -> None:
    member = payer(aws.endpoint_url).member(MEMBER, JUMP)
    account_of(member)
    aws.expire_sessions()
    assert account_of(member) == MEMBER


def test_a_missing_jump_role_is_a_denial(aws: SimControl) -> None:
    with pytest.raises(ProviderError) as caught:
        payer(aws.endpoint_url).member(ACQUIRED, JUMP).verify()
    assert caught.value.kind is ErrorKind.DENIED
    assert caught.value.failure.account == ACQUIRED


def test_no_account_beyond_the_list_is_ever_asked(aws: SimControl) -> None:
    made = sessions(aws.endpoint_url)
    with pytest.raises(ProviderError) as caught:
        made.role(access(allowed_accounts=frozenset({MEMBER})))
    assert caught.value.kind is ErrorKind.NOT_ALLOWED
    with pytest.raises(ProviderError):
        made.role(access(allowed_accounts=frozenset({PAYER}))).member(MEMBER, JUMP)
    assert aws.requests() == []


def test_a_wrong_external_id_is_refused(aws: SimControl) -> None:
    with pytest.raises(ProviderError) as caught:
        sessions(aws.endpoint_url).role(access(external_id="something-else")).verify()
    failure = caught.value.failure
    assert (failure.kind, failure.code, failure.status) == (ErrorKind.DENIED, "AccessDenied", 403)


def test_where_the_id_in_use_is_refused_the_other_of_a_rotation_is_used(aws: SimControl) -> None:
    made = sessions(aws.endpoint_url)
    rotating = access(external_id="tc-new", other_external_id=EXTERNAL_ID)
    for _ in range(2):
        assert account_of(made.role(rotating)) == PAYER
    assert [entry.external_id for entry in aws.requests(operation="AssumeRole")] == [
        "tc-new",
        EXTERNAL_ID,
    ]
    with pytest.raises(ProviderError) as caught:
        made.role(access(external_id="tc-new", other_external_id="tc-older")).verify()
    assert caught.value.kind is ErrorKind.DENIED


def test_a_role_that_takes_anybody_is_found_out(aws: SimControl) -> None:
    made = sessions(aws.endpoint_url)
    with pytest.raises(ProviderError):
        made.assume_without_external_id(access())
    aws.preset("external_id_not_required", account=PAYER)
    made.assume_without_external_id(access())


def test_every_attempt_passes_the_tenants_limiter(aws: SimControl) -> None:
    class Counting:
        def __init__(self) -> None:
            self.keys: list[str] = []

        def acquire(self, key: str) -> None:
            self.keys.append(key)

    limiter = Counting()
    aws.preset("server_error_once", service="sts", operation="GetCallerIdentity")
    account_of(payer(aws.endpoint_url, limiter=limiter, max_attempts=3))
    assert limiter.keys == ["tenant-1"] * 3


def test_every_call_passes_the_limit_of_its_service_account_and_region(aws: SimControl) -> None:
    class Counting:
        def __init__(self) -> None:
            self.keys: list[str] = []

        def acquire(self, key: str) -> None:
            self.keys.append(key)

    upstream = Counting()
    made = sessions(aws.endpoint_url, upstream=upstream)
    made.role(access()).member(MEMBER, JUMP).call("cloudwatch", "list_metrics", OTHER)
    assert upstream.keys == [
        f"sts//{HOME}",  # the backend's own call
        f"sts/{PAYER}/{HOME}",
        f"cloudwatch/{MEMBER}/{OTHER}",
    ]


def test_accounts_share_clients_and_each_call_is_signed_with_its_own_session(
    aws: SimControl,
) -> None:
    made = sessions(aws.endpoint_url)
    own = made.role(access())
    member = own.member(MEMBER, JUMP)
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(account_of, [own, member] * 20))
    assert found == [PAYER, MEMBER] * 20


def test_a_session_of_a_deleted_role_is_taken_anew_and_then_refused(aws: SimControl) -> None:
    member = payer(aws.endpoint_url).member(MEMBER, JUMP)
    account_of(member)
    aws.preset("role_missing", account=MEMBER, role=JUMP)
    with pytest.raises(ProviderError) as caught:
        account_of(member)
    failure = caught.value.failure
    assert (failure.operation, failure.kind) == ("AssumeRole", ErrorKind.DENIED)


def test_ambient_endpoints_are_ignored(aws: SimControl, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL_S3"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_REGION", "mars-north-1")
    assert account_of(payer(aws.endpoint_url)) == PAYER


def test_the_environment_alone_never_sets_an_endpoint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_STS", "http://127.0.0.1:1")
    client = sessions("").backend_client("sts")
    assert client.meta.endpoint_url == "https://sts.us-east-1.amazonaws.com"


@pytest.mark.parametrize("url", ["http://10.0.0.1:9000", "http://localhost"])
def test_a_plaintext_endpoint_needs_an_explicit_setting(url: str) -> None:
    with pytest.raises(ValidationFailed, match="not encrypted"):
        aws_settings(url, allow_plaintext=False)
    with pytest.raises(ValidationFailed, match="not encrypted"):
        aws_settings("", endpoint_urls={"s3": url}, allow_plaintext=False)
    assert aws_settings(url).endpoint_of("s3") == url


@pytest.mark.parametrize("url", ["ftp://x", "nonsense", "https://"])
def test_what_is_no_url_is_refused(url: str) -> None:
    with pytest.raises(ValidationFailed):
        aws_settings(url)


def test_a_services_own_endpoint_comes_first() -> None:
    made = aws_settings("https://all.example", endpoint_urls={"sts": "https://sts.example"})
    assert made.endpoint_of("sts") == "https://sts.example"
    assert made.endpoint_of("s3") == "https://all.example"


def test_without_keys_the_machines_own_credentials_are_used(
    aws: SimControl, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAFAKETESTBACKEND0")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "fake-secret")
    made = sessions(aws.endpoint_url, access_key_id="", secret_access_key="")
    assert made.backend_account() == BACKEND


def test_what_is_no_role_arn_is_invalid_and_never_sent(aws: SimControl) -> None:
    with pytest.raises(ProviderError) as caught:
        sessions(aws.endpoint_url).role(access(role_arn="TensorCost-BedrockReader"))
    assert caught.value.kind is ErrorKind.INVALID
    assert aws.requests() == []


def test_secrets_are_not_printed() -> None:
    assert "fake-secret" not in repr(aws_settings("https://all.example"))

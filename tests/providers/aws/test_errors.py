from typing import Any

import pytest
from botocore.exceptions import (
    ClientError,
    EndpointConnectionError,
    IncompleteReadError,
    NoCredentialsError,
    ParamValidationError,
    ReadTimeoutError,
)

from demo.aws.control import SimControl
from tensorcost.domain.integration.probe_facts import ErrorKind
from tensorcost.providers.aws.errors import MAX_MESSAGE, ProviderError, classify, mask_accounts
from tests.providers.aws.world import (
    BACKEND,
    BUCKET,
    CUR_BUCKET,
    GROUP,
    HOME,
    PAYER,
    payer,
)


def client_error(code: str, message: str = "", status: int = 400, **headers: str) -> ClientError:
    return ClientError(
        {
            "Error": {"Code": code, "Message": message},
            "ResponseMetadata": {"HTTPStatusCode": status, "HTTPHeaders": headers},
        },
        "SomeCall",
    )


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (EndpointConnectionError(endpoint_url="https://x"), ErrorKind.NETWORK),
        (ReadTimeoutError(endpoint_url="https://x"), ErrorKind.NETWORK),
        (IncompleteReadError(actual_bytes=1, expected_bytes=2), ErrorKind.NETWORK),
        (ConnectionResetError("gone"), ErrorKind.NETWORK),
        (NoCredentialsError(), ErrorKind.BACKEND_CREDENTIALS),
        (ParamValidationError(report="odd"), ErrorKind.INVALID),
        (client_error("InvalidClientTokenId", status=403), ErrorKind.BACKEND_CREDENTIALS),
        (client_error("SignatureDoesNotMatch", status=403), ErrorKind.BACKEND_CREDENTIALS),
        (client_error("ExpiredTokenException"), ErrorKind.BACKEND_CREDENTIALS),
        (client_error("ThrottlingException"), ErrorKind.THROTTLED),
        (client_error("Throttling"), ErrorKind.THROTTLED),
        (client_error("SlowDown", status=503), ErrorKind.THROTTLED),
        (client_error("RegionDisabledException", status=403), ErrorKind.REGION_DISABLED),
        (client_error("OptInRequired", status=403), ErrorKind.REGION_DISABLED),
        (client_error("AccessDenied", status=403), ErrorKind.DENIED),
        (client_error("AccessDeniedException"), ErrorKind.DENIED),
        (client_error("AccessDenied", "with an explicit deny in a x"), ErrorKind.EXPLICIT_DENY),
        (client_error("AccessDenied", "to perform: kms:Decrypt on"), ErrorKind.KMS_DENIED),
        (client_error("KMS.DisabledException"), ErrorKind.KMS_DENIED),
        (client_error("AWSOrganizationsNotInUseException"), ErrorKind.NOT_IN_ORGANIZATION),
        (client_error("ResourceNotFoundException"), ErrorKind.NOT_FOUND),
        (client_error("NoSuchEntity", status=404), ErrorKind.NOT_FOUND),
        (client_error("NoSuchBucket", status=404), ErrorKind.NOT_FOUND),
        (client_error("PermanentRedirect", status=301), ErrorKind.WRONG_REGION),
        (client_error("AuthorizationHeaderMalformed"), ErrorKind.WRONG_REGION),
        (client_error("ValidationError"), ErrorKind.INVALID),
        (client_error("PreconditionFailed", status=412), ErrorKind.CHANGED),
        (client_error("InternalFailure", status=500), ErrorKind.SERVER),
        (client_error("500", status=500), ErrorKind.SERVER),
        (client_error("aws#AccessDenied"), ErrorKind.DENIED),
        (client_error("SomethingNew"), ErrorKind.UNKNOWN),
    ],
)
def test_every_failure_has_one_meaning(error: Exception, kind: ErrorKind) -> None:
    found = classify(error, service="x")
    assert found.kind is kind
    assert found.is_transient == (
        kind in {ErrorKind.NETWORK, ErrorKind.THROTTLED, ErrorKind.SERVER, ErrorKind.CHANGED}
    )


def test_a_throttled_answer_says_how_long_to_wait() -> None:
    error = client_error("Throttling", **{"retry-after": "7"})
    assert classify(error, service="x").retry_after == 7.0
    odd = client_error("Throttling", **{"retry-after": "soon"})
    assert classify(odd, service="x").retry_after is None


def test_accounts_of_others_are_masked_and_texts_are_short() -> None:
    text = (
        f"role in {PAYER}, not in 555566667777 or arn:aws:iam::555566667777:root, id 1234567890123"
    )
    found = classify(
        client_error("AccessDenied", text), service="sts", account=PAYER, known_accounts=[BACKEND]
    )
    message = found.failure.message
    assert PAYER in message
    assert "555566667777" not in message
    assert "1234567890123" in message
    long = classify(client_error("X", "y" * 5_000), service="x")
    assert len(long.failure.message) == MAX_MESSAGE
    assert mask_accounts("", ()) == ""


@pytest.mark.parametrize(
    ("preset", "args", "service", "operation", "given", "kind"),
    [
        ("always_throttled", {}, "cloudwatch", "list_metrics", {}, ErrorKind.THROTTLED),
        ("always_throttled", {}, "logs", "describe_log_groups", {}, ErrorKind.THROTTLED),
        ("unavailable", {}, "bedrock", "list_inference_profiles", {}, ErrorKind.SERVER),
        ("connection_closed", {}, "s3", "list_objects_v2", {"Bucket": BUCKET}, ErrorKind.NETWORK),
        (
            "logs_denied",
            {"account": PAYER},
            "logs",
            "filter_log_events",
            {"logGroupName": GROUP},
            ErrorKind.DENIED,
        ),
        (
            "kms_denied",
            {"resource": GROUP},
            "logs",
            "filter_log_events",
            {"logGroupName": GROUP},
            ErrorKind.KMS_DENIED,
        ),
        (
            "cur_denied",
            {"resource": CUR_BUCKET},
            "s3",
            "list_objects_v2",
            {"Bucket": CUR_BUCKET},
            ErrorKind.EXPLICIT_DENY,
        ),
        (
            "bucket_missing",
            {"resource": CUR_BUCKET},
            "s3",
            "list_objects_v2",
            {"Bucket": CUR_BUCKET},
            ErrorKind.NOT_FOUND,
        ),
        (
            "logging_off",
            {"account": PAYER, "region": HOME},
            "logs",
            "filter_log_events",
            {"logGroupName": GROUP},
            ErrorKind.NOT_FOUND,
        ),
        (
            "region_disabled",
            {"account": PAYER, "region": HOME},
            "bedrock",
            "list_inference_profiles",
            {},
            ErrorKind.REGION_DISABLED,
        ),
        (
            "no_organization",
            {},
            "organizations",
            "list_accounts",
            {},
            ErrorKind.NOT_IN_ORGANIZATION,
        ),
        ("not_management", {}, "organizations", "list_accounts", {}, ErrorKind.DENIED),
    ],
)
def test_the_wire_answers_of_each_protocol_are_understood(
    aws: SimControl,
    preset: str,
    args: dict[str, Any],
    service: str,
    operation: str,
    given: dict[str, Any],
    kind: ErrorKind,
) -> None:
    session = payer(aws.endpoint_url)
    session.verify()
    aws.preset(preset, **args)
    with pytest.raises(ProviderError) as caught:
        session.call(service, operation, HOME, **given)
    assert caught.value.kind is kind
    assert (caught.value.failure.service, caught.value.failure.account) == (service, PAYER)


def test_a_bucket_asked_for_in_another_region_is_found_in_its_own(aws: SimControl) -> None:
    answer = payer(aws.endpoint_url).call("s3", "list_objects_v2", "eu-west-3", Bucket=BUCKET)
    assert answer["KeyCount"] > 0

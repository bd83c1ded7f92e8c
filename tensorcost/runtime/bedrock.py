"""The Bedrock provider of this process, from the settings."""

from datetime import UTC, datetime

from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.domain.clock import Clock
from tensorcost.providers.aws.limiter import ServiceLimits, TokenBucket
from tensorcost.providers.aws.session import AwsSessions
from tensorcost.providers.aws.settings import AwsSettings
from tensorcost.providers.bedrock.artefacts import ArtefactSettings, BedrockArtefacts
from tensorcost.runtime.settings import AwsEndpoints


def bedrock_connector(aws: AwsEndpoints, clock: Clock) -> BedrockConnector:
    """Reads customers' accounts. ValidationFailed for an endpoint that is not allowed."""
    limiter = TokenBucket(rate=aws.calls_per_second, burst=int(2 * aws.calls_per_second) or 1)
    upstream = ServiceLimits(aws.service_calls_per_second)
    return BedrockConnector(AwsSessions(_slice(aws), clock, limiter, upstream), clock)


def bedrock_artefacts(aws: AwsEndpoints) -> BedrockArtefacts:
    """What customers deploy to let us in."""
    return BedrockArtefacts(ArtefactSettings(aws.backend_account_id, aws.template_url))


def customer_sessions(aws: AwsEndpoints, profile: str = "") -> AwsSessions:
    """Calls with whatever credentials stand on this machine, never with the backend's own."""
    settings = AwsSettings(
        region=aws.region,
        profile=profile,
        endpoint_url=aws.endpoint_url,
        endpoint_urls=aws.endpoint_urls,
        allow_plaintext=aws.allow_plaintext,
    )
    upstream = ServiceLimits(aws.service_calls_per_second)
    return AwsSessions(settings, lambda: datetime.now(UTC), upstream=upstream)


def _slice(aws: AwsEndpoints) -> AwsSettings:
    return AwsSettings(
        region=aws.region,
        backend_account_id=aws.backend_account_id,
        access_key_id=aws.access_key_id.get_secret_value(),
        secret_access_key=aws.secret_access_key.get_secret_value(),
        endpoint_url=aws.endpoint_url,
        endpoint_urls=aws.endpoint_urls,
        allow_plaintext=aws.allow_plaintext,
    )

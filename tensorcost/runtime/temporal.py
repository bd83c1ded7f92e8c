"""The Temporal client of this process: one plugin, so that no two clients can differ."""

from temporalio.client import Client
from temporalio.runtime import Runtime
from temporalio.service import RPCError

from tensorcost.domain.errors import Unavailable
from tensorcost.runtime.local import Addresses
from tensorcost.runtime.settings import TemporalSettings
from tensorcost.runtime.telemetry import Telemetry
from tensorcost.workers.plugin import temporal_plugin
from tensorcost.workers.settings import CodecSettings


def codec_settings(settings: TemporalSettings) -> CodecSettings | None:
    """Keys of payload encryption, or None where payloads stay readable."""
    if not settings.encryption_keys:
        return None
    active = settings.encryption_key_id or next(iter(settings.encryption_keys))
    return CodecSettings(keys=dict(settings.encryption_keys), active=active)


async def connect(addresses: Addresses, settings: TemporalSettings, telemetry: Telemetry) -> Client:
    """A connected client; Unavailable when the server does not answer."""
    plugin = temporal_plugin(codec_settings(settings), [telemetry.temporal_interceptor])
    runtime: Runtime = telemetry.temporal_runtime
    try:
        return await Client.connect(
            addresses.temporal,
            namespace=addresses.temporal_namespace,
            plugins=[plugin],
            runtime=runtime,
        )
    except (RPCError, RuntimeError) as error:
        raise Unavailable(f"Temporal at {addresses.temporal} does not answer") from error

"""Serves the codec server, with which the Temporal UI shows encrypted payloads (decisions 40)."""

import uvicorn

from tensorcost.domain.errors import ValidationFailed
from tensorcost.runtime.settings import Settings
from tensorcost.runtime.temporal import codec_settings
from tensorcost.workers.codec import EncryptionCodec
from tensorcost.workers.codec_server import codec_app, operator_token

_MIN_TOKEN = 20


async def serve_codec(settings: Settings) -> None:
    """Serve until SIGTERM. ValidationFailed without keys, an operator token and a UI address."""
    keys = codec_settings(settings.temporal)
    if keys is None:
        raise ValidationFailed("payloads are not encrypted: TENSORCOST_TEMPORAL__ENCRYPTION_KEYS")
    if len(settings.temporal.codec_token.get_secret_value()) < _MIN_TOKEN:
        raise ValidationFailed(
            f"TENSORCOST_TEMPORAL__CODEC_TOKEN needs at least {_MIN_TOKEN} characters"
        )
    if not settings.temporal.ui_url:
        raise ValidationFailed("TENSORCOST_TEMPORAL__UI_URL names the one page that may ask")
    app = codec_app(
        EncryptionCodec.of(keys.raw_keys(), keys.active),
        operator_token(settings.temporal.codec_token),
        [settings.temporal.ui_url.rstrip("/")],
    )
    config = uvicorn.Config(
        app,
        host=settings.http.host,
        port=settings.temporal.codec_port,
        log_config=None,
        access_log=False,
        server_header=False,
    )
    await uvicorn.Server(config).serve()

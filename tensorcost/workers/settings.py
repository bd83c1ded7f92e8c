"""What the workers are told: their sizes and drain; and the keys of payload encryption."""

import base64
import binascii
from datetime import timedelta
from typing import Self

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from tensorcost.domain.integration.contracts import LONGEST_PAUSE

KEY_BYTES = 32


class CodecSettings(BaseModel):
    """AES-256 keys by id, base64. ``active`` encrypts; the others still decrypt."""

    model_config = ConfigDict(frozen=True)

    keys: dict[str, SecretStr]
    active: str

    @model_validator(mode="after")
    def _keys_are_usable(self) -> Self:
        if self.active not in self.keys:
            raise ValueError("the active key is not among the keys")
        self.raw_keys()
        return self

    def raw_keys(self) -> dict[str, bytes]:
        """The keys as bytes; ValueError, naming no key, when one is not 32 bytes of base64."""
        found = {}
        for key_id, text in self.keys.items():
            try:
                raw = base64.b64decode(text.get_secret_value(), validate=True)
            except binascii.Error as error:
                raise ValueError(f"the key {key_id} is not base64") from error
            if len(raw) != KEY_BYTES:
                raise ValueError(f"the key {key_id} is not {KEY_BYTES} bytes long")
            found[key_id] = raw
        return found


class WorkerSettings(BaseModel):
    """Sizes are per process. ``drain`` must end before the orchestrator kills."""

    model_config = ConfigDict(frozen=True)

    core_activities: int = 16
    cloud_activities: int = 6
    threads: int = 12
    """Threads for what blocks: at least ``cloud_activities``, plus their readers."""
    workflow_tasks: int = 16
    cached_workflows: int = 500
    core_drain: timedelta = timedelta(seconds=10)
    cloud_drain: timedelta = timedelta(seconds=30)
    heartbeat_throttle: timedelta = timedelta(seconds=5)
    longest_pause: timedelta = LONGEST_PAUSE
    """Up to which the pauses grow after which a provider in trouble is asked again."""
    sync_every: timedelta = timedelta(minutes=15)
    tenant_cap: int = 6
    queue_suffix: str = ""

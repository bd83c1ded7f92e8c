"""Payload encryption: histories hold ciphertext, bound to the aggregate that they belong to.

AES-256-GCM with the key's id in the metadata. The associated data name the owner, the first two
parts of the workflow id (``connection/<id>`` or ``tenant/<id>``), and so exactly one tenant: a
payload moved to another tenant's history does not open there.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from temporalio.api.common.v1 import Payload
from temporalio.converter import (
    ActivitySerializationContext,
    PayloadCodec,
    SerializationContext,
    WithSerializationContext,
    WorkflowSerializationContext,
)

ENCODING: Final = b"binary/encrypted"
_ENCODING: Final = "encoding"
_KEY_ID: Final = "tc-key-id"
_OWNER: Final = "tc-owner"
_NONCE_BYTES: Final = 12
_DOMAIN: Final = b"tensorcost/temporal-payload/v1\x00"


class PayloadRefused(Exception):
    """A payload that cannot be opened: unknown key, foreign owner or changed bytes."""


def owner_of(workflow_id: str) -> str:
    """The aggregate of a workflow id: its first two parts."""
    return "/".join(workflow_id.split("/")[:2])


@dataclass(frozen=True)
class EncryptionCodec(PayloadCodec, WithSerializationContext):
    """``owner`` is what payloads are bound to; empty where nothing is known about them.

    Without an owner (a codec server shows payloads of any workflow) the one that a payload
    names is believed; with one, a payload of another is refused.
    """

    keys: Mapping[str, AESGCM]
    active: str
    owner: str = ""

    @classmethod
    def of(cls, keys: Mapping[str, bytes], active: str) -> Self:
        """From raw 32-byte keys; ``active`` names the one that encrypts."""
        return cls({key_id: AESGCM(raw) for key_id, raw in keys.items()}, active)

    def with_context(self, context: SerializationContext) -> Self:
        if isinstance(context, WorkflowSerializationContext | ActivitySerializationContext):
            return replace(self, owner=owner_of(context.workflow_id or ""))
        return self

    async def encode(self, payloads: Sequence[Payload]) -> list[Payload]:
        return [self._seal(payload) for payload in payloads]

    async def decode(self, payloads: Sequence[Payload]) -> list[Payload]:
        """Open ours; leave what is not encrypted as it is. Raises PayloadRefused."""
        return [
            self._open(payload) if payload.metadata.get(_ENCODING) == ENCODING else payload
            for payload in payloads
        ]

    def _seal(self, payload: Payload) -> Payload:
        nonce = os.urandom(_NONCE_BYTES)
        sealed = self.keys[self.active].encrypt(
            nonce, payload.SerializeToString(), _associated(self.owner)
        )
        return Payload(
            metadata={
                _ENCODING: ENCODING,
                _KEY_ID: self.active.encode(),
                _OWNER: self.owner.encode(),
            },
            data=nonce + sealed,
        )

    def _open(self, payload: Payload) -> Payload:
        owner = payload.metadata.get(_OWNER, b"").decode()
        if self.owner and owner != self.owner:
            raise PayloadRefused(f"the payload belongs to {owner or 'nobody'}, not to {self.owner}")
        key_id = payload.metadata.get(_KEY_ID, b"").decode()
        key = self.keys.get(key_id)
        if key is None:
            raise PayloadRefused(f"no key {key_id} here")
        nonce, sealed = payload.data[:_NONCE_BYTES], payload.data[_NONCE_BYTES:]
        try:
            opened = key.decrypt(nonce, sealed, _associated(owner))
        except InvalidTag as error:
            raise PayloadRefused("the payload was changed, or is bound to another owner") from error
        return Payload.FromString(opened)


def _associated(owner: str) -> bytes:
    return _DOMAIN + owner.encode()

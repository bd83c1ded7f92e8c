"""Text that only the bearer of a secret can read back; nothing we hold opens it."""

import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

_NONCE: Final = 12


def seal(secret: str, purpose: str, content: bytes) -> bytes:
    """AES-256-GCM under a key derived from ``secret`` for ``purpose``."""
    nonce = os.urandom(_NONCE)
    return nonce + AESGCM(_key(secret, purpose)).encrypt(nonce, content, purpose.encode())


def unseal(secret: str, purpose: str, sealed: bytes) -> bytes | None:
    """What was sealed; None when the secret or the purpose is another."""
    try:
        return AESGCM(_key(secret, purpose)).decrypt(
            sealed[:_NONCE], sealed[_NONCE:], purpose.encode()
        )
    except (InvalidTag, ValueError):
        return None


def _key(secret: str, purpose: str) -> bytes:
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=purpose.encode()).derive(
        secret.encode()
    )

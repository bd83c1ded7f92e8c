"""Whose tokens are believed: our own signing keys, and a Cognito pool where one is named."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx2

from tensorcost.domain.clock import Clock
from tensorcost.domain.identity.token import TokenVerifier
from tensorcost.providers.identity.backend import BackendVerifier, SigningKeys, TokenMinter
from tensorcost.providers.identity.cognito import CognitoVerifier
from tensorcost.providers.identity.jwks import RemoteKeys
from tensorcost.runtime.home import Home
from tensorcost.runtime.settings import AuthSettings, Settings

_OWN_KEY = "home"
_JWKS_TIMEOUT_SECONDS = 3.0


def signing_keys(settings: Settings) -> SigningKeys:
    """The configured keys, or the one that this installation made for itself."""
    auth = settings.auth
    if auth.signing_keys:
        secrets = {kid: key.get_secret_value().encode() for kid, key in auth.signing_keys.items()}
        return SigningKeys(secrets, auth.signing_key_id or next(iter(secrets)))
    return SigningKeys({_OWN_KEY: Home(settings.home).secret("signing_key").encode()}, _OWN_KEY)


def minter(settings: Settings, clock: Clock) -> TokenMinter:
    """Signs access tokens."""
    return TokenMinter(settings.auth.issuer, signing_keys(settings), clock)


@asynccontextmanager
async def verifiers(settings: Settings, clock: Clock) -> AsyncIterator[list[TokenVerifier]]:
    """One verifier an issuer."""
    auth = settings.auth
    own = BackendVerifier(auth.issuer, signing_keys(settings), clock)
    if not auth.cognito_issuer:
        yield [own]
        return
    async with httpx2.AsyncClient(timeout=_JWKS_TIMEOUT_SECONDS, follow_redirects=False) as http:
        yield [own, _cognito(auth, http, clock)]


def _cognito(auth: AuthSettings, http: httpx2.AsyncClient, clock: Clock) -> CognitoVerifier:
    issuer = auth.cognito_issuer.rstrip("/")
    keys = RemoteKeys(f"{issuer}/.well-known/jwks.json", http, clock)
    return CognitoVerifier(issuer, frozenset(auth.cognito_client_ids), keys, clock)

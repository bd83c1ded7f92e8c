"""Sealed text opens for the bearer of the secret alone."""

from hypothesis import given
from hypothesis import strategies as st

from tensorcost.providers.identity.sealing import seal, unseal


@given(st.text(), st.text(), st.binary())
def test_only_the_same_secret_and_purpose_open_it(secret: str, other: str, text: bytes) -> None:
    sealed = seal(secret, "purpose", text)
    assert unseal(secret, "purpose", sealed) == text
    assert unseal(secret, "another purpose", sealed) is None
    if other != secret:
        assert unseal(other, "purpose", sealed) is None
    assert seal(secret, "purpose", text) != sealed


@given(st.binary(max_size=60))
def test_garbage_does_not_open(garbage: bytes) -> None:
    assert unseal("secret", "purpose", garbage) is None

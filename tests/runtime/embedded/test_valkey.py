"""Valkey as our child."""

from pathlib import Path

import pytest
import redis
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError
from redis.retry import Retry

from tensorcost.runtime.embedded.valkey import EmbeddedValkey


def test_keys_are_found_again_when_persistent(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path, persist=True) as first:
        redis.Redis.from_url(first.url).set("kept", "yes")
    with EmbeddedValkey(tmp_path, persist=True) as second:
        assert redis.Redis.from_url(second.url).get("kept") == b"yes"


def test_keys_are_gone_when_not_persistent(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as first:
        redis.Redis.from_url(first.url).set("lost", "yes")
    with EmbeddedValkey(tmp_path) as second:
        assert redis.Redis.from_url(second.url).get("lost") is None


def test_a_client_without_the_password_is_refused(tmp_path: Path) -> None:
    with EmbeddedValkey(tmp_path) as address:
        client = redis.Redis(
            host=address.host, port=address.port, retry=Retry(NoBackoff(), retries=0)
        )
        with pytest.raises(AuthenticationError):
            client.ping()
        assert address.password not in repr(address)
    assert (tmp_path / "valkey.conf").stat().st_mode & 0o777 == 0o600

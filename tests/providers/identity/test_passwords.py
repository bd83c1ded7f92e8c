"""Passwords: hashing, unknown users, rehashing, overload."""

import asyncio

import pytest
from argon2 import PasswordHasher

from tensorcost.domain.errors import Unavailable
from tensorcost.providers.identity.passwords import Passwords

OLD = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
NEW = PasswordHasher(time_cost=2, memory_cost=16, parallelism=1)


async def test_the_right_password_matches_and_the_wrong_one_does_not() -> None:
    passwords = Passwords(OLD)
    stored = await passwords.hash("right")
    assert stored.startswith("$argon2id$")
    assert (await passwords.check(stored, "right")).matches
    assert not (await passwords.check(stored, "wrong")).matches


@pytest.mark.parametrize("stored", [None, "", "not a hash", "$argon2id$broken"])
async def test_without_a_usable_hash_nothing_matches(stored: str | None) -> None:
    passwords = Passwords(OLD)
    assert not (await passwords.check(stored, "nobody signs in with this")).matches


async def test_an_older_hash_is_replaced_when_its_password_is_seen() -> None:
    passwords = Passwords(NEW)
    checked = await passwords.check(OLD.hash("right"), "right")
    assert checked.rehashed is not None
    assert NEW.verify(checked.rehashed, "right")
    assert (await passwords.check(checked.rehashed, "right")).rehashed is None


async def test_a_flood_of_sign_ins_is_turned_away_instead_of_queued_for_ever() -> None:
    passwords = Passwords(OLD)
    stored = await passwords.hash("right")
    answers = await asyncio.gather(
        *(passwords.check(stored, "right") for _ in range(200)), return_exceptions=True
    )
    refused = [answer for answer in answers if isinstance(answer, Unavailable)]
    assert 0 < len(refused) < 200
    assert (await passwords.check(stored, "right")).matches, "and recovers"

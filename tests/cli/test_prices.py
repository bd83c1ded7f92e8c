"""``tensorcost prices import`` for a tenant: what its prices are for; loud where for nothing."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tensorcost.domain.spend.facts import RoutingScope
from tests.support.command import Command, Outcome
from tests.support.databases import Database
from tests.support.spend import MODEL, dimension
from tests.support.spend_rows import Use, add_uses
from tests.support.tenants import app_database, make_tenant

DEAL = {
    "litellm_provider": "bedrock",
    "mode": "chat",
    "input_cost_per_token": 1e-06,
    "output_cost_per_token": 5e-06,
}


@pytest.fixture
async def tenant(database: Database) -> str:
    """Two calls through a geographic profile, one through the global one."""
    made = await make_tenant(database)
    async with app_database(database) as db:
        moment = datetime(2026, 10, 5, 9, tzinfo=UTC)
        geo = dimension(routing_scope=RoutingScope.GEO)
        world = dimension(routing_scope=RoutingScope.GLOBAL)
        await add_uses(db, made, [Use(moment, geo), Use(moment, geo), Use(moment, world)])
    return str(made)


async def test_an_override_that_no_row_is_under_is_told_with_what_is_near(
    database: Database, tmp_path: Path, tenant: str
) -> None:
    command, file = Command(database, tmp_path), tmp_path / "own.json"

    def imported(key: str, *options: str) -> Outcome:
        file.write_text(json.dumps({key: DEAL}))
        named = ("--effective", "2026-10-05", "--tenant", tenant)
        done = command("prices", "import", str(file), *named, *options)
        assert done.code == 0, done.talk
        return done

    bare = imported(MODEL).talk
    assert f"{MODEL}: matches NO stored row" in bare
    near = f"2 requests geo / us-east-1 / standard; differs in routing scope; write us.{MODEL}"
    assert near in bare
    assert f"; write global.{MODEL}" in bare
    assert "NO stored row takes a price from this import" in bare
    assert "rerate list" not in bare

    told = imported(f"us.{MODEL}").talk
    assert f"{MODEL} geo / us-* / standard (input, output): 2 requests in 1 dimensions" in told
    assert "not matched: 1 requests global / us-east-1 / standard" in told
    assert "within a minute or so" in told
    assert "tensorcost prices rerate list --tenant" in told
    assert "which is empty until then" in told

    (again,) = imported(f"us.{MODEL}", "--json").json()["imports"]
    assert (again["new"], again["idle_models"]) == (False, 0)
    (match,) = again["matches"]
    assert [(one["region"], one["requests"]) for one in match["places"]] == [
        ("us-*", 2),
        ("ca-*", 0),
    ]
    assert [one["write_as"] for one in match["near_misses"]] == [f"global.{MODEL}"]

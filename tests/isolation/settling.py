"""A tenant with something of its own everywhere, put there through the product where it can be."""

import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import httpx2

from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.rerating.rerater import Rerater
from tensorcost.domain.cost.reconciliation.facts import Cell
from tensorcost.domain.ids import ConnectionId, TenantId
from tensorcost.domain.integration.plan import Site, WorkItem
from tensorcost.domain.integration.progress_records import NewRun
from tensorcost.domain.integration.states import RunKind, SourceKind
from tensorcost.domain.spend.bill import BillDelivery, BillLine, ChargeCategory, ParsedBill
from tensorcost.domain.spend.bill import TokenKind as BilledTokens
from tensorcost.domain.spend.facts import Actor, Grain, RoutingScope, ServiceTier
from tensorcost.domain.spend.parsed import ParsedSpend, Reject
from tensorcost.services.audit import seal_pending
from tensorcost.services.tenancy.create import CreatedTenant
from tensorcost.storage.reconciliation.due import read_periods_due
from tensorcost.storage.session import Database
from tensorcost.storage.spend.batches import ObjectRef, Origin
from tensorcost.storage.sync_history import open_run
from tensorcost.storage.sync_steps import plan_steps
from tests.isolation.catalogue import open_catalogue
from tests.isolation.filling import fill_the_rest
from tests.support import databases
from tests.support.price_rows import add_override
from tests.support.reconciled import explained_day, write_version
from tests.support.rerated import Books
from tests.support.served import ServedApi
from tests.support.spend import add_row, dimension
from tests.support.tenants import app_database

FLAG = "openai-recommenders-enabled"
REGION = "eu-west-3"
DEAL = {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-06}
"""A model's own price, as a price map says it."""
BILLED_MONTH = "2026-10"


@dataclass(frozen=True)
class Household:
    """One tenant and what may be asked about it. Every text of it contains ``marker``."""

    marker: str
    tenant: CreatedTenant
    token: str
    account_id: str
    connection: dict[str, Any]
    run_id: UUID
    guest: dict[str, Any]
    """The answer to an invitation."""
    refresh_token: str
    idempotency_key: str
    rerating_id: UUID

    @property
    def id(self) -> TenantId:
        return self.tenant.tenant_id

    @property
    def connection_id(self) -> ConnectionId:
        return ConnectionId(UUID(self.connection["id"]))

    def named(self, what: str) -> str:
        """The tenant's own ``agent``, ``team``, ``model`` and so on."""
        return f"{self.marker}-{what}"


async def settle(api: ServedApi, database: databases.Database, marker: str) -> Household:
    """Create a tenant and fill every table for it."""
    tenant = await api.tenant(marker)
    token, account = api.token(tenant), f"{secrets.randbelow(10**12):012d}"
    async with api.client(token) as client:
        key = f"{marker}-idempotency-key"
        connection = await _connect(client, marker, account, key)
        guest = await _asked(
            client, "POST", "/v1/tenant/members", json={"email": f"guest@{marker}.example"}
        )
        await _arrange(client, marker)
        signed_in = await _sign_in(client, tenant)
    async with app_database(database) as db:
        household = Household(
            marker=marker,
            tenant=tenant,
            token=token,
            account_id=account,
            connection=connection,
            run_id=uuid4(),
            guest=guest,
            refresh_token=signed_in["refreshToken"],
            idempotency_key=key,
            rerating_id=uuid4(),
        )
        await _spend(db, household, api.clock())
        async with api.client(token) as client:
            await _push(client, household, api.clock())
        await _bill(db, household)
        await _reconcile(db, household)
        await _rerate(db, household, api.clock())
        await seal_pending(db, household.id, lookback=None)
    async with open_catalogue(database.superuser_url) as catalogue:
        await catalogue.connection.execute(
            "UPDATE app.app_user SET display_name = $1 WHERE user_id = $2",
            f"{marker} owner",
            tenant.owner_id,
        )
        await fill_the_rest(catalogue, household.id, marker)
    return household


async def _asked(client: httpx2.AsyncClient, method: str, path: str, **request: Any) -> Any:
    answer = await client.request(method, path, **request)
    assert answer.status_code < 300, (method, path, answer.text)
    return answer.json()["data"]


async def _connect(
    client: httpx2.AsyncClient, marker: str, account: str, key: str
) -> dict[str, Any]:
    body = {
        "name": marker,
        "account_id": account,
        "settings": {"cur_bucket": f"{marker}-bucket", "log_bucket": f"{marker}-logs"},
    }
    made: dict[str, Any] = await _asked(
        client,
        "POST",
        "/v1/integration/connections",
        json=body,
        headers={"idempotency-key": key},
    )
    return made


async def _arrange(client: httpx2.AsyncClient, marker: str) -> None:
    await _asked(
        client, "PUT", "/v1/tenant/branding", json={"logo_url": f"https://{marker}.example/x.svg"}
    )
    await _asked(client, "PUT", f"/v1/tenant/feature-flags/{FLAG}", json={"enabled": True})


async def _sign_in(client: httpx2.AsyncClient, tenant: CreatedTenant) -> dict[str, Any]:
    body = {
        "email": tenant.owner_email,
        "password": tenant.one_time_password,
        "tenant_id": tenant.slug,
    }
    found: dict[str, Any] = await _asked(client, "POST", "/v1/auth/login", json=body)
    return found


async def _spend(db: Database, household: Household, now: datetime) -> None:
    """Priced requests of the last hours, with a run, its steps and a row that was refused."""
    start = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    price = f"{secrets.randbelow(10**6) + 10**6}.5"
    await add_override(
        db, household.id, household.named("model"), price, start - timedelta(days=400)
    )
    run = NewRun(
        tenant_id=household.id,
        run_id=household.run_id,
        connection_id=household.connection_id,
        kind=RunKind.BACKFILL,
        workflow_id=f"connection/{household.connection_id}/backfill/1",
        started_at=now,
        requested_by=f"user:{household.tenant.owner_id}",
    )
    async with db.tenant(household.id) as tx:
        await open_run(tx, run)
        await plan_steps(tx, run.run_id, _items(household, now), now)
    origin = Origin(str(household.connection_id), household.connection_id, household.run_id)
    ref = ObjectRef(household.named("object.json.gz"), household.named("etag"))
    parsed = _requests(household, start)
    await SpendIngest(db, PriceBooks(db)).load_object(
        household.id, origin, ref, lambda: [parsed], seen=True
    )


def _items(household: Household, now: datetime) -> list[WorkItem]:
    site = Site(
        SourceKind.LOGS_S3, household.account_id, REGION, {"bucket": household.named("logs")}
    )
    return [
        WorkItem(f"{site.key}/{place}", place, site, now - timedelta(days=place + 1), now)
        for place in range(2)
    ]


def _requests(household: Household, start: datetime) -> ParsedSpend:
    parsed = ParsedSpend(Grain.REQUEST)
    where = dimension(
        account_id=household.account_id,
        usage_account_id=household.account_id,
        region=REGION,
        model_id=household.named("model"),
        **{name: household.named(name) for name in ("application", "team", "environment", "owner")},
        tags=((household.named("key"), household.named("value")),),
    )
    who = Actor(*(household.named(name) for name in ("user", "agent", "workflow")))
    for number in range(4):
        add_row(
            parsed,
            household.named(f"request-{number}"),
            start + timedelta(hours=number),
            where,
            who,
            input_tokens=secrets.randbelow(10**6) + 10**6,
            conversation_id=household.named("conversation"),
            session_id=household.named("session"),
            error_code=household.named("error"),
        )
    parsed.rejects.append(Reject(household.named("refused.json"), 3, "not_json"))
    return parsed


async def _push(client: httpx2.AsyncClient, household: Household, now: datetime) -> None:
    event = {
        "id": household.named("pushed"),
        "timestamp": (now - timedelta(hours=2)).isoformat(),
        "source": "openai_api",
        "account_id": household.named("project"),
        "model_id": household.named("unpriced-model"),
        "input_tokens": 123_457,
        "team": household.named("team"),
    }
    told = await _asked(client, "POST", "/v1/ai/spend/events", json={"events": [event]})
    assert told["accepted"] == 1, told


async def _bill(db: Database, household: Household) -> None:
    nano = secrets.randbelow(10**9) + 10**13
    start = datetime.fromisoformat(f"{BILLED_MONTH}-03T00:00:00+00:00")
    line = BillLine(
        line_no=1,
        usage_start=start,
        usage_end=start + timedelta(days=1),
        payer_account_id=household.account_id,
        usage_account_id=household.account_id,
        region=REGION,
        line_item_type="Usage",
        charge_category=ChargeCategory.USAGE,
        in_scope=True,
        provider="bedrock",
        product_code="AmazonBedrock",
        usage_type=household.named("usage-type"),
        operation="InvokeModelInference",
        resource_id=household.named("resource"),
        model_id=household.named("model"),
        token_kind=BilledTokens.INPUT,
        routing_scope=RoutingScope.IN_REGION,
        service_tier=ServiceTier.STANDARD,
        quantity_micro=nano * 7,
        unit="tokens",
        unblended_nano=nano,
        amortized_nano=nano,
        net_nano=nano,
        currency="USD",
        invoice_id=household.named("invoice"),
    )
    delivery = BillDelivery(
        household.named("export"), start.date().replace(day=1), household.named("manifest"), "v1"
    )
    origin = Origin(str(household.connection_id), household.connection_id)
    await BillIngest(db).load_bill(
        household.id, origin, delivery, lambda: [ParsedBill(lines=[line], rows_read=1)]
    )


async def _reconcile(db: Database, household: Household) -> None:
    """The bill's day, part of it unlogged, as a version of its month."""
    async with db.tenant(household.id) as tx:
        (due,) = await read_periods_due(tx, datetime.now(UTC))
    cell = Cell(household.account_id, REGION, household.named("model"))
    dollars = secrets.randbelow(10**4) + 10**4
    await write_version(
        db,
        household.id,
        {due.period.replace(day=3): explained_day(dollars, dollars // 7, dollars // 2, cell=cell)},
        deliveries=due.deliveries,
        requested_by=f"user:{household.tenant.owner_id}",
    )


async def _rerate(db: Database, household: Household, now: datetime) -> None:
    """Another price for what was used, applied where that needs no approval."""
    books = Books(db, household.id, Rerater(db, lambda: now), ids=[household.rerating_id])
    owner, model = f"user:{household.tenant.owner_id}", household.named("model")
    price = f"{secrets.randbelow(10**6) + 10**6}.75"
    await books.price(price, now - timedelta(days=400), by=owner, model=model)
    assert (await books.look_again(requested_by=owner)).months
    await books.apply()

"""The stages, in the order in which a new user lives them."""

from __future__ import annotations

import asyncio
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

from demo.story import compare, compare_invoice, connecting, questions, reconciling, tenancy
from demo.story.api import Json, Session, SignIn, open_session
from demo.story.board import Board, StageFailed
from demo.story.commands import tensorcost_json
from demo.story.crew import Crew, Role
from demo.story.processes import Processes
from demo.story.questions import Answer
from demo.story.report import Findings, count_rows
from demo.story.repriced import ByTheList, by_the_list
from demo.story.settings import TENSORCOST, Options, cloud_env, product_env
from demo.story.worlds import prepare_world
from demo.world.spec import World
from tensorcost.runtime.embedded.ports import free_ports
from tensorcost.runtime.home import Home
from tensorcost.runtime.local import Addresses, servers
from tensorcost.runtime.settings import Settings

PRICE_SOURCE = "Northwind price list"
_BILL = "cost_and_usage_report"
_REPRICED_WITHIN = 10.0


class Story:
    """One telling. ``stack`` ends what it starts, the last first."""

    def __init__(
        self, options: Options, board: Board, found: Findings, crew: Crew, stack: AsyncExitStack
    ) -> None:
        self._options, self._board, self._found = options, board, found
        self._crew, self._stack = crew, stack
        self._env = product_env(options)
        self._memory = tenancy.Memory(options.home)

    async def play(self) -> None:
        """Every stage; raises at the first that does not hold."""
        self._addresses = await self._servers()
        world = await self._world()
        endpoint = await self._cloud(world)
        await self._prices(world)
        sign_in = await self._tenant()
        url = await self._processes(world, endpoint)
        self._session = await self._enter(url, sign_in)
        await self._connect(world)
        await self._backfill()
        await self._reconcile(world, endpoint)
        await self._answers(world)
        await self._findings(world)

    async def stay(self) -> None:
        """Show the way in, and serve until interrupted."""
        await self._session.log_in()
        where, who = self._session, self._session.sign_in
        console = self._board.console
        console.rule("Look around (Ctrl-C ends everything)", style="dim")
        for name, text in (
            ("GraphQL explorer", f"{where.url}/graphql"),
            ("REST docs", f"{where.url}/docs"),
            ("Temporal UI", self._addresses.temporal_ui),
            ("sign in", f"{who.email} / {who.password} / tenant {who.tenant} (fake, local)"),
            ("token", f"Bearer {where.token}"),
            ("", "for explorer and docs, 15 minutes; the Temporal UI needs none"),
            ("another token", another_token(where)),
        ):
            self._board.note(f"{name:<17} {text}")
        try:
            await asyncio.Event().wait()
        finally:
            self._board.note("stopping everything", "dim")

    async def _servers(self) -> Addresses:
        with self._board.stage("servers", "starting servers") as stage:
            settings = Settings(home=self._options.home)
            addresses = await self._stack.enter_async_context(servers(settings, stage.say))
            refuse_company(self._options.home)
            self._stack.push_async_callback(self._crew.stop)
            stage.detail = "PostgreSQL 18, Valkey, Temporal"
            return addresses

    async def _world(self) -> World:
        with self._board.stage("world", "building Northwind Robotics") as stage:
            return await prepare_world(self._options, stage, connected=self._memory.connected)

    async def _cloud(self, world: World) -> str:
        with self._board.stage("cloud", "starting the emulated AWS") as stage:
            (port,) = free_ports(1)
            endpoint = f"http://127.0.0.1:{port}"
            argv = [sys.executable, "-m", "demo.aws", "--port", str(port), "--with-parent"]
            argv += ["--world", world.folder]
            await self._crew.start(Role("cloud", argv, self._env, f"{endpoint}/__sim/health"))
            stage.detail = f"STS, S3, CloudWatch, Bedrock, Organizations on {endpoint}"
            return endpoint

    async def _prices(self, world: World) -> None:
        with self._board.stage("prices", "importing prices") as stage:
            found = await tensorcost_json(
                self._env,
                *("prices", "import", str(Path(world.folder) / "prices.json")),
                *("--effective", f"{world.prices_effective:%Y-%m-%d}", "--source", PRICE_SOURCE),
            )
            (made,) = found["imports"]
            told = f"{made['prices']} prices" if made["new"] else "there already"
            stage.detail = f"{made['source']}, from {made['effective_from']}: {told}"

    async def _tenant(self) -> SignIn:
        with self._board.stage("tenant", "creating the tenant") as stage:
            return await tenancy.ensure_tenant(self._memory, self._env, stage)

    async def _processes(self, world: World, endpoint: str) -> str:
        with self._board.stage("processes", "starting workers and API") as stage:
            api, core, cloud = free_ports(3)
            url = f"http://127.0.0.1:{api}"
            env = self._env | cloud_env(world, endpoint)
            await self._crew.start(
                _worker("core", core, env),
                _worker("cloud", cloud, env),
                Role("api", (TENSORCOST, "api", "--port", str(api)), env, f"{url}/readyz"),
            )
            stage.detail = f"worker core, worker cloud, API on {url}"
            return url

    async def _enter(self, url: str, sign_in: SignIn) -> Session:
        with self._board.stage("sign-in", "signing in") as stage:
            session = await self._stack.enter_async_context(open_session(url, sign_in))
            await tenancy.enter(session, self._memory, stage)
            return session

    async def _connect(self, world: World) -> None:
        session, found = self._session, self._found
        with self._board.stage("connect", "creating the connection") as stage:
            connection = await connecting.ensure_connection(session, world, self._board, stage)
        with self._board.stage("validate", "validating") as stage:
            await connecting.ensure_valid(session, connection, stage)
            self._memory.note_connected()
            where = f"{connecting.CONNECTIONS}/{connection['id']}"
            found.connection = await session.get(where)
            found.accounts = await session.get(f"{where}/accounts")

    async def _backfill(self) -> None:
        session, found = self._session, self._found
        with self._board.stage("backfill", "reading 90 days") as stage:
            run = await connecting.ensure_backfilled(session, found.connection, stage)
            self._backfilled_at = str(run["finished_at"])
            found.connection = await session.get(
                f"{connecting.CONNECTIONS}/{found.connection['id']}"
            )
        with self._board.stage("bill", "looking for the bill") as stage:
            steps = await connecting.steps_of(session, run)
            found.rows = count_rows(run, steps)
            months = [s for s in steps if s["source"] == _BILL and s["rows_accepted"]]
            if not found.rows["bill"]:
                raise StageFailed("no bill line was read")
            stage.detail = f"{found.rows['bill']:,} lines, {len(months)} billing period(s)"

    async def _reconcile(self, world: World, cloud: str) -> None:
        session, connection = self._session, self._found.connection["id"]
        with self._board.stage("reconcile", "holding usage against the bill") as stage:
            processes = await Processes.at(self._addresses)
            await reconciling.ensure_reconciled(session, processes, stage)
        with self._board.stage("restatement", "looking at the last closed month") as stage:
            self._found.restated = await reconciling.ensure_restated(
                session, processes, world, cloud, connection, stage
            )

    async def _answers(self, world: World) -> None:
        with self._board.stage("answers", "where did the money go?") as stage:
            for last in (False, False, True):
                told, rest, graphql = await self._estimates(world)
                try:
                    exact = await self._invoice(world)
                    held = compare.check(rest, graphql, told, compare.read_key(world))
                except StageFailed as error:
                    if last or not told.note:
                        raise
                    # A re-rating writes between two questions: what is wrong stays wrong.
                    stage.say(f"asking again: {error}")
                    await asyncio.sleep(_REPRICED_WITHIN)
                else:
                    stage.detail = f"{held}; {exact}"
                    return

    async def _estimates(self, world: World) -> tuple[ByTheList, Answer, Answer]:
        session, window = self._session, questions.window_of(world)
        rest = await questions.ask_rest(session, window, questions.ESTIMATE)
        graphql = await questions.ask_graphql(session, window, questions.ESTIMATE)
        self._found.answer = rest
        told = await by_the_list(session, window, rest, self._backfilled_at)
        return told, rest, graphql

    async def _invoice(self, world: World) -> str:
        """What held of the bill. It is told even where a check fails."""
        bill, said, places = await compare_invoice.ask(self._session)
        self._found.invoice, self._found.places = bill.invoice, places
        key = compare_invoice.read_key(world)
        return compare_invoice.check(bill, said, self._found.restated, key)

    async def _findings(self, world: World) -> None:
        with self._board.stage("findings", "reading findings") as stage:
            where = f"{connecting.CONNECTIONS}/{self._found.connection['id']}"
            found = await self._session.all(f"{where}/findings", state="open")
            self._found.open = sorted(found, key=_urgency)
            stage.detail = compare.check_findings(self._found.open, world)


def _urgency(finding: Json) -> tuple[int, str, str]:
    worst = ("error", "warning", "info").index(finding["severity"])
    return worst, finding["code"], finding["subject"]


def _worker(queue: str, port: int, env: dict[str, str]) -> Role:
    argv = (TENSORCOST, "worker", queue, "--probe-port", str(port))
    return Role(f"worker {queue}", argv, env, f"http://127.0.0.1:{port}/readyz")


def refuse_company(home: Path) -> None:
    """StageFailed when the servers of ``home`` are another process's: they would go with it."""
    running = Home(home).running()
    if running is not None and running["pid"] != os.getpid():
        raise StageFailed(
            f"{home} is in use by process {running['pid']}: look at what it shows, or give"
            " another --home"
        )


def another_token(session: Session) -> str:
    """A command that signs in again."""
    who = session.sign_in
    body = f'{{"email":"{who.email}","password":"{who.password}","tenant_id":"{who.tenant}"}}'
    return f"curl -s {session.url}/v1/auth/login -H 'content-type: application/json' -d '{body}'"

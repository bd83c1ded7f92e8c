"""Guards: what workflows call is what workers register, in a sandbox that would notice time."""

import ast
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, cast

from temporalio import activity

from tensorcost import workflows
from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.integration.ports import Loaders
from tensorcost.domain.temporal import TaskQueue
from tensorcost.storage.session import Database
from tensorcost.workers.build import WORKFLOWS, WorkerDeps, activities
from tensorcost.workers.plugin import PASS_THROUGH, workflow_runner
from tensorcost.workers.settings import WorkerSettings
from tests.support.temporal_house import utc_now
from tests.workflows.activity_types import ACTIVITIES

FOLDER = Path(next(iter(workflows.__path__)))
SOURCES = sorted(FOLDER.glob("*.py"))


def name_of(callable_: Any) -> str:
    return activity._Definition.must_from_callable(callable_).name or ""


def deps() -> WorkerDeps:
    db = cast(Database, None)
    return WorkerDeps(
        client=cast(Any, None),
        db=db,
        connectors={},
        loaders=Loaders(SpendIngest(db, PriceBooks(db)), BillIngest(db)),
        threads=ThreadPoolExecutor(1),
        clock=utc_now,
        settings=WorkerSettings(),
    )


def referenced() -> set[tuple[str, str]]:
    """(class, method) of every activity that a workflow module names."""
    found = set()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            owner = node.value if isinstance(node, ast.Attribute) else None
            if isinstance(owner, ast.Name) and owner.id.endswith("Activities"):
                assert isinstance(node, ast.Attribute)
                found.add((owner.id, node.attr))
    return found


def test_workers_register_exactly_what_workflows_call() -> None:
    bound = activities(deps())
    registered = {
        (type(method.__self__).__name__, method.__name__)
        for method in (*bound.core, *bound.cloud)
        if hasattr(method, "__self__")
    }
    assert registered == referenced()


def test_the_workflow_tests_know_every_activity() -> None:
    bound = activities(deps())
    names = [name_of(method) for method in (*bound.core, *bound.cloud)]
    assert sorted(names) == sorted(name_of(method) for method in ACTIVITIES)
    assert all("." in name for name in names)


def test_every_workflow_of_the_package_is_registered() -> None:
    defined = {
        node.name
        for path in SOURCES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any("workflow.defn" in ast.unparse(made) for made in node.decorator_list)
    }
    assert defined == {cls.__name__ for cls in WORKFLOWS}


def test_workflows_are_never_passed_through_the_sandbox() -> None:
    assert "tensorcost" not in PASS_THROUGH
    passed = workflow_runner().restrictions.passthrough_modules
    assert "tensorcost.domain" in passed
    assert not any(name.startswith("tensorcost.workflows") for name in passed)


def test_no_workflow_reads_a_clock_or_dice() -> None:
    forbidden = {"datetime.now", "time.time", "random.random", "uuid.uuid4", "asyncio.sleep"}
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                assert ast.unparse(node.func) not in forbidden, path.name


def test_a_queues_name_can_be_turned_into_its_partners() -> None:
    core, cloud = (queue.value for queue in TaskQueue)
    assert f"{core}-x".replace(core, cloud, 1) == f"{cloud}-x"

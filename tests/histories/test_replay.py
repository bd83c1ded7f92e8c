"""Histories of released behaviours replay against today's code, offline.

When this fails, running workflows would break at the next deploy: patch the workflow
(``workflow.patched``), or, for a behaviour that was never released, record it anew with
``python -m tests.histories.record``.
"""

import re
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from tensorcost.domain.cost.contracts import RECONCILE
from tensorcost.domain.cost.contracts_rerating import RERATE
from tensorcost.domain.integration.contracts import WorkflowName
from tensorcost.domain.tenancy.onboarding_contracts import CUSTOMER_ONBOARDING
from tensorcost.domain.tenancy.secret_rotation import STORED_SECRET_ROTATION
from tensorcost.workers.build import WORKFLOWS
from tensorcost.workers.plugin import temporal_plugin

FOLDER = Path(__file__).parent
HISTORIES = sorted(FOLDER.glob("*/*.json"))


def history_of(path: Path) -> WorkflowHistory:
    return WorkflowHistory.from_json(f"{path.parent.name}/{path.stem}", path.read_text())


def replayer() -> Replayer:
    return Replayer(workflows=WORKFLOWS, plugins=[temporal_plugin()])


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
async def test_a_recorded_history_replays(path: Path) -> None:
    await replayer().replay_workflow(history_of(path))


def test_every_workflow_has_a_recorded_history() -> None:
    recorded = {path.parent.name for path in HISTORIES}
    others = {CUSTOMER_ONBOARDING, RECONCILE, RERATE, STORED_SECRET_ROTATION}
    assert recorded == {name.value for name in WorkflowName} | others


async def test_a_history_whose_commands_changed_is_refused() -> None:
    path = FOLDER / "Backfill" / "completed.json"
    changed = path.read_text().replace("integration.plan_backfill", "integration.plan_other")
    history = WorkflowHistory.from_json("Backfill/changed", changed)
    with pytest.raises(workflow.NondeterminismError):
        await replayer().replay_workflow(history)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_a_recorded_history_names_no_machine(path: Path) -> None:
    text = path.read_text()
    assert not re.search(r"\d+@\w|/home/|/root/|/work/|/tmp/|\.py\\?\"", text)

"""Rows read before and after the key of their hashes was replaced: counted once, never in doubt."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from temporalio.exceptions import ApplicationError

from tensorcost.activities.ingest.bills import BillIngest
from tensorcost.activities.ingest.files import FileImport, FileImporter
from tensorcost.activities.ingest.pipeline import SpendIngest
from tensorcost.activities.ingest.prices import PriceBooks
from tensorcost.activities.ingest.report import IngestReport
from tensorcost.activities.integration.ports import ConnectorError, ReadJob
from tensorcost.domain.ids import TenantId
from tensorcost.domain.spend.formats import FileFormat
from tensorcost.domain.spend.parsed import ParsedSpend
from tensorcost.domain.tenancy.stored_secrets import StoredSecretKind
from tensorcost.providers.bedrock.invocation_log import LogParse, parse_object
from tensorcost.storage.secrets import add_secret, destroy_secret, version_in_use
from tensorcost.storage.session import Database
from tests.activities.integration.item_bench import make_bench
from tests.providers.bedrock.samples import NOW, lines, record
from tests.support.scripted_connector import ScriptedConnector

KIND = StoredSecretKind.CONTENT_HASH


async def rotate(db: Database, tenant: TenantId) -> None:
    """As at the end of a rotation: another key is in use, the earlier one is gone."""
    async with db.tenant(tenant) as tx:
        earlier = await version_in_use(tx, KIND)
        assert earlier is not None
        await add_secret(tx, KIND, b"another-key-of-thirty-two-bytes!")
        assert await destroy_secret(tx, KIND, earlier)


async def stored(db: Database, tenant: TenantId) -> list[tuple[Any, ...]]:
    """Every row with what is counted of it and the hash of its prompt, oldest id first."""
    async with db.tenant(tenant) as tx:
        rows = await tx.all(
            "SELECT event_id, input_tokens, output_tokens, prompt_hash, response_hash,"
            " prefix_hashes FROM ai.spend_event ORDER BY event_id"
        )
        assert not await tx.scalar("SELECT count(*) FROM app.quarantine")
        counted = await tx.scalar("SELECT coalesce(sum(requests), 0) FROM ai.spend_daily")
        assert counted == len(rows)
    return [tuple(row) for row in rows]


def calls(numbers: range, **changes: Any) -> bytes:
    """Log records with one and the same prompt, told apart by their request ids."""
    made = [record(requestId=str(UUID(int=1_000 + n)), **changes) for n in numbers]
    return lines(*made)


async def test_what_is_read_again_under_another_key_is_a_duplicate(
    db: Database, tenant: TenantId, tmp_path: Path
) -> None:
    async def load(name: str, content: bytes) -> IngestReport:
        path = tmp_path / name
        path.write_bytes(content)
        importer = FileImporter(db, SpendIngest(db, PriceBooks(db)), BillIngest(db), lambda: NOW)
        wanted = FileImport(path, FileFormat.BEDROCK_LOGS)
        return (await importer.load(tenant, wanted)).total

    unnamed = lines(record(requestId=...))
    first = await load("one.json", calls(range(3)) + unnamed)
    assert (first.rows_read, first.accepted, first.rejected) == (4, 4, 0)
    before = await stored(db, tenant)
    assert len({row[3] for row in before}) == 1, "equal prompts under one key"
    await rotate(db, tenant)

    again = await load("one.json", calls(range(3)) + unnamed)
    assert (again.accepted, again.duplicate, again.rejected) == (0, 4, 0)
    longer = await load("two.json", calls(range(4)))
    assert (longer.accepted, longer.duplicate, longer.rejected) == (1, 3, 0)
    after = await stored(db, tenant)
    assert [row for row in after if row in before] == before, "rows stay as they were read"
    (added,) = [row for row in after if row not in before]
    assert added[1:3] == before[0][1:3]
    for hashed in (3, 4, 5):
        assert added[hashed] not in {None, *(row[hashed] for row in before)}


class LogConnector(ScriptedConnector):
    """Objects of real log records, hashed with the key that the job is given."""

    def _rows(self, job: ReadJob, key: str) -> Iterator[ParsedSpend]:
        if key in self.torn:
            raise self.torn[key]
        parse = LogParse(file=key, hash_key=job.hash_key, bounds=job.bounds, file_hash=key)
        number = int(key[-len("0000.json.gz") :][:4])
        content = calls(range(3 * number, 3 * number + 3))
        yield from parse_object([content], parse)


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(max_workers=4) as pool:
        yield pool


async def test_an_item_whose_attempts_had_two_keys_has_each_row_once(
    db: Database, tenant: TenantId, threads: ThreadPoolExecutor
) -> None:
    bench = await make_bench(db, tenant, threads)
    connector = LogConnector(objects_per_item=3)
    bench.acts = replace(bench.acts, connectors={"bedrock": connector})
    torn = f"{bench.item.step_key}/0001.json.gz"
    connector.torn = {torn: ConnectorError("NETWORK", "no route", retry_after=1)}
    with pytest.raises(ApplicationError):
        await bench.ingest()
    before = await stored(db, tenant)
    assert len(before) == 3
    await rotate(db, tenant)

    connector.torn = {}
    bench.resume_from()
    outcome = await bench.ingest()
    assert (outcome.tally.accepted, outcome.tally.duplicate, outcome.tally.rejected) == (9, 0, 0)
    after = await stored(db, tenant)
    assert len(after) == 9
    assert [row for row in after if row in before] == before
    assert len({row[3] for row in after}) == 2, "one prompt, hashed with two keys"

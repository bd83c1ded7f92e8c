"""A worker as a process of its own, to be killed.

python -m tests.support.worker_process CONFIG.json
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tensorcost.activities.integration.bedrock.connector import BedrockConnector
from tensorcost.runtime.embedded.temporal import TemporalAddress
from tensorcost.storage.engine import make_engine
from tensorcost.storage.session import Database
from tests.support.estate import Estate
from tests.support.temporal_house import open_house, utc_now

REPOSITORY = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class WorkerConfig:
    temporal: TemporalAddress
    database_url: str
    suffix: str
    estate: Estate


@contextmanager
def worker_process(config: WorkerConfig, folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A running worker process; killed at the end if it lives."""
    file = folder / f"worker-{len(list(folder.iterdir()))}.json"
    file.write_text(json.dumps(asdict(config)))
    log = file.with_suffix(".log")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.support.worker_process", str(file)],
            cwd=REPOSITORY,
            stdout=output,
            stderr=output,
        )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


async def main(raw: dict[str, Any]) -> None:
    engine = make_engine(raw["database_url"], application_name="test-worker")
    connector = BedrockConnector(Estate(**raw["estate"]).sessions(), utc_now)
    address = TemporalAddress(**raw["temporal"])
    async with open_house(address, Database(engine), connector, suffix=raw["suffix"]):
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(json.loads(Path(sys.argv[1]).read_text())))

"""Commands of the product, run to their end as a person would."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from demo.story.board import StageFailed
from demo.story.settings import TENSORCOST

_LAST_WORDS = 600


async def tensorcost_json(env: Mapping[str, str], *arguments: str) -> dict[str, Any]:
    """Run ``tensorcost … --json`` and return its object; StageFailed with its last words."""
    process = await asyncio.create_subprocess_exec(
        TENSORCOST,
        *arguments,
        "--json",
        env=dict(env),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, talk = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode != 0:
        words = talk.decode(errors="replace").strip()[-_LAST_WORDS:]
        raise StageFailed(f"tensorcost {' '.join(arguments[:2])} failed: {words}")
    answer = json.loads(out)
    if not isinstance(answer, dict):
        raise StageFailed(f"tensorcost {' '.join(arguments[:2])} answered with no object")
    return answer

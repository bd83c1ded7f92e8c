"""``tensorcost codec`` opens payloads for the operator's token and for nobody else."""

import asyncio
import base64
import os
import signal
import subprocess
import sys
from collections.abc import Iterator

import httpx2
import pytest
from google.protobuf import json_format
from temporalio.api.common.v1 import Payload, Payloads

from tensorcost.runtime.embedded.ports import free_port
from tensorcost.workers.codec import EncryptionCodec

KEY = bytes(range(32))
TOKEN = "fake-operator-token-for-tests"


@pytest.fixture(scope="module")
def served() -> Iterator[str]:
    port = free_port()
    keys = '{"k1": "' + base64.b64encode(KEY).decode() + '"}'
    process = subprocess.Popen(
        [sys.executable, "-c", "from tensorcost.cli import main; main()", "codec"],
        env={
            **os.environ,
            "TENSORCOST_TEMPORAL__ENCRYPTION_KEYS": keys,
            "TENSORCOST_TEMPORAL__CODEC_TOKEN": TOKEN,
            "TENSORCOST_TEMPORAL__CODEC_PORT": str(port),
            "TENSORCOST_TEMPORAL__UI_URL": "http://127.0.0.1:8233",
        },
        stderr=subprocess.DEVNULL,
    )
    yield f"http://127.0.0.1:{port}"
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=30)


async def decode(url: str, body: bytes, token: str) -> httpx2.Response:
    async with httpx2.AsyncClient(trust_env=False) as client:
        for _ in range(200):
            try:
                return await client.post(
                    f"{url}/decode", content=body, headers={"authorization": f"Bearer {token}"}
                )
            except httpx2.ConnectError:
                await asyncio.sleep(0.1)
    raise AssertionError("the codec server did not start")


async def test_only_the_operator_sees_what_a_payload_holds(served: str) -> None:
    codec = EncryptionCodec.of({"k1": KEY}, "k1")
    sealed = await codec.encode([Payload(metadata={"encoding": b"json/plain"}, data=b'"hello"')])
    body = json_format.MessageToJson(Payloads(payloads=sealed)).encode()
    assert b"hello" not in body
    assert (await decode(served, body, "somebody-else")).status_code == 401
    answer = await decode(served, body, TOKEN)
    assert answer.status_code == 200
    opened = json_format.Parse(answer.content, Payloads())
    assert opened.payloads[0].data == b'"hello"'


def test_without_keys_it_refuses_to_start() -> None:
    done = subprocess.run(
        [sys.executable, "-c", "from tensorcost.cli import main; main()", "codec"],
        env={k: v for k, v in os.environ.items() if not k.startswith("TENSORCOST_")},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "ENCRYPTION_KEYS" in done.stderr

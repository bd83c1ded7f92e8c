"""The codec server: an operator reads, nobody else does."""

from typing import Any

import httpx2
import pytest
from google.protobuf import json_format
from pydantic import SecretStr
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.converter import WorkflowSerializationContext

from tensorcost.workers.codec import EncryptionCodec
from tensorcost.workers.codec_server import codec_app, operator_token

TOKEN = "fake-operator-token"
UI = "http://temporal-ui.test"
CODEC = EncryptionCodec.of({"k": bytes(range(32))}, "k")
PLAIN = Payload(metadata={"encoding": b"json/plain"}, data=b'{"a":1}')


async def sealed(codec: EncryptionCodec = CODEC) -> dict[str, Any]:
    context = WorkflowSerializationContext(namespace="default", workflow_id="connection/1/x")
    payloads = await codec.with_context(context).encode([PLAIN])
    found: dict[str, Any] = json_format.MessageToDict(Payloads(payloads=payloads))
    return found


async def post(body: Any, token: str = TOKEN, **headers: str) -> httpx2.Response:
    app = codec_app(CODEC, operator_token(SecretStr(TOKEN)), [UI])
    transport = httpx2.ASGITransport(app=app)
    async with httpx2.AsyncClient(transport=transport, base_url="http://codec.test") as client:
        given = {"authorization": f"Bearer {token}", **headers}
        return await client.post("/decode", json=body, headers=given)


async def test_an_operator_sees_the_payload() -> None:
    answer = await post(await sealed())
    assert answer.status_code == 200
    (opened,) = json_format.ParseDict(answer.json(), Payloads()).payloads
    assert opened == PLAIN


@pytest.mark.parametrize("token", ["", "another", "fake-operator-toke"])
async def test_nobody_else_sees_anything(token: str) -> None:
    answer = await post(await sealed(), token)
    assert answer.status_code == 401
    assert "payloads" not in answer.json()


async def test_a_payload_of_another_key_is_refused() -> None:
    other = EncryptionCodec.of({"other": bytes(32)}, "other")
    assert (await post(await sealed(other))).status_code == 422


async def test_what_is_no_message_is_refused() -> None:
    assert (await post({"payloads": "no"})).status_code == 400


async def test_only_the_uis_origin_is_let_in() -> None:
    mine = await post(await sealed(), origin=UI)
    foreign = await post(await sealed(), origin="http://evil.test")
    assert mine.headers["access-control-allow-origin"] == UI
    assert "access-control-allow-origin" not in foreign.headers

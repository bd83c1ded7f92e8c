"""The simulator: every request is authenticated, struck by faults, answered and written down."""

from __future__ import annotations

import base64
import uuid
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from demo.aws.access import Caller
from demo.aws.context import Context, Note, Tweaks
from demo.aws.errors import AwsError, Kind, of_kind, render
from demo.aws.faults import Faults, Strike, resource_of, shape
from demo.aws.http import HttpRequest, HttpResponse
from demo.aws.ledger import Entry, Ledger
from demo.aws.logstore import LogStore
from demo.aws.metrics import MetricStore
from demo.aws.objects import ObjectStore
from demo.aws.passthrough import Moto
from demo.aws.presets import apply_preset
from demo.aws.requests import FaultRequest, SeedRequest
from demo.aws.services import SERVICES
from demo.aws.sessions import Sessions, Unauthenticated
from demo.aws.state import SeedError, SimState, dump_state, parse_state
from demo.aws.wire import Call, Signature, read_call, read_signature

_SHARED_WITH_MOTO = {"iam"}
"""Services of which only some operations are cloud-sim's."""


class Simulator:
    """All of the emulated AWS behind one handler."""

    def __init__(self) -> None:
        self._pristine = dump_state(SimState())
        self._state = SimState()
        self.sessions = Sessions()
        self.objects = ObjectStore()
        self._metrics = MetricStore()
        self._logs = LogStore()
        self.faults = Faults()
        self.ledger = Ledger()
        self.moto = Moto()

    async def close(self) -> None:
        await self.moto.close()

    def load_folder(self, folder: Path) -> None:
        """Serve a world made by ``demo.world``; replaces what was there. Raises SeedError."""
        path = folder / "world.json"
        if not path.is_file():
            raise SeedError(f"{folder} holds no world.json")
        self._load(parse_state(path.read_bytes()))
        self.objects.add_folder(folder / "s3")
        self._metrics.load_folder(folder / "metrics")
        self._logs.load_folder(folder / "logs")

    def _load(self, state: SimState) -> None:
        self.objects.clear()
        self._metrics.clear()
        self._logs.clear()
        self.sessions.clear()
        self.faults.clear()
        self.ledger.clear()
        self._metrics.add_points(state.metric_points)
        self._logs.add(state.log_events)
        for item in state.objects:
            body = base64.b64decode(item.base64) if item.base64 else (item.text or "").encode()
            self.objects.put(item.bucket, item.key, body)
        light = msgspec.structs.replace(state, metric_points=[], log_events=[], objects=[])
        self._pristine = dump_state(light)
        self._state = light

    async def handle(self, request: HttpRequest) -> HttpResponse:
        request_id = str(uuid.uuid4())
        signature = read_signature(request)
        if signature is None:
            error = AwsError("MissingAuthenticationToken", "Missing Authentication Token", 403)
            return render("s3" if request.method == "GET" else "sts", error, request_id)
        return await self._aws(request, signature, request_id)

    async def _aws(
        self, request: HttpRequest, signature: Signature, request_id: str
    ) -> HttpResponse:
        service = signature.service
        call = Call(service, "", signature.region, {}, "", request)
        caller: Caller | None = None
        strike: Strike | None = None
        note, error = Note(), None
        number = self.ledger.next_number()
        try:
            call = read_call(request, signature)
            note.resource = resource_of(call) or None
            caller = self._authenticate(signature)
            strike = self.faults.strike(call, caller.account, note.resource or "")
            if strike and strike.expire:
                self._end_sessions(caller)
            response = await self._answer(call, caller, strike, note)
        except Unauthenticated as refused:
            error = of_kind(service, refused.kind)
            response = render(service, error, request_id, request.path)
        except AwsError as failed:
            error = failed
            response = render(service, failed, request_id, request.path)
        response.headers.setdefault("x-amzn-requestid", request_id)
        self.ledger.add(
            Entry(
                number=number,
                time=datetime.now(UTC),
                service=service,
                operation=call.operation,
                account=caller.account if caller else "",
                region=call.region,
                principal=caller.arn if caller else signature.access_key,
                status=response.status,
                role=note.role,
                external_id=note.external_id,
                session_policy=note.session_policy,
                resource=note.resource,
                metrics=note.metrics,
                error=error.code if error else None,
                fault=strike.name or "rule" if strike else None,
            )
        )
        return shape(response, strike) if strike else response

    def _authenticate(self, signature: Signature) -> Caller:
        return self.sessions.caller(self._state, signature.access_key, signature.token)

    def _end_sessions(self, caller: Caller) -> None:
        """All of them end; who calls with one learns it at once."""
        self.sessions.expire_all()
        if caller.role_arn is not None:
            raise Unauthenticated(Kind.EXPIRED)

    async def _answer(
        self, call: Call, caller: Caller, strike: Strike | None, note: Note
    ) -> HttpResponse:
        if strike and strike.error:
            note.role = call.text("RoleArn")
            note.external_id = call.text("ExternalId")
            note.session_policy = call.text("Policy") is not None
            raise strike.error
        owner = self._state.account(caller.account)
        if owner and call.region in owner.disabled_regions:
            raise of_kind(call.service, Kind.REGION_DISABLED)
        operations = SERVICES.get(call.service, {})
        handler = operations.get(call.operation)
        if handler is None:
            if call.service in SERVICES and call.service not in _SHARED_WITH_MOTO:
                text = f"cloud-sim has no {call.service}:{call.operation}"
                raise AwsError("UnknownOperationException", text, 400)
            return await self.moto.forward(call.request, caller.account)
        context = Context(
            state=self._state,
            sessions=self.sessions,
            objects=self.objects,
            metrics=self._metrics,
            logs=self._logs,
            tweaks=strike.tweaks if strike else Tweaks(),
            note=note,
        )
        return handler(context, call, caller)

    @property
    def state(self) -> SimState:
        return self._state

    def seed(self, wanted: SeedRequest) -> None:
        """Replace the world; raises SeedError."""
        if wanted.folder is not None:
            self.load_folder(Path(wanted.folder))
        elif wanted.state is not None:
            self._load(wanted.state)
        else:
            raise SeedError("a seed names a folder or carries a state")

    def arm(self, wanted: FaultRequest) -> None:
        """Add rules or apply a preset, wholly or not at all; raises PresetError."""
        rules = list(wanted.rules)
        if wanted.preset is not None:
            changed = parse_state(dump_state(self._state))
            rules += apply_preset(wanted.preset, changed, wanted.args)
            self._state = changed
        for rule in rules:
            self.faults.add(rule)

    def heal(self) -> None:
        """No faults, and the state as it was seeded."""
        self.faults.clear()
        self.objects.undo_replacements()
        self._state = parse_state(self._pristine)

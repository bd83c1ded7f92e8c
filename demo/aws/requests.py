"""What the control path accepts."""

from __future__ import annotations

import msgspec

from demo.aws.faults import Fault
from demo.aws.presets import PresetArgs
from demo.aws.state import SimState


class FaultRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /__sim/faults: rules, or a preset with its arguments."""

    rules: list[Fault] = []
    preset: str | None = None
    args: PresetArgs = msgspec.field(default_factory=PresetArgs)


class SeedRequest(msgspec.Struct, kw_only=True, forbid_unknown_fields=True):
    """The body of POST /__sim/seed: a world's folder, or a state."""

    folder: str | None = None
    state: SimState | None = None

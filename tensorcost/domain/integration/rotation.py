"""The rules of a rotation: when to look again, what a look leads to, how it ends."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

from tensorcost.domain.errors import ValidationFailed
from tensorcost.domain.integration.contracts_rotation import Admission, Look, RotationState, Side

SHORTEST_OVERLAP: Final = 1
LONGEST_OVERLAP: Final = 30
"""Days for which both secrets of a rotation may stand."""
LOOKS_PER_PACE: Final = 20
LONGEST_PAUSE: Final = timedelta(minutes=10)
"""Who waits for somebody else's change need not ask more often; ``verify`` asks at once."""


class Move(StrEnum):
    WAIT = "wait"
    SWITCH = "switch"
    FINISH = "finish"


@dataclass(frozen=True, slots=True)
class Ending:
    """How a rotation ends: its last state, the secret that stays, and why."""

    state: RotationState
    keep: Side
    note: str = ""


def overlap_of(days: int) -> timedelta:
    """An overlap of so many days; ValidationFailed outside 1 to 30."""
    if not SHORTEST_OVERLAP <= days <= LONGEST_OVERLAP:
        raise ValidationFailed(
            f"the overlap is {SHORTEST_OVERLAP} to {LONGEST_OVERLAP} days", field="overlap_days"
        )
    return timedelta(days=days)


def pause_after(looks: int, interval: timedelta) -> timedelta:
    """The pause after so many looks in one state: doubled every twenty, at most ten minutes."""
    doublings = min(looks // LOOKS_PER_PACE, 16)
    return min(interval * (1 << doublings), max(LONGEST_PAUSE, interval))


def next_move(state: RotationState, look: Look) -> Move:
    """What a look leads to. The old secret counts as dropped only while the new one works."""
    if look.new is not Admission.ADMITTED:
        return Move.WAIT
    if state is RotationState.WAITING_FOR_CUSTOMER:
        return Move.SWITCH if look.healthy else Move.WAIT
    return Move.FINISH if look.old is Admission.REFUSED else Move.WAIT


def ending_at_deadline(state: RotationState, last: Look | None) -> Ending:
    """What remains when the overlap is over: the secret in use, unless only the other one works.

    A new secret that was switched to stays although the old one is still trusted: to go back
    would break the connection as soon as its owner drops the old one after all.
    """
    waiting = state is RotationState.WAITING_FOR_CUSTOMER
    keep = Side.OLD if waiting else Side.NEW
    if last is not None:
        only_new = (last.new, last.old) == (Admission.ADMITTED, Admission.REFUSED)
        only_old = (last.new, last.old) == (Admission.REFUSED, Admission.ADMITTED)
        keep = Side.NEW if only_new else Side.OLD if only_old else keep
    if keep is Side.NEW:
        note = "the new ExternalId is in use; that the old one was dropped is not proven"
    elif waiting:
        note = "the new ExternalId did not work in time; the old one stays in use"
    else:
        note = "only the old ExternalId works; it is in use again"
    return Ending(RotationState.EXPIRED, keep, note)


def ending_when_stopped(state: RotationState) -> Ending:
    """An operator stopped the process: the secret in use stays."""
    keep = Side.OLD if state is RotationState.WAITING_FOR_CUSTOMER else Side.NEW
    return Ending(RotationState.CANCELLED, keep, "stopped by an operator")

"""Which days of a month would be reconciled from what they were reconciled from before.

Fingerprints are read before the rows themselves, and usage goes on being loaded meanwhile: a
fingerprint is kept only for a day whose usage reads the same again at the end. A day that tells of
single lines of the bill is known again only by the same deliveries.
"""

from dataclasses import dataclass, field
from datetime import date
from functools import partial
from hashlib import blake2b
from typing import Final

from tensorcost import __version__
from tensorcost.activities.reconciliation.month import Month
from tensorcost.domain.cost.reconciliation.content import RULES
from tensorcost.storage.prices import price_state
from tensorcost.storage.reconciliation.results import current_inputs, remember_inputs
from tensorcost.storage.reconciliation.states import Sums, read_day_hashes, read_logged_sums
from tensorcost.storage.session import TenantTx

_DIGEST: Final = partial(blake2b, digest_size=16)


@dataclass(frozen=True, slots=True)
class MonthInputs:
    """The closed days' fingerprints, and those days that have them already."""

    hashes: dict[date, bytes]
    own_hashes: dict[date, bytes]
    """The same with the deliveries that are the bill now."""
    unchanged: frozenset[date]
    logged: Sums
    _named: set[date] = field(default_factory=set)

    def name_lines_of(self, day: date) -> None:
        """The day's result tells more of the bill's lines than the daily sums do."""
        self._named.add(day)

    def found(self, day: date) -> bytes:
        """What the day follows from."""
        return (self.own_hashes if day in self._named else self.hashes)[day]


async def compare_inputs(tx: TenantTx, month: Month) -> MonthInputs:
    """Call it under the month's lock, and before prices, bill or usage are read."""
    listed, own = await price_state(tx)
    logged = await read_logged_sums(tx, month.period, month.closed_until)
    hashes = await read_day_hashes(
        tx,
        logged,
        first_day=month.period,
        end_day=month.closed_until,
        deliveries=month.deliveries,
        beside=(__version__, RULES, str(listed), str(own)),
    )
    deliveries = b"".join(delivery.bytes for delivery in sorted(month.deliveries))
    own_hashes = {day: _DIGEST(found + deliveries).digest() for day, found in hashes.items()}
    before = await current_inputs(tx, month.period)
    unchanged = frozenset(
        day for day in hashes if before.get(day) in (hashes[day], own_hashes[day])
    )
    return MonthInputs(hashes, own_hashes, unchanged, logged)


async def keep_inputs(tx: TenantTx, month: Month, inputs: MonthInputs) -> None:
    """Remember what the days that were reconciled now follow from."""
    changed = inputs.hashes.keys() - inputs.unchanged
    if changed:
        again = await read_logged_sums(tx, month.period, month.closed_until)
        settled = {day for day in changed if again.get(day) == inputs.logged.get(day)}
        found = {day: inputs.found(day) if day in settled else None for day in sorted(changed)}
        await remember_inputs(tx, found)

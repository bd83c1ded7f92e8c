"""What a load did, as every caller shows it."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field

from tensorcost.domain.cost.unpriced import UnpricedGroup, merge_unpriced
from tensorcost.domain.spend.parsed import Reject
from tensorcost.storage.session import TenantTx
from tensorcost.storage.spend.batches import Counts

_KEPT_REJECTS = 5000


@dataclass(slots=True)
class IngestReport:
    """Row counts of one load; what was read is accepted, duplicate, rejected or withheld."""

    rows_read: int = 0
    accepted: int = 0
    accepted_unpriced: int = 0
    """Of ``accepted``, where rows are calls or metrics: those without a price."""
    duplicate: int = 0
    rejected: int = 0
    withheld: int = 0
    """Sound rows of a bill that was refused."""
    checkpoint: Counts | None = None
    """Set when the object was loaded before: what that load counted. Nothing was read now."""
    batch_ids: list[int] = field(default_factory=list)
    refused: bool = False
    """A bill of which nothing was taken, because it is not whole: the former one stays."""
    notes: tuple[tuple[str, str], ...] = ()
    """Code and text of what whoever asked for the load is to be told beyond the counts."""
    unpriced: tuple[UnpricedGroup, ...] = ()
    rejects: list[Reject] = field(default_factory=list)
    """The first five thousand; all of them are in the quarantine."""

    @property
    def already_loaded(self) -> bool:
        return self.checkpoint is not None

    @property
    def took_nothing(self) -> bool:
        """Not one row is there, from now or from when the object was loaded before."""
        counts = self.checkpoint or Counts(self.accepted, self.duplicate)
        return not counts.accepted + counts.duplicate

    def reject(self, rejects: list[Reject]) -> None:
        """Count rejects and keep the first of them."""
        self.rejected += len(rejects)
        self.rejects.extend(rejects[: _KEPT_REJECTS - len(self.rejects)])

    def merge(self, other: "IngestReport") -> None:
        """Add another load's figures to this one.

        An object that was loaded before was read then: its rows are duplicates here.
        """
        if other.checkpoint is not None:
            earlier = other.checkpoint
            repeated = earlier.accepted + earlier.duplicate
            self.rows_read += repeated + earlier.rejected
            self.duplicate += repeated
            self.rejected += earlier.rejected
        self.rows_read += other.rows_read
        self.accepted += other.accepted
        self.accepted_unpriced += other.accepted_unpriced
        self.duplicate += other.duplicate
        self.rejected += other.rejected
        self.withheld += other.withheld
        self.batch_ids.extend(other.batch_ids)
        self.unpriced = merge_unpriced([*self.unpriced, *other.unpriced])
        self.rejects.extend(other.rejects[: _KEPT_REJECTS - len(self.rejects)])


Settle = Callable[[TenantTx, Sequence[IngestReport]], Awaitable[None]]
"""Called as the last thing inside a transaction that loads, with the report of each of its objects
or windows, in order: what it writes stands or falls with their rows."""

"""Coverage: the share of billed usage that rows explain, by account and region (N15)."""

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction
from typing import Final

Place = tuple[str, str]
"""Account and region."""
SERVICE_LEVEL: Final = Fraction(95, 100)
"""The share of a place's bill that single requests are to explain; below it a cause is named."""
_ALL: Final = Fraction(1)
_SHARE_PLACES: Final = 6


@dataclass(frozen=True, slots=True)
class Coverage:
    """Billed usage of one place, nano-USD. Taxes, credits and the like are left out: there is
    nothing to explain about them."""

    account_id: str
    region: str
    by_request: int = 0
    """Attributed to single requests."""
    by_metric: int = 0
    """Attributed to what CloudWatch counted: model and region are known, callers are not."""
    unlogged: int = 0

    @property
    def attributed(self) -> int:
        return self.by_request + self.by_metric

    @property
    def billed(self) -> int:
        return self.attributed + self.unlogged

    @property
    def explained(self) -> Fraction | None:
        """Exact share, 0 to 1, of the bill that any rows explain; None where nothing is billed."""
        return self._share(self.attributed)

    @property
    def explained_by_request(self) -> Fraction | None:
        """Exact share, 0 to 1, that single requests explain."""
        return self._share(self.by_request)

    @property
    def is_below_service_level(self) -> bool:
        share = self.explained_by_request
        return share is not None and share < SERVICE_LEVEL

    def plus(self, other: "Coverage") -> "Coverage":
        """Both sums under this place: for a whole account, or for everything."""
        return Coverage(
            self.account_id,
            self.region,
            self.by_request + other.by_request,
            self.by_metric + other.by_metric,
            self.unlogged + other.unlogged,
        )

    def _share(self, part: int) -> Fraction | None:
        """A correction that names no quantity stays unlogged and may push a part past the whole."""
        if self.billed <= 0:
            return None
        return min(max(Fraction(part, self.billed), Fraction(0)), _ALL)


def share_shown(share: Fraction | None) -> Decimal | None:
    """A share with six places, cut off, so that 1 is never said of less than everything."""
    if share is None:
        return None
    return Decimal(int(share * 10**_SHARE_PLACES)).scaleb(-_SHARE_PLACES)

"""The garbage collector of a process that has started up."""

import gc
from typing import Final

_YOUNG: Final = 10_000
"""New objects before the collector looks at them; a batch of rows has more than its 700."""


def settle_heap() -> None:
    """Leave alone from now on what start-up made: modules, models and clients stay anyway.

    Looking through them again and again is a quarter of the CPU of a reconciliation.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG)

"""Hundreds of accounts side by side, and what to do where AWS answers one of them badly."""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Generic, TypeVar

from tensorcost.activities.integration.bedrock.access import is_refusal
from tensorcost.providers.aws.errors import ProviderError

T = TypeVar("T")
R = TypeVar("R")
SIDE_BY_SIDE: Final = 16
"""Accounts or regions looked at together; the tenant's limiter bounds the calls behind them."""
BEARABLE: Final = 0.1
"""The share that may fail for the moment before the whole is tried again later."""


@dataclass(frozen=True, slots=True)
class Tried(Generic[T, R]):
    """What came of trying: ``done`` in order, and what failed for the moment, twice."""

    done: Sequence[R]
    failed: Sequence[tuple[T, ProviderError]]


def side_by_side(work: Callable[[T], R], over: Iterable[T]) -> list[R]:
    """``work`` over everything, some at a time, answers in order; the first error is raised."""
    with ThreadPoolExecutor(max_workers=SIDE_BY_SIDE, thread_name_prefix="discover") as pool:
        return list(pool.map(work, over))


def try_each(work: Callable[[T], R], over: Sequence[T]) -> Tried[T, R]:
    """The same, where one that fails for the moment must not cost the others.

    Such a one is tried once more at the end. Raises ProviderError where too many still fail: then
    it is not they that are ill.
    """

    def attempt(one: T) -> R | ProviderError:
        try:
            return work(one)
        except ProviderError as error:
            if is_refusal(error):
                raise
            return error

    answers = side_by_side(attempt, over)
    ill = [at for at, answer in enumerate(answers) if isinstance(answer, ProviderError)]
    for at, answer in zip(ill, side_by_side(attempt, [over[at] for at in ill]), strict=True):
        answers[at] = answer
    failed = [
        (one, answer)
        for one, answer in zip(over, answers, strict=True)
        if isinstance(answer, ProviderError)
    ]
    if len(failed) > BEARABLE * len(over):
        raise failed[0][1]
    return Tried([a for a in answers if not isinstance(a, ProviderError)], failed)

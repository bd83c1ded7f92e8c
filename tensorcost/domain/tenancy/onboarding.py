"""From sign-up to the first recommendation: the states, and the facts that lead there (A12).

Facts arrive from other processes, late, twice or out of order, so the state is a function of
the set of facts seen: no order of arrival can lead backwards or astray.
"""

from collections.abc import Set
from datetime import timedelta
from enum import StrEnum
from typing import Final


class OnboardingState(StrEnum):
    SIGNED_UP = "signed_up"
    CONNECTED = "connected"
    VALIDATED = "validated"
    BACKFILLING = "backfilling"
    SPEND_VISIBLE = "spend_visible"
    AWAITING_FIRST_RECOMMENDATION = "awaiting_first_recommendation"
    COMPLETED = "completed"


class OnboardingFact(StrEnum):
    CONNECTION_CREATED = "connection_created"
    CONNECTION_VALIDATED = "connection_validated"
    BACKFILL_STARTED = "backfill_started"
    SPEND_SEEN = "spend_seen"
    BACKFILL_COMPLETED = "backfill_completed"
    RECOMMENDATION_CREATED = "recommendation_created"


_RUNGS: Final[tuple[tuple[frozenset[OnboardingFact], OnboardingState], ...]] = (
    (frozenset({OnboardingFact.RECOMMENDATION_CREATED}), OnboardingState.COMPLETED),
    (
        frozenset({OnboardingFact.SPEND_SEEN, OnboardingFact.BACKFILL_COMPLETED}),
        OnboardingState.AWAITING_FIRST_RECOMMENDATION,
    ),
    (frozenset({OnboardingFact.SPEND_SEEN}), OnboardingState.SPEND_VISIBLE),
    (frozenset({OnboardingFact.BACKFILL_STARTED}), OnboardingState.BACKFILLING),
    (frozenset({OnboardingFact.BACKFILL_COMPLETED}), OnboardingState.BACKFILLING),
    (frozenset({OnboardingFact.CONNECTION_VALIDATED}), OnboardingState.VALIDATED),
    (frozenset({OnboardingFact.CONNECTION_CREATED}), OnboardingState.CONNECTED),
)
"""Highest first. A finished backfill without spend stays at ``backfilling``: that is the truth."""

PROMISED_AFTER_SPEND: Final = timedelta(hours=48)
"""004: first recommendations land within 48 hours."""


def state_of(facts: Set[OnboardingFact]) -> OnboardingState:
    """The highest state that the facts support."""
    for needed, state in _RUNGS:
        if needed <= facts:
            return state
    return OnboardingState.SIGNED_UP

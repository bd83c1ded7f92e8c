"""The way from sign-up to the first recommendation is a function of the facts seen."""

from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.tenancy.onboarding import OnboardingFact, OnboardingState, state_of

ORDER = list(OnboardingState)
facts = st.frozensets(st.sampled_from(OnboardingFact))


@given(seen=facts, more=facts)
def test_another_fact_never_leads_back(
    seen: frozenset[OnboardingFact], more: frozenset[OnboardingFact]
) -> None:
    assert ORDER.index(state_of(seen | more)) >= ORDER.index(state_of(seen))


def test_every_state_can_be_reached() -> None:
    steps = [
        OnboardingFact.CONNECTION_CREATED,
        OnboardingFact.CONNECTION_VALIDATED,
        OnboardingFact.BACKFILL_STARTED,
        OnboardingFact.SPEND_SEEN,
        OnboardingFact.BACKFILL_COMPLETED,
        OnboardingFact.RECOMMENDATION_CREATED,
    ]
    reached = [state_of(frozenset(steps[:n])) for n in range(len(steps) + 1)]
    assert reached == ORDER


def test_a_later_fact_implies_the_earlier_states() -> None:
    assert state_of({OnboardingFact.SPEND_SEEN}) is OnboardingState.SPEND_VISIBLE

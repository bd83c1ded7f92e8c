"""Feature flags: order of precedence and reasons."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.identity.principal import Plan
from tensorcost.domain.ids import UserId
from tensorcost.domain.tenancy.flags import (
    FLAGS,
    FlagOverride,
    FlagReason,
    evaluate,
    evaluate_all,
)

USER = UserId(UUID(int=1))
OTHER = UserId(UUID(int=2))
KEY = "ml-enabled"
NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("overrides", "killed", "plan", "expected"),
    [
        ([], NONE, Plan.STARTER, (False, FlagReason.DEFAULT)),
        ([], NONE, Plan.GROWTH, (True, FlagReason.STATIC)),
        ([FlagOverride(KEY, False)], NONE, Plan.GROWTH, (False, FlagReason.TARGETING_MATCH)),
        (
            [FlagOverride(KEY, False), FlagOverride(KEY, True, USER)],
            NONE,
            Plan.STARTER,
            (True, FlagReason.TARGETING_MATCH),
        ),
        ([FlagOverride(KEY, True, OTHER)], NONE, Plan.STARTER, (False, FlagReason.DEFAULT)),
        (
            [FlagOverride(KEY, True, USER)],
            frozenset({KEY}),
            Plan.ENTERPRISE,
            (False, FlagReason.DISABLED),
        ),
    ],
)
def test_the_nearest_word_wins(
    overrides: list[FlagOverride],
    killed: frozenset[str],
    plan: Plan,
    expected: tuple[bool, FlagReason],
) -> None:
    value = evaluate(KEY, plan=plan, user_id=USER, overrides=overrides, killed=killed)
    assert (value.enabled, value.reason) == expected


@given(st.text(max_size=30).filter(lambda key: key not in FLAGS))
def test_an_unknown_flag_is_off_and_says_so(key: str) -> None:
    value = evaluate(
        key, plan=Plan.ENTERPRISE, user_id=USER, overrides=[FlagOverride(key, True)], killed=NONE
    )
    assert (value.enabled, value.reason) == (False, FlagReason.ERROR)


@given(
    st.sampled_from(Plan),
    st.lists(st.builds(FlagOverride, st.sampled_from(sorted(FLAGS)), st.booleans(), st.none())),
)
def test_all_values_are_the_single_values(plan: Plan, overrides: list[FlagOverride]) -> None:
    values = evaluate_all(plan=plan, user_id=USER, overrides=iter(overrides), killed=NONE)
    assert [value.key for value in values] == list(FLAGS)
    for value in values:
        assert value == evaluate(
            value.key, plan=plan, user_id=USER, overrides=overrides, killed=NONE
        )

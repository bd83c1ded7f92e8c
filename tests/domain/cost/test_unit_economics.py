from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tensorcost.domain.cost.rollup import MEASURE_NAMES, RollupMeasures
from tensorcost.domain.cost.unit_economics import unit_economics

MEASURES = st.builds(
    RollupMeasures, **{name: st.integers(-(2**40), 2**40) for name in MEASURE_NAMES}
)


def test_the_figures_of_a_plain_selection() -> None:
    figures = unit_economics(
        RollupMeasures(
            requests=8,
            input_tokens=6_000,
            cached_tokens=3_000,
            cache_write_5m_tokens=600,
            cache_write_1h_tokens=400,
            output_tokens=2_000,
            cost_nano=1_000_000_000,
            error_requests=1,
            latency_ms_sum=7_001,
            latency_count=2,
        )
    )
    assert figures.usd_per_1k_input_tokens == Decimal("0.1")
    assert figures.usd_per_1k_output_tokens == Decimal("0.5")
    assert figures.usd_per_1k_tokens == Decimal("0.083333333")
    assert figures.usd_per_request == Decimal("0.125")
    assert figures.cache_hit_rate == Decimal("0.3")
    assert figures.error_rate == Decimal("0.125")
    assert figures.average_latency_ms == Decimal("3500.5")
    assert not figures.is_lower_bound


def test_nothing_used_has_no_unit_cost() -> None:
    figures = unit_economics(RollupMeasures())
    assert figures.usd_per_request is None
    assert figures.usd_per_1k_input_tokens is None
    assert figures.cache_hit_rate is None


def test_unpriced_requests_do_not_make_the_priced_ones_look_cheap() -> None:
    figures = unit_economics(RollupMeasures(requests=4, unpriced_requests=2, cost_nano=10**9))
    assert figures.usd_per_request == Decimal("0.5")
    assert figures.is_lower_bound


@given(MEASURES, MEASURES)
def test_adding_and_taking_away_leaves_the_measures_as_they_were(
    one: RollupMeasures, other: RollupMeasures
) -> None:
    assert one + other - other == one
    assert (one + other).all_tokens == one.all_tokens + other.all_tokens

from hypothesis import given
from hypothesis import strategies as st

from nodes.trust_ledger.posterior import Beta, cumulative, quantile

SHAPE = st.floats(0.2, 2000)


@given(SHAPE, SHAPE, st.floats(0.001, 0.999))
def test_a_quantile_is_the_inverse_of_the_cumulative(alpha: float, beta: float, share: float) -> None:
    """To the precision of x: beyond it the cumulative may jump where the density is steep."""
    x = quantile(share, alpha, beta)
    step = 2e-12
    assert cumulative(x - step, alpha, beta) - 1e-9 <= share <= cumulative(x + step, alpha, beta) + 1e-9


@given(SHAPE, SHAPE, st.floats(0, 1))
def test_the_cumulative_is_its_own_mirror_image(alpha: float, beta: float, x: float) -> None:
    y = 1 - x
    assert abs(cumulative(1 - y, alpha, beta) - (1 - cumulative(y, beta, alpha))) < 1e-8


@given(SHAPE, SHAPE)
def test_an_interval_widens_with_its_mass(alpha: float, beta: float) -> None:
    narrow, wide = Beta(alpha, beta).interval(0.5), Beta(alpha, beta).interval(0.9)
    assert 0 <= wide[0] <= narrow[0] <= narrow[1] <= wide[1] <= 1

import xml.etree.ElementTree as ET

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runtime.bench.plot import Axis, lines

POINTS = st.lists(st.tuples(st.floats(0.001, 1e7), st.floats(-1e6, 1e6)), min_size=1, max_size=20)


@given(POINTS, st.booleans())
@example([(1.0, 0.0), (1.0, 5e-324)], False)
def test_every_chart_is_svg_with_a_line_per_series_inside_its_frame(points, logarithmic):
    drawn = lines("a < b", {"one": points, "two & three": points}, Axis("x", logarithmic=logarithmic), Axis("y"))
    root = ET.fromstring(drawn)
    found = root.findall("{http://www.w3.org/2000/svg}polyline")
    assert len(found) == 2
    for pair in found[0].get("points").split():
        x, y = map(float, pair.split(","))
        assert 0 <= x <= float(root.get("width"))
        assert 0 <= y <= float(root.get("height"))


def test_ticks_are_round():
    assert Axis("x").ticks(0.0, 10.0) == [0, 2, 4, 6, 8, 10]
    assert Axis("x", logarithmic=True).ticks(1.0, 2.0) == [10, 20, 50, 100]


def test_nothing_cannot_be_plotted():
    with pytest.raises(ValueError, match="nothing to plot"):
        lines("none", {"empty": []}, Axis("x"), Axis("y"))

import io

from nodes.metabolic_controller import energy_history
from protocol.messages.metabolism import Moved

HOUR = 3600 * 10**9


def moved(hour: int, source: str, target: str, atp: float, count: int = 1) -> Moved:
    return Moved(hour_ns=hour * HOUR, source=source, target=target, micro=round(atp * 1e6), count=count)


TOLD = energy_history.hours(
    [
        moved(8, "income", "budget", 2.5),
        moved(7, "budget", "spent/exchange", 1.5, 3),
        moved(7, "budget", "spent/base", 0.5),
        moved(7, "budget", "reserved", 9.0),
        moved(7, "reserved", "budget", 9.0),
        moved(7, "reserve", "budget", 0.25),
    ]
)


def test_each_hour_tells_what_came_in_and_what_it_was_spent_on():
    seven, eight = TOLD
    assert (seven["hour_ns"], seven["income"], seven["reserve"], seven["exchanges"]) == (7 * HOUR, 0.0, 0.25, 3)
    assert seven["spent"] == {"exchange": 1.5, "dream": 0.0, "load": 0.0, "embedding": 0.0, "base": 0.5}
    assert (eight["income"], eight["exchanges"]) == (2.5, 0)
    assert [row[1:] for row in energy_history.rows(TOLD)] == [
        ("0.00", "0.25", "1.50", "0.00", "0.00", "0.00", "0.50", "3"),
        ("2.50", "0.00", "0.00", "0.00", "0.00", "0.00", "0.00", "0"),
    ]


def test_it_is_drawn_as_a_picture():
    out = io.BytesIO()
    energy_history.picture(TOLD).savefig(out, format="png", dpi=30)
    assert out.getvalue().startswith(b"\x89PNG")

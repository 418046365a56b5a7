"""Speed and time left, on a clock that the test turns."""

from __future__ import annotations

from playground.domain import Download
from playground.library.pace import Pace


def test_speed_is_that_of_the_last_seconds() -> None:
    now = [0.0]
    pace = Pace(1000, clock=lambda: now[0])
    assert pace.note(0) == Download(0, 1000, 0.0, None)
    now[0] = 0.1
    assert pace.note(10) is None  # too early to say anything new
    now[0] = 2.0
    assert pace.note(200) == Download(200, 1000, 100.0, 8.0)
    now[0] = 60.0
    assert pace.note(210) == Download(210, 1000, 0.0, None)  # it stood still for longer than the window
    now[0] = 62.0
    assert pace.note(410) == Download(410, 1000, 100.0, 5.9)
    assert pace.note(100) == Download(100, 1000, 0.0, None)  # a damaged file is fetched anew
    assert pace.note(1000) is not None  # the end is always told

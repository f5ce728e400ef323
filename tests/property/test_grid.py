"""Numbers of 16 bits: rounding to them against all that there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from verifier.evidence.replay import rounded_into
from verifier.network.graph import Port
from verifier.property.balls import Ball
from verifier.property.grid import SHORT, Grid
from verifier.property.nearest import box_with_nearest
from verifier.property.query import Box

_BITS = np.arange(1 << 16, dtype=np.uint16)


def all_numbers(name: str) -> np.ndarray:
    """Every number of a type, ascending, infinities included; float64."""
    if name == "float16":
        found = _BITS.view(np.float16).astype(np.float64)
    else:
        singles = (_BITS.astype(np.uint32) << 16).view(np.float32)
        found = singles[~np.isnan(singles)].astype(np.float64)
    return np.unique(found[~np.isnan(found)])


NUMBERS = {name: all_numbers(name) for name in SHORT}
singles = st.floats(width=32, allow_nan=False, allow_infinity=False) | st.floats(-3, 3, width=32)


@pytest.mark.parametrize("name", SHORT)
@given(value=singles)
def test_neighbours_are_the_next_ones(name: str, value: float) -> None:
    grid, x, numbers = Grid.of([Port("X", (1,), name)]), np.array([value], np.float32), NUMBERS[name]
    above, below, nearest = grid.at_least(x)[0], grid.at_most(x)[0], grid.nearest(x)[0]
    assert above == numbers[np.searchsorted(numbers, value)]
    assert below == numbers[np.searchsorted(numbers, value, side="right") - 1]
    assert nearest in (above, below)
    if np.isfinite([above, below]).all():
        assert abs(nearest - value) == min(above - value, value - below)


def test_entries_of_other_types_stay() -> None:
    ports = [Port("A", (2,), "float16"), Port("B", (1,)), Port("C", (1, 2), "bfloat16"), Port("D", (1,), "float64")]
    grid, x = Grid.of(ports), np.full(6, 0.1, np.float32)
    low, high = grid.at_least(x), grid.at_most(x)
    assert low[2] == high[2] == x[2]
    assert low[5] == high[5] == x[5]
    assert (low[:2] == np.nextafter(np.float16(0.1), np.float16(1))).all()  # float16's 0.1 lies below it
    assert (high[:2] == np.float16(0.1)).all()
    assert (grid.nearest(x)[3:5] == np.float32(0.10009765625)).all()


@pytest.mark.parametrize("name", SHORT)
@given(low=st.floats(-1e4, 1e4), width=st.floats(0, 1e-2), share=st.floats(0, 1))
def test_a_box_holds_numbers_of_its_type_and_points_are_rounded_to_them(
    name: str, low: float, width: float, share: float
) -> None:
    grid, numbers = Grid.of([Port("X", (1,), name)]), NUMBERS[name]
    asked = Box.exact(np.array([low]), np.array([low + width]))
    box = box_with_nearest(asked, np.zeros(1, bool), grid)
    point = rounded_into(box, np.array([low + share * width]), grid)
    assert point[0] in numbers
    assert box.contains(point)
    inside = numbers[(numbers >= low) & (numbers <= low + width)]
    if len(inside):
        assert (box.lower[0], box.upper[0], box.widened) == (asked.lower[0], asked.upper[0], 0)
        assert (box.inner_lower[0], box.inner_upper[0]) == (inside[0], inside[-1])
    else:
        gaps = np.maximum(low - numbers, numbers - (low + width))
        assert gaps[numbers == point[0]] <= np.partition(gaps, 1)[1]
        assert box.lower[0] <= point[0] <= box.upper[0]


@pytest.mark.parametrize("norm", [1, 2])
def test_a_point_of_a_ball_is_one_of_the_type(norm: int) -> None:
    grid, rng = Grid.of([Port("X", (3,), "float16")]), np.random.default_rng(norm)
    for radius in (1e-3, 0.1):
        centre = rng.uniform(-1, 1, 3).astype(np.float16).astype(float)
        asked = Box.exact(centre - radius, centre + radius)
        ball = Box(asked.lower, asked.upper, asked.inner_lower, asked.inner_upper, Ball(centre, radius, norm))
        box = box_with_nearest(ball, np.zeros(3, bool), grid)
        for x in centre + rng.uniform(-1.2, 1.2, (20, 3)) * radius:
            point = rounded_into(box, x, grid)
            assert (point == point.astype(np.float16)).all()
            assert box.contains(point)

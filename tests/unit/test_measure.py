import pytest

from spinalis.measure import implausible, measure_spacing
from spinalis.records import Landmark, Location
from spinalis.vocabulary import LEVELS, Level


def mark(level: Level, point: tuple[float, float, float] | None) -> Landmark:
    place = Location(series_key="s", slice_index=0, row=0.0, column=0.0)
    return Landmark(level=level, point_lps_mm=point, confidence=1.0, location=place)


def test_spacing_is_the_distance_between_neighbours_in_millimetres() -> None:
    points = [(0.0, 3.0 * k, -4.0 * k * 8) for k in range(5)]
    found = measure_spacing(tuple(mark(level, point) for level, point in zip(LEVELS, points, strict=True)))
    assert [item.value for item in found] == pytest.approx([(9 + 1024) ** 0.5] * 4)
    assert {item.unit for item in found} == {"mm"}
    assert found[0].levels == (Level.L1_L2, Level.L2_L3)
    assert implausible(found) == ()


def test_levels_without_millimetres_are_left_out() -> None:
    found = measure_spacing((mark(LEVELS[0], (0.0, 0.0, 0.0)), mark(LEVELS[1], None), mark(LEVELS[2], (0.0, 0.0, 1.0))))
    assert found == ()


@pytest.mark.parametrize("distance", [12.0, 60.0])
def test_an_implausible_spacing_is_named_with_rule_and_value(distance: float) -> None:
    found = measure_spacing((mark(LEVELS[0], (0.0, 0.0, 0.0)), mark(LEVELS[1], (0.0, 0.0, -distance))))
    warning = implausible(found)[0].text
    assert "L1/L2" in warning
    assert "expected 20-48 mm" in warning
    assert f"got {distance:.0f} mm" in warning

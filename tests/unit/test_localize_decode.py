import numpy as np
import pytest

from spinalis.localize.decode import CHANNELS, FIRST, decode

SIZE = 96
SPINE = [(40.0 + 3 * np.sin(k), 10.0 + 10.0 * k) for k in range(len(CHANNELS))]


def maps_of(points: list[tuple[float, float] | None], mass: float = 0.9) -> np.ndarray:
    y, x = np.mgrid[:SIZE, :SIZE]
    maps = np.zeros((len(CHANNELS), SIZE, SIZE), np.float32)
    for channel, point in enumerate(points):
        if point is not None:
            blob = np.exp(-((x - point[0]) ** 2 + (y - point[1]) ** 2) / (2 * 1.3**2))
            maps[channel] = mass * blob / blob.sum()
    return maps


def test_decode_finds_the_five_levels() -> None:
    chain = decode(maps_of(SPINE))
    assert chain is not None
    assert chain.points == pytest.approx(np.array(SPINE[FIRST : FIRST + 5]), abs=0.3)
    assert chain.numbering > 0.9
    assert chain.mass.min() > 0.7


def test_a_stray_peak_of_one_level_does_not_break_the_chain() -> None:
    maps = maps_of(SPINE)
    stray = maps_of([None, None, None, None, (85.0, 15.0), None, None, None], 0.55)
    maps[4] = 0.4 * maps[4] + stray[4]
    chain = decode(maps)
    assert chain is not None
    assert chain.points == pytest.approx(np.array(SPINE[FIRST : FIRST + 5]), abs=0.5)


def test_a_disc_in_plain_sight_is_not_passed_over_for_the_sake_of_equal_spacings() -> None:
    uneven = [
        (59.0, 18.0),
        (55.0, 27.0),
        (51.0, 37.0),
        (47.0, 46.0),
        (48.0, 53.0),
        (45.5, 64.0),
        (47.0, 73.0),
        (53.0, 80.0),
    ]
    maps = maps_of(uneven)
    for above in (2, 3):  # the names of the neighbours above are a little in doubt, as where spacings are uneven
        maps[above + 1] += maps_of([None] * (above + 1) + [uneven[above]] + [None] * (6 - above), 0.12)[above + 1]
    chain = decode(maps)
    assert chain is not None
    assert chain.points == pytest.approx(np.array(uneven[FIRST : FIRST + 5]), abs=0.5)


def test_a_faint_place_between_two_levels_is_passed_over() -> None:
    maps = maps_of(SPINE)
    maps[4] += maps_of([None, None, None, None, (SPINE[4][0] + 1, SPINE[4][1] + 5.0), None, None, None], 0.05)[4]
    chain = decode(maps)
    assert chain is not None
    assert chain.points == pytest.approx(np.array(SPINE[FIRST : FIRST + 5]), abs=0.5)


def test_split_numbering_lowers_the_confidence() -> None:
    sure, shifted = maps_of(SPINE), maps_of([*SPINE[1:], None])
    chain = decode(0.5 * sure + 0.5 * shifted)
    assert chain is not None
    assert chain.numbering < 0.6


def test_two_discs_that_share_the_looks_of_the_last_one_are_told() -> None:
    regular = decode(maps_of(SPINE))
    assert regular is not None
    assert regular.junction < 0.1
    for rival in ("neighbour's name", "another place"):
        maps = maps_of(SPINE)
        if rival == "another place":  # a well-formed S1/S2 looks like L5/S1
            maps[6] = 0.55 * maps[6] + 0.45 * maps_of([*SPINE[:6], SPINE[7], None])[6]
        else:  # the last disc looks like L4/L5 or S1/S2
            maps[7] = 0.5 * maps[6]
            maps[6] *= 0.5
        found = decode(maps)
        assert found is not None
        assert found.points == pytest.approx(regular.points, abs=0.5)
        assert found.junction > 0.4


def test_levels_come_in_order_from_head_to_feet() -> None:
    chain = decode(maps_of(SPINE))
    assert chain is not None
    assert (np.diff(chain.points[:, 1]) > 0).all()


def test_an_empty_picture_gives_no_chain() -> None:
    assert decode(np.zeros((len(CHANNELS), SIZE, SIZE), np.float32)) is None


def test_four_places_give_no_chain() -> None:
    assert decode(maps_of([None, None, *SPINE[2:6], None, None])) is None

from dataclasses import replace

import numpy as np
import pytest

from spinalis.models.prepare import InputSpec
from spinalis.records import FloatArray, Image, Judgement, Series
from spinalis.triage.coverage import Seen, by_pixels, cover, look
from spinalis.triage.header import COVERAGES, REGIONS
from spinalis.vocabulary import Plane, Region
from tests.fakes import AXIAL, SAGITTAL, series

SPEC = InputSpec(height=16, width=16)
C, T, L = REGIONS


def seen(words: str, height: float, *, axial: bool = False) -> Seen:
    """Windows from head to feet that each are sure of one region, by its first letter."""
    places = np.linspace(110, height - 110, len(words)) if not axial else np.linspace(0, height, len(words))
    return Seen(places_mm=places, logs=sure(words), top_mm=0.0, bottom_mm=height)


def sure(words: str) -> FloatArray:
    return np.log(np.eye(3)[["ctl".index(word) for word in words]] * 0.97 + 0.01)


def judged(region: Region) -> Judgement[Region]:
    return Judgement(label=region, probability=0.9)


@pytest.mark.parametrize(
    ("words", "height", "expected"),
    [
        ("c", 240, (C,)),
        ("t", 300, (T,)),
        ("l", 280, (L,)),
        ("cctt", 400, (C, T)),
        ("ttll", 400, (T, L)),
        ("ccctttlll", 720, (C, T, L)),
        ("ccccttlll", 720, (C, T, L)),
    ],
)
def test_the_spine_is_laid_under_what_is_seen(words: str, height: float, expected: tuple[Region, ...]) -> None:
    found = by_pixels(seen(words, height))
    assert found.sum() == pytest.approx(1)
    assert COVERAGES[int(found.argmax())] == expected


def test_neck_and_loin_in_one_picture_have_the_thorax_between_them() -> None:
    assert COVERAGES[int(by_pixels(seen("ccccclllll", 720)).argmax())] == REGIONS


def test_a_block_of_axial_slices_covers_its_own_region() -> None:
    assert COVERAGES[int(by_pixels(seen("llll", 15.0, axial=True)).argmax())] == (L,)


def test_the_region_of_the_series_is_always_covered_where_it_is_known() -> None:
    found = cover(seen("c", 240), judged(L), None)
    assert found is not None
    assert L in found.label
    unsure = cover(seen("ccctttlll", 720), judged(Region.UNKNOWN), None)
    assert unsure is not None
    assert unsure.label == REGIONS, "a whole spine is of no one region"
    assert cover(None, judged(Region.UNKNOWN), None) is None
    assert cover(None, judged(L), None) == Judgement(label=(L,), probability=0.9)


def test_a_sure_header_widens_what_pixels_leave_open() -> None:
    open_picture = replace(seen("l", 350), logs=np.log([[0.02, 0.4, 0.58]]))
    said = np.log([0.01, 0.01, 0.05, 0.01, 0.9, 0.02])
    alone, both = cover(open_picture, judged(L), None), cover(open_picture, judged(L), said)
    assert alone is not None
    assert both is not None
    assert (alone.source, both.source, both.label) == ("pixels", "fusion", (T, L))
    assert both.probability > 0.5


def painted(rows: int, *, turned: bool = False, placed: bool = True) -> Series:
    """Sagittal slices whose upper half is dark and whose lower half is bright, 1 mm pixels."""
    picture = np.repeat(np.linspace(1, 10, rows, dtype=np.float32)[:, None], 240, axis=1)
    across, down = SAGITTAL
    if turned:
        return series(np.stack([picture.T[:, ::-1]] * 5), orientation=(tuple(-np.array(down)), across))
    return series(np.stack([picture] * 5), orientation=SAGITTAL if placed else None)


def asked(images: Image) -> FloatArray:
    raise AssertionError("expected no question about windows")


def test_low_pictures_are_not_cut() -> None:
    made, logs = painted(300), np.log(np.full((5, 3), 1 / 3))
    found = look(made, Plane.SAGITTAL, (list(range(5)), logs), SPEC, asked)
    assert found is not None
    assert (found.bottom_mm, set(found.places_mm)) == (300.0, {150.0})


@pytest.mark.parametrize("turned", [False, True], ids=["upright", "on its side"])
def test_tall_pictures_are_cut_from_head_to_feet(turned: bool) -> None:
    shown: list[Image] = []

    def ask(images: Image) -> FloatArray:
        shown.append(images)
        return np.log(np.full((len(images), 3), 1 / 3))

    made, logs = painted(640, turned=turned), np.log(np.full((5, 3), 1 / 3))
    found = look(made, Plane.SAGITTAL, (list(range(5)), logs), SPEC, ask)
    assert found is not None
    assert (found.places_mm.min(), found.places_mm.max(), found.bottom_mm) == (110.0, 530.0, 640.0)
    assert len(found.places_mm) == len(found.logs) == len(shown[0])
    assert all(window[0, :3].mean() < window[0, -3:].mean() for window in shown[0]), "each window is upright"


def test_axial_slices_are_laid_along_the_body_with_the_head_first() -> None:
    made = series(np.zeros((4, 20, 20), np.float32), orientation=AXIAL, step_mm=5.0)
    logs = np.log(np.eye(3)[[2, 2, 1, 1]] * 0.97 + 0.01)
    found = look(made, Plane.AXIAL, ([0, 1, 2, 3], logs), SPEC, asked)
    assert found is not None
    assert list(np.diff(found.places_mm)) == [-5.0] * 3, "places grow towards the feet; slices go from feet to head"
    assert found.bottom_mm - found.top_mm == pytest.approx(16.0)


def test_nothing_is_seen_without_positions_across_slices_or_without_slices() -> None:
    made = series(np.zeros((4, 20, 20), np.float32), orientation=None)
    logs = np.log(np.full((4, 3), 1 / 3))
    assert look(made, Plane.AXIAL, ([0, 1, 2, 3], logs), SPEC, asked) is None
    assert look(made, Plane.UNKNOWN, ([0, 1, 2, 3], logs), SPEC, asked) is None
    assert look(made, Plane.SAGITTAL, ([], logs[:0]), SPEC, asked) is None

import numpy as np
import pytest

from spinalis.grade.crops import SLOTS, collect
from spinalis.models.prepare import InputSpec
from spinalis.records import Series, Study
from spinalis.vocabulary import Anatomy, Plane, Sequence, Side
from tests.fakes import AXIAL, SAGITTAL, label, series

SPEC = InputSpec(height=64, width=64, spacing_mm=0.8)
POINT = (0.0, 0.0, 0.0)
NAMES = [view.name for view, _ in SLOTS]


def ball(centre: tuple[float, float, float], make: Series) -> Series:
    """Fill a series with a bright ball of 4 mm around a point in the patient."""
    pixels = np.zeros((len(make.slices), make.rows, make.columns), np.float32)
    rows, columns = np.mgrid[: make.rows, : make.columns]
    for index, item in enumerate(make.slices):
        plane = item.plane
        at = (
            np.asarray(plane.origin_lps_mm)[:, None, None]
            + np.asarray(plane.along_row)[:, None, None] * columns * plane.column_spacing_mm
            + np.asarray(plane.along_column)[:, None, None] * rows * plane.row_spacing_mm
        )
        distance = np.sqrt(((at - np.asarray(centre)[:, None, None]) ** 2).sum(axis=0))
        pixels[index] = shown(make.rows, 1) / 1000 + np.exp(-((distance / 4.0) ** 2))
    return Series(
        key=make.key,
        number=1,
        header=make.header,
        rows=make.rows,
        columns=make.columns,
        slices=make.slices,
        load=lambda index: pixels[index],
    )


def shown(*shape: int) -> np.ndarray:
    """Slices that are not blank."""
    return np.indices(shape, np.float32).sum(axis=0)


def sagittal(key: str = "t1", **options: object) -> Series:
    blank = np.zeros((15, 120, 120), np.float32)
    return series(blank, key=key, orientation=SAGITTAL, origin=(-28.0, -60.0, 60.0), **options)


def axial(key: str = "ax") -> Series:
    return series(np.zeros((5, 120, 120), np.float32), key=key, orientation=AXIAL, origin=(-60.0, -60.0, -8.0))


def brightest(crop: np.ndarray) -> tuple[int, int]:
    row, column = np.unravel_index(int(crop[0].argmax()), crop[0].shape)
    return int(row), int(column)


def test_left_foramina_are_looked_for_at_the_patients_left() -> None:
    left_foramen = (16.0, 5.0, 0.0)
    study = Study(key="k", series=(ball(left_foramen, sagittal()),))
    labels = (label("t1", sequence=Sequence.T1W),)
    left = collect(study, labels, POINT, Side.LEFT, SPEC)
    right = collect(study, labels, POINT, Side.RIGHT, SPEC)
    slots = [slot for slot, name in enumerate(NAMES) if name == "sagittal_t1"]
    assert left.mask[slots].all()
    places = [left.places[slot].slice_index for slot in slots]
    assert places == [9, 10, 11, 12, 13]  # x = 8, 12, 16, 20, 24 mm
    assert [right.places[slot].slice_index for slot in slots] == [5, 4, 3, 2, 1]
    raw = [study.series[0].load(index).max() for index in places]
    assert int(np.argmax(raw)) == 2


def test_a_mirrored_patient_gives_the_same_crops_for_the_other_side() -> None:
    for spot in ((12.0, 6.0, 0.0), (20.0, 2.0, 3.0)):
        mirrored = (-spot[0], spot[1], spot[2])
        labels = (label("t1", sequence=Sequence.T1W), label("ax", Plane.AXIAL))
        one = Study(key="k", series=(ball(spot, sagittal()), ball(spot, axial())))
        other = Study(key="k", series=(ball(mirrored, sagittal()), ball(mirrored, axial())))
        left = collect(one, labels, POINT, Side.LEFT, SPEC)
        right = collect(other, labels, POINT, Side.RIGHT, SPEC)
        assert left.mask.tolist() == right.mask.tolist()
        assert left.crops == pytest.approx(right.crops, abs=1e-4)


def test_the_axial_crop_is_centred_in_millimetres() -> None:
    spot = (4.0, 5.0, 0.0)  # where the view's centre lies for the left side
    study = Study(key="k", series=(ball(spot, axial()),))
    bag = collect(study, (label("ax", Plane.AXIAL),), POINT, Side.LEFT, SPEC)
    slot = NAMES.index("axial_t2") + 1
    assert brightest(bag.crops[slot]) == pytest.approx((31.5, 31.5), abs=1)
    place = bag.places[slot]
    assert (place.slice_index, place.row, place.column) == (2, pytest.approx(65.0), pytest.approx(64.0))


def test_missing_series_are_masked() -> None:
    study = Study(key="k", series=(ball(POINT, sagittal("t2")),))
    bag = collect(study, (label("t2"),), POINT, Side.LEFT, SPEC)
    seen = {name for name, mask in zip(NAMES, bag.mask, strict=True) if mask}
    assert seen == {"sagittal_t2"}
    assert not bag.crops[[name != "sagittal_t2" for name in NAMES]].any()


def test_a_slice_too_far_away_does_not_serve() -> None:
    far = series(shown(3, 120, 120), key="ax", orientation=AXIAL, origin=(-60.0, -60.0, 20.0))
    bag = collect(Study(key="k", series=(far,)), (label("ax", Plane.AXIAL),), POINT, Side.LEFT, SPEC)
    assert not bag.mask.any()


def test_two_axial_stacks_are_merged() -> None:
    upper = series(shown(1, 120, 120), key="a", orientation=AXIAL, origin=(-60.0, -60.0, 4.0))
    lower = series(shown(1, 120, 120), key="b", orientation=AXIAL, origin=(-60.0, -60.0, -4.0))
    labels = (label("a", Plane.AXIAL), label("b", Plane.AXIAL))
    bag = collect(Study(key="k", series=(upper, lower)), labels, POINT, Side.LEFT, SPEC)
    slot = NAMES.index("axial_t2")
    assert (bag.places[slot].series_key, bag.places[slot + 2].series_key) == ("b", "a")


def test_a_scout_serves_only_where_no_diagnostic_series_does() -> None:
    scout = series(
        shown(3, 60, 60),
        key="scout",
        origin=(-10.0, -60.0, 60.0),
        spacing_mm=(2.0, 2.0),
        step_mm=10.0,
    )
    diagnostic = series(shown(15, 120, 120), key="t2", origin=(-27.0, -60.0, 60.0))
    slot = NAMES.index("sagittal_t2") + 1
    both = collect(Study(key="k", series=(scout, diagnostic)), (label("scout"), label("t2")), POINT, Side.LEFT, SPEC)
    alone = collect(Study(key="k", series=(scout,)), (label("scout"),), POINT, Side.LEFT, SPEC)
    assert both.places[slot].series_key == "t2"
    assert alone.places[slot].series_key == "scout"


def test_t2w_serves_before_stir() -> None:
    stir = series(shown(15, 120, 120), key="stir", origin=(-28.0, -60.0, 60.0))
    t2w = series(shown(15, 120, 120), key="t2", origin=(-27.0, -60.0, 60.0))
    labels = (label("stir", sequence=Sequence.STIR), label("t2"))
    bag = collect(Study(key="k", series=(stir, t2w)), labels, POINT, Side.LEFT, SPEC)
    assert bag.places[NAMES.index("sagittal_t2") + 1].series_key == "t2"


def test_no_crop_is_cut_from_a_blank_slice() -> None:
    blank = Study(key="k", series=(sagittal("t1"),))
    bag = collect(blank, (label("t1", sequence=Sequence.T1W),), POINT, Side.LEFT, SPEC)
    assert not bag.mask.any()
    assert set(bag.places) == {None}


def test_series_that_are_not_spine_and_broken_slices_are_left_out() -> None:
    study = Study(key="k", series=(sagittal("t1", broken=tuple(range(15))), sagittal("x")))
    labels = (label("t1", sequence=Sequence.T1W), label("x", sequence=Sequence.T1W, anatomy=Anatomy.OTHER))
    assert not collect(study, labels, POINT, Side.LEFT, SPEC).mask.any()

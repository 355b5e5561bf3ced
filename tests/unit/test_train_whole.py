from pathlib import Path

import numpy as np
import pytest

from spinalis.geometry import slice_plane, to_patient
from spinalis.records import Header, Judgement, Series, SeriesLabel, Slice, Study
from spinalis.train.data import rsna, whole
from spinalis.train.data.whole import KEPT_SIZE, load
from spinalis.train.data.whole_studies import keep_rsna, views_of
from spinalis.vocabulary import CONDITIONS, LEVELS, Anatomy, Plane, Region, Sequence
from tests.rsna import SLICES, write_set
from tests.whole import make


def test_a_point_dropped_onto_a_stack_comes_back_to_its_place() -> None:
    study = make(0)
    for view, conditions in whole.CONDITIONS_OF.items():
        for condition in conditions:
            spot = study.spot(view, condition, LEVELS[3])
            assert spot is not None
            back = study.views[view].lps_mm(spot.index, spot.column, spot.row)
            point = study.points[CONDITIONS.index(condition), 3]
            assert np.linalg.norm(back - point) == pytest.approx(spot.distance_mm, abs=1e-6)


def test_a_point_outside_every_slice_has_no_spot() -> None:
    stack = make(0).views["sagittal_t2"]
    assert stack.spot((60.0, 0.0, 0.0)) is None
    assert stack.spot((0.0, 500.0, 0.0)) is None


def test_a_kept_study_is_read_back(tmp_path: Path) -> None:
    made = make(3)
    whole.write(made, tmp_path / "study")
    found = load(tmp_path / "study")
    assert (found.name, found.fold) == (made.name, made.fold)
    assert np.array_equal(found.grades, made.grades)
    assert np.array_equal(found.views["axial_t2"].pixels, made.views["axial_t2"].pixels)
    assert [item.name for item in tmp_path.iterdir()] == ["study"]


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> tuple[rsna.RsnaStudy, ...]:
    return rsna.read(write_set(tmp_path_factory.mktemp("rsna"), {"7": [k % 3 for k in range(25)]}))


def test_slices_of_a_set_are_kept_with_their_labels_and_places(
    studies: tuple[rsna.RsnaStudy, ...], tmp_path: Path
) -> None:
    (kept,), reasons = keep_rsna(studies, tmp_path, 1)
    assert reasons == []
    assert {name: stack.pixels.shape for name, stack in kept.views.items()} == dict.fromkeys(
        ("sagittal_t1", "sagittal_t2", "axial_t2"), (SLICES, KEPT_SIZE, KEPT_SIZE)
    )
    assert kept.grades.ravel().tolist() == [k % 3 for k in range(25)]
    spot = kept.spot("sagittal_t2", CONDITIONS[0], LEVELS[0])
    assert spot is not None
    assert spot.distance_mm == pytest.approx(0.0, abs=1e-6)
    again, _ = keep_rsna(studies, tmp_path, 1)
    assert np.array_equal(again[0].points, kept.points, equal_nan=True)


@pytest.mark.parametrize(
    "orientation",
    [(0, 1, 0, 0, 0, -1), (0, -1, 0, 0, 0, 1), (0, 0, -1, 0, 1, 0)],
    ids=["shown", "turned", "transposed"],
)
def test_a_bright_place_is_found_where_its_millimetres_say(orientation: tuple[float, ...]) -> None:
    image = np.zeros((60, 40), np.float32)
    image[40:46, 9:15] = 100.0
    plane = slice_plane((3.0, 0.0, 0.0), orientation, (1.5, 2.0))
    series = Series(
        key="a",
        number=1,
        header=Header(),
        rows=60,
        columns=40,
        slices=(Slice(file="a", plane=plane),),
        load=lambda _: image,
    )
    label = SeriesLabel(
        number=1,
        anatomy=Judgement(label=Anatomy.MR_SPINE, probability=1.0),
        region=Judgement(label=Region.LUMBAR, probability=1.0),
        cord_slices=(),
        slices=(),
        series_key="a",
        plane=Judgement(label=Plane.SAGITTAL, probability=1.0),
        sequence=Judgement(label=Sequence.T2W, probability=1.0),
    )
    stack = views_of(Study(key="s", series=(series,)), (label,))["sagittal_t2"]
    spot = stack.spot(to_patient(plane, 42.5, 11.5))
    assert spot is not None
    rows, columns = np.nonzero(stack.pixels[0] > 150)
    assert (rows.mean(), columns.mean()) == pytest.approx((spot.row, spot.column), abs=0.6)
    across, down = stack.pixel_mm(0)
    assert (columns.max() - columns.min() + 1) * across == pytest.approx(
        6 * (2.0 if orientation[2] == 0 else 1.5), rel=0.2
    )
    assert (rows.max() - rows.min() + 1) * down == pytest.approx(6 * (1.5 if orientation[2] == 0 else 2.0), rel=0.2)

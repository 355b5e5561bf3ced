from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from spinalis.errors import RecipeError, TableError
from spinalis.formats.rsna_csv import PLACES, LabelPoint, SeriesKind
from spinalis.grade.crops import SLOTS, VIEWS
from spinalis.models.prepare import InputSpec
from spinalis.train import grade
from spinalis.train.data import rsna
from spinalis.vocabulary import LEVELS, Anatomy, Condition, Level, Plane, Sequence, Severity
from tests.dicoms import COLUMNS, ROWS
from tests.rsna import write_csv, write_labels, write_set

SPEC = InputSpec(height=24, width=24, spacing_mm=1.5)
CANAL = Condition.SPINAL_CANAL_STENOSIS
LEFT_RECESS, RIGHT_RECESS = Condition.LEFT_SUBARTICULAR_STENOSIS, Condition.RIGHT_SUBARTICULAR_STENOSIS
MIDDLE = 16.0


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two studies with pictures and one without."""
    root = write_set(tmp_path_factory.mktemp("rsna"), {"100": [0] * 25, "200": [-1] * 5 + [2] * 20})
    write_labels(root / "train.csv", {"100": [0] * 25, "200": [-1] * 5 + [2] * 20, "300": [1] * 25})
    return root


def test_studies_with_pictures_are_listed_with_their_labels(root: Path) -> None:
    first, second = rsna.read(root)
    assert (first.name, second.name) == ("100", "200")
    assert first.kinds == {
        "21": SeriesKind.SAGITTAL_T1,
        "22": SeriesKind.SAGITTAL_T2_STIR,
        "23": SeriesKind.AXIAL_T2,
    }
    assert len(first.points) == 5
    assert second.grades[CANAL, Level.L1_L2] is None
    assert second.grades[LEFT_RECESS, Level.L1_L2] is Severity.SEVERE


def test_a_folder_that_is_no_set_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"expected train\.csv and train_images/ under the data folder"):
        rsna.read(tmp_path)
    write_labels(tmp_path / "train.csv", {"1": [0] * 25})
    (tmp_path / "train_images").mkdir()
    with pytest.raises(TableError, match=r"^train_label_coordinates.csv: expected a readable file"):
        rsna.read(tmp_path)
    write_csv(
        tmp_path / "train_label_coordinates.csv",
        ["study_id", "series_id", "instance_number", "condition", "level", "x", "y"],
        [],
    )
    write_csv(tmp_path / "train_series_descriptions.csv", ["study_id", "series_id", "series_description"], [])
    with pytest.raises(RecipeError, match="expected a folder train_images/<study>"):
        rsna.read(tmp_path)


def test_a_study_without_any_header_is_one_study_of_labelled_series(root: Path) -> None:
    item = rsna.read(root)[0]
    study = item.load()
    assert len(study.series) == 3
    assert len({series.key for series in study.series}) == 3
    assert all(series.header.modality is None for series in study.series)
    labels = rsna.series_labels(item, study)
    found = {(label.plane.label, label.sequence.label) for label in labels}
    assert found == {
        (Plane.SAGITTAL, Sequence.T1W),
        (Plane.SAGITTAL, Sequence.T2W),
        (Plane.AXIAL, Sequence.T2W),
    }
    assert study.series[0].load(3).shape == (ROWS, COLUMNS)


def test_a_series_that_the_set_does_not_describe_is_not_used(root: Path) -> None:
    item = replace(rsna.read(root)[0], kinds={"22": SeriesKind.SAGITTAL_T2_STIR})
    labels = rsna.series_labels(item, item.load())
    assert sorted(label.anatomy.label for label in labels) == [Anatomy.MR_SPINE, Anatomy.UNKNOWN, Anatomy.UNKNOWN]


def test_points_are_placed_in_the_patient_by_series_and_instance(root: Path) -> None:
    item = rsna.read(root)[0]
    points = rsna.in_patient(item, item.load())
    # Instance 5 of 9 is the middle slice; the numbers run against the positions.
    assert points[CANAL, Level.L1_L2] == pytest.approx((MIDDLE, 0.0, 40.0))
    assert points[CANAL, Level.L5_S1] == pytest.approx((MIDDLE, 0.0, 0.0))
    levels = rsna.level_points(points)
    assert list(levels) == list(LEVELS)
    assert levels[Level.L3_L4] == pytest.approx((MIDDLE, -rsna.SAC_RADIUS_MM, 20.0))


def test_a_point_on_an_instance_that_is_not_there_is_left_out(root: Path) -> None:
    item = rsna.read(root)[0]
    lost = replace(item.points[0], instance_number=77)
    assert rsna.in_patient(replace(item, points=(lost,)), item.load()) == {}


def test_a_missing_or_misplaced_canal_point_gives_way_to_the_others() -> None:
    level = Level.L4_L5
    others = {
        (LEFT_RECESS, level): (12.0, 1.0, 10.0),
        (RIGHT_RECESS, level): (-8.0, 1.0, 12.0),
        (Condition.LEFT_NEURAL_FORAMINAL_NARROWING, level): (20.0, 0.0, 14.0),
        (Condition.RIGHT_NEURAL_FORAMINAL_NARROWING, level): (-20.0, 0.0, 14.0),
    }
    assert rsna.level_points(others) == {level: (2.0, 1.0, 11.0)}
    assert rsna.level_points({(CANAL, level): (2.0, 8.0, 11.0), **others}) == {level: (2.0, 2.0, 11.0)}
    assert rsna.level_points({(CANAL, level): (2.0, 8.0, 45.0), **others}) == {level: (2.0, 1.0, 11.0)}
    assert rsna.level_points({(CANAL, level): (2.0, 8.0, 45.0)}) == {level: (2.0, 2.0, 45.0)}
    assert rsna.level_points({}) == {}


def test_swapped_sides_are_noticed() -> None:
    right_way = {(LEFT_RECESS, level): (9.0, 0.0, 0.0) for level in LEVELS}
    right_way |= {(RIGHT_RECESS, level): (-9.0, 0.0, 0.0) for level in LEVELS}
    assert not rsna.sides_swapped(right_way)
    assert not rsna.sides_swapped({})
    assert rsna.sides_swapped({place: (-x, y, z) for place, (x, y, z) in right_way.items()})


def test_bags_are_cut_once_and_carry_the_labels(root: Path, tmp_path: Path) -> None:
    studies = rsna.read(root)
    found, lost = rsna.harvest(studies, tmp_path, SPEC, "labels", 1)
    assert ([item for item, _ in found], lost) == (list(studies), [])
    files = [file for _, file in found]
    assert [rsna.is_simulated(file) for file in files] == [True, True], "no study UID: nothing is claimed"
    bags = grade.load_bags(files)
    assert bags.crops.shape == (20, len(SLOTS), 1, 24, 24)
    assert bags.crops.any(axis=(1, 2, 3, 4)).all()
    assert (bags.grades[:10] == 0).all()
    assert (bags.grades[10:] == [-1, 2, 2]).all()
    assert bags.levels.tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4] * 2
    assert bags.studies.tolist() == [0] * 10 + [1] * 10
    assert not bags.usable("canal")[10:].any()
    start = len(VIEWS[0].offsets_mm)
    assert bags.mask[:, start : start + 3].all(), "the sagittal T2w slices next to the midline"
    before = [file.stat().st_mtime_ns for file in files]
    assert [file.stat().st_mtime_ns for _, file in rsna.harvest(studies, tmp_path, SPEC, "labels", 1)[0]] == before
    changed = replace(studies[0], grades=dict.fromkeys(PLACES))
    assert rsna.harvest([changed], tmp_path, SPEC, "labels", 1)[0][0][1] not in files


def test_studies_without_bags_are_told_with_their_reason(root: Path, tmp_path: Path) -> None:
    good, other = rsna.read(root)
    (tmp_path / "empty").mkdir()
    point = other.points[0]
    swapped = [
        LabelPoint(study="200", series="23", instance_number=5, condition=condition, level=point.level, x=x, y=9.0)
        for condition, x in ((LEFT_RECESS, 3.0), (RIGHT_RECESS, 20.0))
    ]
    studies = [
        good,
        replace(other, name="a", points=()),
        replace(other, name="b", folder=tmp_path / "empty"),
        replace(other, name="c", points=tuple(swapped)),
    ]
    files, lost = rsna.harvest(studies, tmp_path / "cache", SPEC, "labels", 1)
    assert len(files) == 1
    assert lost == [
        "no level was found in it",
        "its pictures cannot be read",
        "its left and right points are swapped",
    ]
    with pytest.raises(RecipeError, match="expected bags from 1 studies, got none: no level was found in it"):
        rsna.harvest(studies[1:2], tmp_path / "cache", SPEC, "labels", 1)
    with pytest.raises(RecipeError, match="expected points from labels or localizer, got guess"):
        rsna.harvest(studies, tmp_path / "cache", SPEC, "guess", 1)


def test_folds_depend_on_the_name_alone_and_are_about_even(root: Path) -> None:
    item = rsna.read(root)[0]
    folds = [replace(item, name=str(number)).fold for number in range(500)]
    assert np.bincount(folds, minlength=rsna.FOLDS).min() > 70
    assert replace(item, grades={}, points=()).fold == item.fold

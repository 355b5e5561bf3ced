"""Series building: what is split, how slices are ordered, and which flags say what was odd."""

import random
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from spinalis.formats import read_studies
from spinalis.formats.dicom.group import natural
from spinalis.records import Series, Study
from tests.dicoms import AXIAL, CORONAL, SAGITTAL, classic, enhanced, picture, save, save_series
from tests.fakes import texts


def positions(series: Series, axis: int = 0) -> list[float]:
    return [item.plane.origin_lps_mm[axis] for item in series.slices if item.plane is not None]


def one_study(path: Path) -> Study:
    (study,) = read_studies(path)
    return study


def one_series(path: Path) -> Series:
    (series,) = one_study(path).series
    return series


def test_slices_follow_their_position_and_not_their_instance_number(tmp_path: Path) -> None:
    for index in range(5):
        save(classic(index, InstanceNumber=5 - index), tmp_path / f"{index}.dcm")
    series = one_series(tmp_path)
    assert positions(series) == [0.0, 4.0, 8.0, 12.0, 16.0]
    assert [item.instance_number for item in series.slices] == [5, 4, 3, 2, 1]
    assert series.flags == ()


@pytest.mark.parametrize(
    ("orientation", "axis"),
    [(SAGITTAL, 0), (CORONAL, 1), (AXIAL, 2), ([-value for value in SAGITTAL], 0)],
    ids=["right to left", "front to back", "feet to head", "rotated picture"],
)
def test_slices_run_to_the_left_the_back_or_the_head(orientation: list[float], axis: int, tmp_path: Path) -> None:
    for index in range(4):
        origin = [0.0, 0.0, 0.0]
        origin[axis] = -5.0 * index
        changes = {"ImagePositionPatient": origin, "ImageOrientationPatient": orientation}
        save(classic(index, **changes), tmp_path / f"{index}.dcm")
    assert positions(one_series(tmp_path), axis) == [-15.0, -10.0, -5.0, 0.0]


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32 - 1))
def test_names_and_folders_of_files_do_not_change_what_is_read(seed: int) -> None:
    shuffle = random.Random(seed)
    with TemporaryDirectory() as first, TemporaryDirectory() as second:
        files = save_series(Path(first), 6)
        files += save_series(Path(first), 3, series=2, ImageOrientationPatient=AXIAL)
        files += [save(classic(20 + n, EchoTime=30.0), Path(first) / f"echo{n}.dcm") for n in range(2)]
        names = [f"{shuffle.choice('abc')}/{number}" for number in range(len(files))]
        shuffle.shuffle(names)
        for file, name in zip(files, names, strict=True):
            (Path(second) / name).parent.mkdir(exist_ok=True)
            shutil.copy(file, Path(second) / name)
        before, after = one_study(Path(first)), one_study(Path(second))
        for one, other in zip(before.series, after.series, strict=True):
            assert (one.key, one.flags, one.header) == (other.key, other.flags, other.header)
            assert [item.plane for item in one.slices] == [item.plane for item in other.slices]
            assert np.array_equal(one.load(0), other.load(0))
        assert before.key == after.key


def test_a_localizer_becomes_one_series_per_orientation(tmp_path: Path) -> None:
    for index, orientation in enumerate([SAGITTAL, AXIAL, CORONAL]):
        changes = {"ImageOrientationPatient": orientation, "ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}
        save(classic(index, **changes), tmp_path / f"{index}.dcm")
    study = one_study(tmp_path)
    assert [series.key for series in study.series] == ["s1", "s1b", "s1c"]
    assert {series.flags for series in study.series} == {("localizer", "not_parallel", "single_slice", "split")}


def test_orientations_rounded_differently_stay_together(tmp_path: Path) -> None:
    for index in range(4):
        tilt = 1e-4 * index
        save(classic(index, ImageOrientationPatient=[tilt, 1.0, 0.0, 0.0, 0.0, -1.0]), tmp_path / f"{index}.dcm")
    assert len(one_series(tmp_path).slices) == 4


@pytest.mark.parametrize(
    "change",
    [
        {"EchoTime": 20.0},
        {"EchoNumbers": 2},
        {"TemporalPositionIdentifier": 2},
        {"AcquisitionNumber": 2},
        {"TriggerTime": 500.0},
        {"DiffusionBValue": 800.0},
        {"ImageType": ["DERIVED", "PRIMARY", "FAT"]},
    ],
    ids=["echo time", "echo number", "time", "acquisition", "trigger", "b-value", "Dixon"],
)
def test_a_series_with_two_slices_at_each_position_is_split(change: dict[str, Any], tmp_path: Path) -> None:
    base = {
        "EchoNumbers": 1,
        "TemporalPositionIdentifier": 1,
        "AcquisitionNumber": 1,
        "TriggerTime": 100.0,
        "DiffusionBValue": 0.0,
        "ImageType": ["ORIGINAL", "PRIMARY", "WATER"],
    }
    for index in range(4):
        save(classic(index, **base), tmp_path / f"a{index}.dcm")
        second = {"ImagePositionPatient": [4.0 * index, -50.0, 60.0]}
        save(classic(10 + index, **(base | second | change)), tmp_path / f"b{index}.dcm")
    first, second_series = one_study(tmp_path).series
    assert (first.key, second_series.key) == ("s1", "s1b")
    assert positions(first) == positions(second_series) == [0.0, 4.0, 8.0, 12.0]
    assert "split" in first.flags
    assert "split" in second_series.flags
    assert [item.instance_number for item in first.slices] == [1, 2, 3, 4]


def test_two_stations_of_a_table_are_two_series(tmp_path: Path) -> None:
    for index in range(4):
        save(classic(index), tmp_path / f"a{index}.dcm")
        save(classic(10 + index, ImagePositionPatient=[4.0 * index, -50.0, -240.0]), tmp_path / f"b{index}.dcm")
    first, second = one_study(tmp_path).series
    assert positions(first) == positions(second) == [0.0, 4.0, 8.0, 12.0]
    assert (set(positions(first, 2)), set(positions(second, 2))) == ({60.0}, {-240.0})


def test_acquisition_numbers_that_only_count_slices_do_not_split(tmp_path: Path) -> None:
    for index in range(5):
        save(classic(index, AcquisitionNumber=index), tmp_path / f"{index}.dcm")
    assert len(one_series(tmp_path).slices) == 5


def test_one_repeated_slice_does_not_shatter_a_series(tmp_path: Path) -> None:
    for index in range(5):
        save(classic(index, AcquisitionNumber=index), tmp_path / f"{index}.dcm")
    save(classic(9, AcquisitionNumber=9, ImagePositionPatient=[4.0, -50.0, 60.0]), tmp_path / "9.dcm")
    series = one_series(tmp_path)
    assert (len(series.slices), series.flags) == (6, ("repeated_positions",))


def test_a_slice_without_echo_time_stays_with_the_others(tmp_path: Path) -> None:
    save_series(tmp_path, 4)
    save(classic(4, EchoTime=None), tmp_path / "x.dcm")
    assert len(one_series(tmp_path).slices) == 5


def test_shapes_are_split(tmp_path: Path) -> None:
    save_series(tmp_path, 3)
    data = picture(7)[:20].tobytes()
    save(classic(3, Rows=20, PixelData=data), tmp_path / "x.dcm")
    first, second = one_study(tmp_path).series
    assert (first.rows, len(first.slices), second.rows, len(second.slices)) == (40, 3, 20, 1)
    assert second.load(0).shape == (20, 36)


def test_the_same_file_twice_counts_once(tmp_path: Path) -> None:
    for file in save_series(tmp_path / "a", 3):
        (tmp_path / "b").mkdir(exist_ok=True)
        shutil.copy(file, tmp_path / "b" / file.name)
    series = one_series(tmp_path)
    assert positions(series) == [0.0, 4.0, 8.0]
    assert series.flags == ("duplicates",)


def test_a_copy_under_another_uid_is_known_by_its_pixels(tmp_path: Path) -> None:
    save_series(tmp_path, 3)
    save(classic(1, SOPInstanceUID="1.2.3.4.5.6", InstanceNumber=9), tmp_path / "copy.dcm")
    series = one_series(tmp_path)
    assert positions(series) == [0.0, 4.0, 8.0]
    assert series.flags == ("duplicates",)


def test_one_uid_for_all_slices_loses_none(tmp_path: Path) -> None:
    save_series(tmp_path, 4, SOPInstanceUID="1.2.3.4")
    series = one_series(tmp_path)
    assert (len(series.slices), series.flags) == (4, ())


def test_different_slices_at_one_position_are_kept_and_flagged(tmp_path: Path) -> None:
    save_series(tmp_path, 3)
    save(classic(5, ImagePositionPatient=[4.0, -50.0, 60.0]), tmp_path / "other.dcm")
    series = one_series(tmp_path)
    assert positions(series) == [0.0, 4.0, 4.0, 8.0]
    assert [item.instance_number for item in series.slices] == [1, 2, 6, 3]
    assert series.flags == ("repeated_positions",)


@pytest.mark.parametrize(("missing", "flags"), [(3, ("gap",)), (0, ()), (6, ())], ids=["inner", "first", "last"])
def test_a_missing_slice_is_seen_where_it_leaves_a_gap(missing: int, flags: tuple[str, ...], tmp_path: Path) -> None:
    save_series(tmp_path, 7)[missing].unlink()
    assert one_series(tmp_path).flags == flags


def test_slices_without_position_go_by_instance_number_then_by_name(tmp_path: Path) -> None:
    for name, number in [("10", None), ("9", None), ("a", 2), ("b", 1)]:
        changes = {"ImagePositionPatient": None, "InstanceNumber": number, "SOPInstanceUID": None}
        save(classic(1, **changes), tmp_path / name)
    series = one_series(tmp_path)
    assert [item.file for item in series.slices] == ["b", "a", "9", "10"]
    assert series.flags == ("no_geometry",)


@pytest.mark.parametrize(
    "change",
    [
        {"ImageOrientationPatient": [0.0] * 6},
        {"PixelSpacing": [0.0, 1.0]},
        {"PixelSpacing": None},
        {"ImagePositionPatient": [1.0, 2.0]},
    ],
    ids=["zero cosines", "zero spacing", "no spacing", "two coordinates"],
)
def test_impossible_geometry_counts_as_none(change: dict[str, Any], tmp_path: Path) -> None:
    save_series(tmp_path, 3, **change)
    series = one_series(tmp_path)
    assert series.flags == ("no_geometry",)
    assert len(series.slices) == 3


def test_a_plane_between_all_axes_is_flagged_oblique(tmp_path: Path) -> None:
    normal = np.array([1.0, 1.0, 1.0]) / np.sqrt(3)
    across = np.array([1.0, -1.0, 0.0]) / np.sqrt(2)
    orientation = [*across, *np.cross(normal, across)]
    for index in range(3):
        changes = {"ImagePositionPatient": list(4.0 * index * normal), "ImageOrientationPatient": orientation}
        save(classic(index, **changes), tmp_path / f"{index}.dcm")
    assert one_series(tmp_path).flags == ("oblique",)


@pytest.mark.parametrize(
    ("change", "flag"),
    [
        ({"BurnedInAnnotation": "YES"}, "burned_in"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "derived"),
        ({"ImageType": ["ORIGINAL", "PRIMARY", "LOCALIZER"]}, "localizer"),
        ({"PhotometricInterpretation": "MONOCHROME1"}, "monochrome1"),
    ],
    ids=["burned_in", "derived", "localizer", "monochrome1"],
)
def test_a_header_word_becomes_a_flag(change: dict[str, Any], flag: str, tmp_path: Path) -> None:
    save_series(tmp_path, 2, **change)
    assert one_series(tmp_path).flags == (flag,)


def test_studies_are_told_apart_by_uid_and_their_keys_say_nothing(tmp_path: Path) -> None:
    save_series(tmp_path / "x", 2)
    save_series(tmp_path / "y", 3, StudyInstanceUID="1.2.4", SeriesInstanceUID="1.2.4.1")
    first, second = read_studies(tmp_path)
    assert [len(study.series[0].slices) for study in (first, second)] == [2, 3]
    assert (first.instance_uid, second.instance_uid) == ("1.2.3", "1.2.4")
    assert first.key != second.key
    assert all(len(study.key) == 10 and "1.2" not in study.key for study in (first, second))


def test_missing_uids_are_replaced_by_folders(tmp_path: Path) -> None:
    gone = {"StudyInstanceUID": None, "SeriesInstanceUID": None, "SOPInstanceUID": None}
    save_series(tmp_path / "p" / "a", 2, **gone)
    save_series(tmp_path / "p" / "b", 3, **gone)
    first, second = read_studies(tmp_path)
    assert [len(study.series[0].slices) for study in (first, second)] == [2, 3]
    assert first.key != second.key
    assert first.instance_uid is None


def test_series_without_uid_in_one_folder_are_told_apart_by_number(tmp_path: Path) -> None:
    save_series(tmp_path, 2, SeriesInstanceUID=None)
    save_series(tmp_path, 3, series=2, SeriesInstanceUID=None)
    assert [(series.key, len(series.slices)) for series in one_study(tmp_path).series] == [("s1", 2), ("s2", 3)]


def test_keys_are_unique_without_series_numbers(tmp_path: Path) -> None:
    save_series(tmp_path, 2, SeriesNumber=None)
    save_series(tmp_path, 2, series=2, SeriesNumber=None)
    study = one_study(tmp_path)
    assert [(series.key, series.number) for series in study.series] == [("sx", None), ("sxb", None)]
    assert study.series[0].flags == ()


def test_an_enhanced_multi_frame_object_is_a_series_of_its_frames(tmp_path: Path) -> None:
    series = one_series(save(enhanced(), tmp_path / "e.dcm"))
    assert positions(series) == [0.0, 4.0, 8.0, 12.0]
    assert [item.frame for item in series.slices] == [1, 3, 0, 2]
    assert series.flags == ()
    header = series.header
    assert (header.echo_time_ms, header.repetition_time_ms, header.flip_angle_deg) == (20.0, 2500.0, 90.0)
    assert (header.scanning_sequence, header.sequence_variant) == (("SE",), ("SK",))
    assert (header.body_part, series.thickness_mm) == ("Lumbar spine", 3.0)
    for place in range(4):
        expected = picture(place + 20).astype(np.float32) * (place + 1) - place
        assert np.array_equal(series.load(place), expected)


def test_echoes_within_one_enhanced_object_are_split(tmp_path: Path) -> None:
    first, second = one_study(save(enhanced(echoes=(20.0, 80.0)), tmp_path / "e.dcm")).series
    assert (first.header.echo_time_ms, second.header.echo_time_ms) == (20.0, 80.0)
    assert positions(first) == positions(second) == [0.0, 4.0, 8.0, 12.0]
    assert np.array_equal(second.load(0), picture(80).astype(np.float32))
    assert (first.flags, second.flags) == (("split",), ("split",))


def test_multi_frame_without_functional_groups_has_no_geometry_of_its_own(tmp_path: Path) -> None:
    pixels = picture(1).tobytes() + picture(2).tobytes()
    changes = {"NumberOfFrames": 2, "PixelData": pixels, "ImagePositionPatient": None}
    series = one_series(save(classic(0, **changes), tmp_path / "m.dcm"))
    assert series.flags == ("no_geometry",)
    assert np.array_equal(series.load(1), picture(2))


def test_files_left_out_count_for_the_studies_in_their_folder(tmp_path: Path) -> None:
    for name, uid in (("a", "1.2.3"), ("b", "1.2.4")):
        save_series(tmp_path / name, 2, StudyInstanceUID=uid, SeriesInstanceUID=uid + ".1")
    (tmp_path / "b" / "notes.txt").write_text("notes")
    (tmp_path / "more.txt").write_text("notes")
    (tmp_path / "readme.txt").write_text("notes")
    first, second = read_studies(tmp_path)
    assert texts(first) == ("2 files are not DICOM and were left out.",)
    assert texts(second) == ("1 file is not DICOM and was left out.",)


def test_a_name_of_many_digits_is_sorted() -> None:
    assert natural("9" * 5000) > natural("2.dcm")

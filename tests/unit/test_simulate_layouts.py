"""Whole studies or none, each with its truth beside it, whatever interrupts the work."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from pydicom import dcmread
from pydicom.uid import RLELossless

from spinalis.errors import OutputError, SimulationError
from spinalis.formats import read_studies, rsna_csv
from spinalis.formats.dicom import write
from spinalis.records import Series
from spinalis.simulate import SimulatedStudy, layouts, simulate_study, simulate_to_folder
from spinalis.simulate.masks import CANAL, CORD, MASK_NAMES


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_written_studies_are_whole_and_are_not_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    (folder,) = simulate_to_folder(
        tmp_path, studies=1, seed=3, profile="other", progress=lambda done, of: seen.append((done, of))
    )
    assert seen == [(1, 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, "truth"]
    document = json.loads((tmp_path / "truth" / f"{folder.name}.json").read_text())
    assert document["schema"] == "spinalis-truth/2"
    made = simulate_study(3, 0, "other")
    (found,) = read_studies(folder)
    assert found.warnings == ()
    assert sum(len(one.slices) for one in found.series) == sum(len(one.slices) for one in made.series)

    def never(*_: object) -> None:
        raise AssertionError("a study that is there was made again")

    monkeypatch.setattr(layouts, "simulate_study", never)
    assert simulate_to_folder(tmp_path, studies=1, seed=3, profile="other") == (folder,)


def test_two_processes_write_the_same_as_one(tmp_path: Path) -> None:
    for jobs in (1, 2):
        simulate_to_folder(tmp_path / str(jobs), studies=2, seed=3, profile="other", jobs=jobs)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


@pytest.mark.parametrize("when", ["pixels", "truth"])
def test_a_full_disk_leaves_no_part_of_a_study(when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def half(study: object, folder: Path, **_: object) -> None:
        (folder / "0001.dcm").write_bytes(b"half")

    monkeypatch.setattr(write, "write_study", full if when == "pixels" else half)
    if when == "truth":
        monkeypatch.setattr(layouts, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        simulate_to_folder(tmp_path, studies=1, seed=3, profile="other")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert [path.name for path in tmp_path.iterdir()] == ["truth"]


def test_a_kill_leaves_whole_studies_only_and_the_next_run_finishes(tmp_path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from spinalis.formats.dicom import write
from spinalis.simulate import simulate_to_folder
real, calls = write.write_study, []
def slow(study, folder, **options):
    real(study, folder, **options)
    calls.append(folder)
    if len(calls) == 2:
        print("half", flush=True)
        time.sleep(60)
write.write_study = slow
simulate_to_folder(Path(sys.argv[1]), studies=2, seed=3, profile="other")
"""
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)
    shown = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert shown == {"other-3-00000", "truth"}
    assert len(read_studies(tmp_path / "other-3-00000")) == 1
    simulate_to_folder(tmp_path, studies=2, seed=3, profile="other")
    assert {path.name for path in tmp_path.iterdir()} == {"other-3-00000", "other-3-00001", "truth"}
    assert {path.name for path in (tmp_path / "truth").iterdir()} == {"other-3-00000.json", "other-3-00001.json"}


def test_a_count_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="at least one study"):
        simulate_to_folder(tmp_path, studies=0, seed=1)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a folder"):
        simulate_to_folder(tmp_path / "file", studies=1, seed=1, profile="other")


def test_the_rsna_layout_has_the_tables_and_the_flaws_of_the_set(tmp_path: Path) -> None:
    (folder,) = simulate_to_folder(tmp_path, studies=1, seed=3, profile="lumbar-balanced", layout="rsna")
    made = simulate_study(3, 0, "lumbar-balanced")
    assert folder.parent.name == rsna_csv.IMAGES
    ((study, grades),) = rsna_csv.read_grades(tmp_path / rsna_csv.LABELS).items()
    assert study == folder.name
    kinds = rsna_csv.read_descriptions(tmp_path / rsna_csv.DESCRIPTIONS)
    assert {series for _, series in kinds} == {path.name for path in folder.iterdir()}
    assert set(kinds.values()) == set(rsna_csv.SeriesKind)
    points = rsna_csv.read_points(tmp_path / rsna_csv.COORDINATES)
    labelled = {place for place, grade in grades.items() if grade is not None}
    assert {(point.condition, point.level) for point in points} == labelled
    assert len(labelled) > 15
    for place in labelled:
        assert grades[place] is made.truth.grades[place]
    for point in points:
        file = dcmread(folder / point.series / f"{point.instance_number}.dcm")
        assert 0 <= point.x <= file.Columns
        assert 0 <= point.y <= file.Rows
        assert not {"Modality", "SOPClassUID", "BodyPartExamined", "EchoTime", "RepetitionTime"} & set(file.dir())
        assert file.SeriesDescription == ("T1" if kinds[study, point.series] == "Sagittal T1" else "T2")
        assert file.file_meta.TransferSyntaxUID == RLELossless
        if point.condition.side and kinds[study, point.series] == "Sagittal T1":
            side = point.condition.side
            place = made.truth.foramina[point.level, side]
            assert abs(float(file.ImagePositionPatient[0]) - place[0]) < 20
    (found,) = read_studies(folder)
    assert found.warnings == ()


def test_the_tables_are_complete_after_a_run_that_was_cut_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken: set[int] = set()

    def rows(made: object, study: int, folder: Path, rng: object) -> dict[str, list[dict[str, str]]]:
        if study % 10 in broken:
            raise OSError(28, "No space left on device")
        (folder / "1.dcm").write_bytes(b"")
        return {rsna_csv.LABELS: [{"study_id": str(study)}], rsna_csv.DESCRIPTIONS: [], rsna_csv.COORDINATES: []}

    monkeypatch.setattr(layouts.rsna_layout, "write_study", rows)
    monkeypatch.setattr(layouts, "simulate_study", lambda seed, number, profile: simulate_study(seed, number, "other"))
    broken.add(1)
    with pytest.raises(OutputError):
        simulate_to_folder(tmp_path, studies=2, seed=3, layout="rsna")
    assert [name[-1] for name in rsna_csv.read_grades(tmp_path / rsna_csv.LABELS)] == ["0"]
    broken.clear()
    simulate_to_folder(tmp_path, studies=2, seed=3, layout="rsna")
    assert [name[-1] for name in rsna_csv.read_grades(tmp_path / rsna_csv.LABELS)] == ["0", "1"]


def test_the_nifti_layout_keeps_pixels_places_and_sides(tmp_path: Path) -> None:
    (folder,) = simulate_to_folder(tmp_path, studies=1, seed=3, profile="whole", layout="nifti")
    made = simulate_study(3, 0, "whole")
    (study,) = read_studies(folder)
    assert len(study.series) == len(made.series)
    for one in made.series:
        found = next(
            series
            for series in study.series
            if series.slices[0].file.endswith(f"{one.contrast.value.replace('STIR', 'T2w')}.nii.gz")
            and ("Stir" in series.slices[0].file) is (one.contrast.value == "STIR")
            and np.allclose(corner(series), corner(one.series), atol=1e-2)
        )
        np.testing.assert_array_equal(found.load(2), one.series.load(2))
    sidecar = json.loads(next(folder.rglob("*.json")).read_text())
    assert 0.2 <= sidecar["RepetitionTime"] <= 10
    assert (tmp_path / "dataset_description.json").exists()
    assert made.body is not None
    check_masks(tmp_path, made)


def corner(series: Series) -> tuple[float, float, float]:
    plane = series.slices[0].plane
    assert plane is not None
    return plane.origin_lps_mm


def check_masks(root: Path, made: SimulatedStudy) -> None:
    """Every level's point lies on the border of its own disc, in RAS."""
    masks = [nibabel.load(path) for path in root.rglob("*_dseg.nii.gz")]
    assert masks
    assert all(nibabel.aff2axcodes(mask.affine) == ("P", "I", "L") for mask in masks)
    for level, point in made.truth.levels.items():
        ras = np.array((-point[0], -point[1], point[2]))
        wanted = f"disc {made.truth.counted_from_c2[level]}"
        disc = next(value for value, name in MASK_NAMES.items() if name == wanted)
        distances = []
        for mask in masks:
            voxels = np.argwhere(np.asarray(mask.dataobj) == disc)
            if len(voxels):
                distances.append(np.linalg.norm(nibabel.affines.apply_affine(mask.affine, voxels) - ras, axis=1).min())
        assert min(distances) < 3.5
    values = set(np.unique(np.asarray(masks[0].dataobj)).tolist())
    assert {CANAL, CORD} < values <= {0, *MASK_NAMES}


@pytest.mark.parametrize(
    ("layout", "profile", "message"),
    [("bids", "lumbar", "expected one of dicom"), ("rsna", "cervical", "expected the profile lumbar")],
)
def test_a_layout_that_cannot_be_is_refused(layout: str, profile: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match=message):
        simulate_to_folder(tmp_path, studies=1, seed=1, profile=profile, layout=layout)


def test_without_nibabel_the_nifti_layout_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nibabel", None)
    with pytest.raises(SimulationError, match=r"spinalis\[nifti\]"):
        simulate_to_folder(tmp_path, studies=1, seed=1, layout="nifti")

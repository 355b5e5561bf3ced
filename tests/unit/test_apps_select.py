import csv
import json
import logging
import re
import resource
import shutil
import signal
import subprocess
import sys
import warnings
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import nibabel
import numpy as np
import pytest
from pydicom import dcmread

from spinalis.apps import cli, selection
from spinalis.formats.selection_manifest import COLUMNS
from spinalis.records import Judgement, Series, SeriesLabel, SliceLabel, Study
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence
from tests.dicoms import AXIAL, classic, enhanced, save, save_series

T2, T1, BRAIN = 1, 2, 3
"""Series numbers of the archive: cervical T2w with cord in its slices 1 and 2, lumbar T1w, and not a spine."""

CORD = "region == cervical and plane == sagittal and sequence == T2w and cord"


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Select = Callable[..., Result]


@pytest.fixture
def select(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Iterator[Select]:
    """Runs `spinalis select` from argument list to exit code; what a series is follows from its number."""
    logger, root = logging.getLogger("spinalis"), logging.getLogger()
    state = (logger.handlers, logger.level, logger.propagate, list(root.handlers))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    monkeypatch.setattr(selection, "triage_study", lambda study, *_: tuple(map(labelled, study.series)))

    def call(given: Path, *arguments: object, where: str = CORD, out: str = "out") -> Result:
        words = ["spinalis", "select", given, "-o", tmp_path / out, "--where", where, *arguments]
        monkeypatch.setattr(sys, "argv", [str(word) for word in words])
        with warnings.catch_warnings(), pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return Result(code=int(left.value.code or 0), out=said.out, err=said.err)

    yield call
    logger.handlers, logger.level, logger.propagate, root.handlers = state
    for number, handler in handlers.items():
        signal.signal(number, handler)


def labelled(series: Series) -> SeriesLabel:
    """As `triage_study` would: slices that cannot be decoded have no label."""
    number = series.number or T2
    spine = number != BRAIN
    anatomy = Judgement(label=Anatomy.MR_SPINE if spine else Anatomy.OTHER, probability=0.99, source="fusion")
    region = {T2: Region.CERVICAL, T1: Region.LUMBAR}.get(number, Region.UNKNOWN)
    sequence = {T2: Sequence.T2W, T1: Sequence.T1W}.get(number, Sequence.OTHER)
    slices = []
    for index in range(len(series.slices)):
        try:
            series.load(index)
        except Exception:
            continue
        cord = 0.9 if number == T2 and index in (1, 2) else 0.1
        slices.append(
            SliceLabel(
                index=index,
                anatomy=anatomy,
                region=Judgement(label=region, probability=0.8),
                plane=Judgement(label=Plane.SAGITTAL, probability=0.8),
                sequence=Judgement(label=sequence, probability=0.8),
                cord=cord,
            )
        )
    return SeriesLabel(
        series_key=series.key,
        number=series.number,
        anatomy=anatomy,
        region=Judgement(label=region, probability=0.8, source="pixels"),
        plane=Judgement(label=Plane.SAGITTAL, probability=1.0, source="geometry"),
        sequence=Judgement(label=sequence, probability=0.95, source="fusion"),
        cord_slices=tuple(item.index for item in slices if item.cord > 0.5),
        slices=tuple(slices),
        flags=("header_contradicts_pixels_region",) if number == BRAIN else (),
    )


def make_archive(folder: Path, studies: int = 2) -> Path:
    """Studies with the three series, each in a folder that is named after the patient."""
    for study in range(studies):
        for series in (T2, T1, BRAIN):
            changes = {"StudyInstanceUID": f"1.2.{study}", "SeriesInstanceUID": f"1.2.{study}.{series}"}
            save_series(folder / f"DOE_JANE_{study}" / str(series), 4, series, **changes)
    return folder


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return make_archive(tmp_path / "archive")


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "manifest.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def lines(out: Path) -> list[dict]:
    return [json.loads(line) for line in (out / "manifest.jsonl").read_text().splitlines()]


def tree(out: Path) -> dict[str, bytes]:
    """All files but the notes of the run."""
    files = (path for path in out.rglob("*") if path.is_file() and ".spinalis-select" not in path.parts)
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def copies(out: Path) -> dict[str, str]:
    """Target -> source of every file made."""
    return {one["target"]: one["source"] for line in lines(out) for one in line["files"] if one["target"]}


def test_chosen_slices_are_copied_byte_for_byte(select: Select, archive: Path, tmp_path: Path) -> None:
    result = select(archive, "--unit", "slice")
    assert (result.code, result.err) == (0, "")
    assert "Chosen: 4 of 24 slices in 2 studies, as 4 files." in result.out
    assert "Research use only" in result.out
    found = copies(tmp_path / "out")
    assert len(found) == 4
    for target, source in found.items():
        assert (tmp_path / "out" / target).read_bytes() == (archive / source).read_bytes()
    assert {source.split("/", 1)[1] for source in found.values()} == {"1/1_01.dcm", "1/1_02.dcm"}
    assert set(found) == set(tree(tmp_path / "out")) - {"manifest.csv", "manifest.jsonl"}


def test_chosen_series_are_copied_whole(select: Select, archive: Path, tmp_path: Path) -> None:
    assert select(archive).code == 0
    assert len(copies(tmp_path / "out")) == 8
    assert {row["slice"] for row in rows(tmp_path / "out")} == {""}


def test_the_manifest_says_why(select: Select, archive: Path, tmp_path: Path) -> None:
    select(archive, "--manifest", "all", where="region == cervical and rows > 20 and not contradicted")
    found = rows(tmp_path / "out")
    assert tuple(found[0]) == COLUMNS
    first = [row for row in found if row["study"] == found[0]["study"]]
    assert [row["rule"] for row in first] == ["true", "false", "false"]
    assert [row["chosen"] for row in first] == ["yes", "no", "no"]
    assert first[0]["why"] == "region == cervical: true; rows > 20: true; contradicted: false"
    assert first[2]["why"] == "region == cervical: unknown; rows > 20: true; contradicted: true"
    assert (first[0]["region"], first[0]["region_probability"], first[0]["region_source"]) == (
        "cervical",
        "0.8",
        "pixels",
    )
    assert (first[0]["cord"], first[0]["cord_probability"]) == ("yes", "0.9")
    assert (first[2]["contradictions"], first[2]["anatomy"], first[2]["region"]) == (
        "region",
        "not MR spine",
        "unknown",
    )
    assert (first[0]["source"], first[0]["files"], first[1]["target"]) == ("DOE_JANE_0/1", "4", "")
    assert first[0]["target"] == f"{first[0]['study']}/s1"
    assert all("Research use only" in row["notice"] for row in found)
    assert all("Research use only" in line["notice"] for line in lines(tmp_path / "out"))


def test_only_chosen_units_are_listed_by_default(select: Select, archive: Path, tmp_path: Path) -> None:
    select(archive)
    assert {line["rule"] for line in lines(tmp_path / "out")} == {"true"}
    assert len(rows(tmp_path / "out")) == len(lines(tmp_path / "out")) == 2


def test_no_identifier_is_told_but_the_paths_that_the_manifest_needs(
    select: Select, archive: Path, tmp_path: Path
) -> None:
    result = select(archive, "--manifest", "all", "--json")
    said = result.out + result.err
    notes = b"".join(path.read_bytes() for path in (tmp_path / "out" / ".spinalis-select").iterdir()).decode()
    listed = (tmp_path / "out" / "manifest.jsonl").read_text()
    for text in (said, notes, listed):
        assert "Doe^Jane" not in text
        assert "1.2.0" not in text
    assert "DOE_JANE" not in said
    assert not [name for name in tree(tmp_path / "out") if "DOE" in name]
    assert "DOE_JANE_0/1/1_00.dcm" in listed


def test_json_is_a_summary_and_nothing_else(select: Select, archive: Path, tmp_path: Path) -> None:
    result = select(archive, "--json", where="region != lumbar")
    assert json.loads(result.out) == {
        "schema": "spinalis-selection/1",
        "notice": json.loads(result.out)["notice"],
        "where": "region != lumbar",
        "unit": "series",
        "as": "original",
        "manifest": str(tmp_path / "out" / "manifest.csv"),
        "studies": 2,
        "failed": 0,
        "chosen": 2,
        "rejected": 2,
        "unknown": 2,
        "files": 8,
        "notes": 0,
        "resumed": 0,
    }


def test_labels_that_are_not_sure_enough_choose_nothing(select: Select, archive: Path, tmp_path: Path) -> None:
    result = select(archive, "--min-probability", "0.85", where="region == cervical")
    assert result.code == 0
    assert "Chosen: 0 of 6 series" in result.out
    assert "Too little is known of 6 series; --manifest all lists them." in result.out
    assert set(tree(tmp_path / "out")) == {"manifest.csv", "manifest.jsonl"}
    assert rows(tmp_path / "out") == []


def test_hard_links_share_the_file(select: Select, archive: Path, tmp_path: Path) -> None:
    assert select(archive, "--link", "hard").code == 0
    for target, source in copies(tmp_path / "out").items():
        assert (tmp_path / "out" / target).samefile(archive / source)
        assert not (tmp_path / "out" / target).is_symlink()


def test_symbolic_links_lead_to_the_file_from_anywhere(
    select: Select, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert select(Path("archive"), "--link", "sym").code == 0
    moved = (tmp_path / "out").rename(tmp_path / "elsewhere")
    for target, source in copies(moved).items():
        assert (moved / target).is_symlink()
        assert (moved / target).resolve() == (archive / source).resolve()


def zipped(archive: Path) -> Path:
    return Path(shutil.make_archive(str(archive), "zip", archive))


def test_members_of_a_zip_are_copied_byte_for_byte(select: Select, archive: Path, tmp_path: Path) -> None:
    packed = zipped(archive)
    assert select(packed).code == 0
    with zipfile.ZipFile(packed) as file:
        for target, source in copies(tmp_path / "out").items():
            assert (tmp_path / "out" / target).read_bytes() == file.read(source)
    assert len(copies(tmp_path / "out")) == 8


def test_members_of_a_zip_cannot_be_linked(select: Select, archive: Path) -> None:
    result = select(zipped(archive), "--link", "sym")
    assert result.code == 1
    assert result.err == "Error: Link: expected files on disk, got a zip. Leave out --link, or unpack the zip.\n"


def test_pictures_are_upright_and_carry_their_spacing(select: Select, archive: Path, tmp_path: Path) -> None:
    assert select(archive, "--as", "png", "--unit", "slice").code == 0
    files = [one for line in lines(tmp_path / "out") for one in line["files"]]
    assert len(files) == 4
    for one in files:
        picture = cv2.imread(str(tmp_path / "out" / one["target"]), cv2.IMREAD_UNCHANGED)
        stored = dcmread(archive / one["source"]).pixel_array
        assert picture.shape == stored.shape
        assert np.corrcoef(picture.ravel(), stored.ravel())[0, 1] > 0.99
        assert one["spacing_mm"] == [1.5, 1.25]


def test_volumes_hold_the_series_and_its_place(select: Select, archive: Path, tmp_path: Path) -> None:
    assert select(archive, "--as", "nifti").code == 0
    (first, _) = lines(tmp_path / "out")
    assert {one["target"] for one in first["files"]} == {f"{first['study']}/s1.nii.gz"}
    assert len(first["files"]) == 4
    image = nibabel.load(tmp_path / "out" / first["files"][0]["target"])
    stored = [dcmread(archive / one["source"]).pixel_array for one in first["files"]]
    assert np.array_equal(np.asarray(image.dataobj).transpose(2, 1, 0), stored)
    assert image.affine @ (0, 0, 0, 1) == pytest.approx((0.0, 50.0, 60.0, 1.0))
    assert image.affine @ (2, 3, 1, 1) == pytest.approx((-4.0, 50.0 - 2.5, 60.0 - 4.5, 1.0))


def test_bids_names_what_it_can_and_says_what_it_cannot(select: Select, archive: Path, tmp_path: Path) -> None:
    result = select(archive, "--as", "bids", where="plane == sagittal")
    assert result.code == 3
    assert "1 chosen were not or not wholly written; the manifest says why." in result.err
    key = lines(tmp_path / "out")[0]["study"]
    assert sorted(name for name in tree(tmp_path / "out") if key in name) == [
        f"sub-{key}/anat/sub-{key}_acq-sagCervical_run-1_T2w.json",
        f"sub-{key}/anat/sub-{key}_acq-sagCervical_run-1_T2w.nii.gz",
        f"sub-{key}/anat/sub-{key}_acq-sagLumbar_run-1_T1w.json",
        f"sub-{key}/anat/sub-{key}_acq-sagLumbar_run-1_T1w.nii.gz",
    ]
    note = next(line for line in lines(tmp_path / "out") if line["number"] == BRAIN)
    assert note["note"] == "not written: BIDS has no name for sequence other"
    assert {one["target"] for one in note["files"]} == {None}
    described = json.loads((tmp_path / "out" / "dataset_description.json").read_text())
    assert (described["BIDSVersion"], described["DatasetType"]) == ("1.8.0", "raw")
    assert "manifest.csv" in (tmp_path / "out" / ".bidsignore").read_text()
    assert "Research use only" in (tmp_path / "out" / "README").read_text()
    sidecar = json.loads((tmp_path / "out" / f"sub-{key}/anat/sub-{key}_acq-sagCervical_run-1_T2w.json").read_text())
    assert (sidecar["EchoTime"], sidecar["RepetitionTime"], sidecar["SliceThickness"]) == (0.1, 3.0, 3.5)
    assert sidecar["SpinalisLabels"]["region"] == {"label": "cervical", "probability": 0.8, "source": "pixels"}


def test_two_series_of_a_kind_are_two_runs(select: Select, tmp_path: Path) -> None:
    save_series(tmp_path / "archive", 3, T2)
    save_series(tmp_path / "archive" / "again", 3, T2, SeriesInstanceUID="1.2.3.77")
    assert select(tmp_path / "archive", "--as", "bids").code == 0
    names = sorted(Path(name).name.split("_", 1)[1] for name in copies(tmp_path / "out"))
    assert names == ["acq-sagCervical_run-1_T2w.nii.gz", "acq-sagCervical_run-2_T2w.nii.gz"]


def test_a_file_with_several_frames_goes_whole_and_once(select: Select, tmp_path: Path) -> None:
    made = enhanced()
    made.SeriesNumber = T2
    save(made, tmp_path / "archive" / "all.dcm")
    assert select(tmp_path / "archive", "--unit", "slice").code == 0
    assert len(lines(tmp_path / "out")) == 2
    ((target, source),) = copies(tmp_path / "out").items()
    assert source == "all.dcm"
    assert (tmp_path / "out" / target).read_bytes() == (tmp_path / "archive" / "all.dcm").read_bytes()
    assert [line["files"][0]["frame"] for line in lines(tmp_path / "out")] == [3, 0]


def test_without_positions_there_is_a_picture_but_no_volume(select: Select, tmp_path: Path) -> None:
    save_series(tmp_path / "archive", 3, T2, ImagePositionPatient=None)
    assert select(tmp_path / "archive", "--as", "png", out="png").code == 0
    result = select(tmp_path / "archive", "--as", "nifti", out="nifti")
    assert result.code == 3
    assert "expected a position for every slice, got 0 of 3" in rows(tmp_path / "nifti")[0]["note"]


def test_bad_files_are_skipped_with_a_note(select: Select, archive: Path, tmp_path: Path) -> None:
    home = archive / "DOE_JANE_0" / "1"
    (home / "1_00.dcm").write_bytes((home / "1_00.dcm").read_bytes()[:900])
    (home / "notes.txt").write_text("no image")
    result = select(archive)
    assert result.code == 3
    (first, second) = lines(tmp_path / "out")
    assert (first["slices"], second["slices"]) == (3, 4)
    assert "missing_pixels" in first["flags"]
    assert "without complete pixels" in result.err
    assert len(copies(tmp_path / "out")) == 7


def test_a_slice_that_cannot_be_decoded_is_never_chosen(
    select: Select, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damaged = lambda series: replace(labelled(series), slices=labelled(series).slices[:3])  # noqa: E731
    monkeypatch.setattr(selection, "triage_study", lambda study, *_: tuple(map(damaged, study.series)))
    select(archive, "--unit", "slice", "--manifest", "all", where="region == cervical", out="slices")
    last = [line for line in lines(tmp_path / "slices") if line["number"] == T2 and line["slice"] == 3]
    assert {(line["rule"], line["note"]) for line in last} == {("unknown", "no pixel can be decoded, or all are equal")}
    assert select(archive, where="region == cervical", out="series").code == 3
    assert lines(tmp_path / "series")[0]["note"] == "1 of 4 slices could not be read and were left out"
    assert len(copies(tmp_path / "series")) == 6


def test_a_file_that_is_gone_when_it_is_copied_is_noted(
    select: Select, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def triage(study: Study, *_: object) -> tuple[SeriesLabel, ...]:
        labels = tuple(map(labelled, study.series))
        for series in study.series:
            (archive / series.slices[0].file).unlink()
        return labels

    monkeypatch.setattr(selection, "triage_study", triage)
    assert select(archive).code == 3
    assert {line["note"] for line in lines(tmp_path / "out")} == {"1 of 4 slices could not be read and were left out"}
    assert [one["target"] for one in lines(tmp_path / "out")[0]["files"]].count(None) == 1
    assert len(copies(tmp_path / "out")) == 6


def test_a_bug_in_one_study_does_not_lose_the_others(
    select: Select, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[str] = []

    def fail(study: Study, *_: object) -> tuple[SeriesLabel, ...]:
        seen.append(study.key)
        if len(seen) == 1:
            raise ZeroDivisionError("^".join(["DOE", "JANE"]))
        return tuple(map(labelled, study.series))

    monkeypatch.setattr(selection, "triage_study", fail)
    result = select(archive)
    assert result.code == 3
    assert f"Error: Study {seen[0]}: expected to be read, got ZeroDivisionError" in result.err
    assert "DOE^JANE" not in result.err
    assert {line["study"] for line in lines(tmp_path / "out")} == {seen[1]}


@pytest.mark.parametrize("form", ["original", "png", "bids"])
def test_an_interrupted_run_is_finished_by_the_same_command(
    select: Select, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    arguments = ("--as", form, "--manifest", "all")
    assert select(archive, *arguments, where="sequence in (T2w, T1w)", out="whole").code == 0
    write, seen = selection.Courier.deliver, []

    def interrupted(courier: selection.Courier, choice: object) -> object:
        seen.append(choice)
        if len(seen) == 4:
            signal.raise_signal(signal.SIGTERM)
        return write(courier, choice)

    monkeypatch.setattr(selection.Courier, "deliver", interrupted)
    assert select(archive, *arguments, where="sequence in (T2w, T1w)").code == 143
    assert not (tmp_path / "out" / "manifest.csv").exists()
    monkeypatch.setattr(selection.Courier, "deliver", write)
    triaged: list[str] = []
    monkeypatch.setattr(
        selection,
        "triage_study",
        lambda study, *_: triaged.append(study.key) or tuple(map(labelled, study.series)),
    )
    result = select(archive, *arguments, "--json", where="sequence in (T2w, T1w)")
    assert (result.code, json.loads(result.out)["resumed"], len(triaged)) == (0, 1, 1)
    assert tree(tmp_path / "out") == tree(tmp_path / "whole")


def test_a_finished_run_does_nothing_again_but_list_differently(
    select: Select, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    select(archive)
    monkeypatch.setattr(selection, "triage_study", lambda *_: pytest.fail("work was done again"))
    assert select(archive, "--manifest", "all").code == 0
    assert len(lines(tmp_path / "out")) == 6


def test_a_study_with_new_files_is_looked_at_again(select: Select, archive: Path, tmp_path: Path) -> None:
    select(archive)
    changes = {"StudyInstanceUID": "1.2.0", "SeriesInstanceUID": "1.2.0.1"}
    save(classic(4, T2, **changes), archive / "DOE_JANE_0" / "1" / "1_04.dcm")
    assert json.loads(select(archive, "--json").out)["resumed"] == 1
    assert len(copies(tmp_path / "out")) == 9


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        (("--unit", "slice"), "unit"),
        (("--min-probability", "0.5"), "min-probability"),
        (("--as", "png"), "as"),
        (("--link", "sym"), "link"),
    ],
    ids=str,
)
def test_another_selection_in_the_same_folder_is_refused(
    select: Select, archive: Path, tmp_path: Path, changes: tuple[str, ...], named: str
) -> None:
    select(archive)
    before = tree(tmp_path / "out")
    result = select(archive, *changes)
    assert result.code == 1
    assert f"expected the result of the same selection, got another {named}. Choose another folder" in result.err
    assert tree(tmp_path / "out") == before


def test_another_rule_in_the_same_folder_is_refused(select: Select, archive: Path) -> None:
    select(archive)
    assert "got another where." in select(archive, where="cord").err


def test_a_folder_with_other_files_is_left_alone(select: Select, archive: Path, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("mine")
    result = select(archive)
    assert result.code == 1
    assert "expected an empty one or that of an earlier selection, got other files in it" in result.err
    assert tree(tmp_path / "out") == {"thesis.txt": b"mine"}


def test_another_file_under_a_target_is_never_overwritten(select: Select, archive: Path, tmp_path: Path) -> None:
    select(archive)
    target = next(iter(copies(tmp_path / "out")))
    for note in (tmp_path / "out" / ".spinalis-select").glob("*.jsonl"):
        note.unlink()
    (tmp_path / "out" / target).write_bytes(b"changed by hand")
    result = select(archive)
    assert result.code == 1
    assert "expected a free name, got a file with other content. Nothing is overwritten" in result.err
    assert (tmp_path / "out" / target).read_bytes() == b"changed by hand"


def test_an_output_inside_the_input_is_refused(select: Select, archive: Path, tmp_path: Path) -> None:
    result = select(archive, out="archive/out")
    assert result.code == 1
    assert "Output folder: expected one outside the input, got one inside it" in result.err
    assert not (archive / "out").exists()


def test_a_full_disk_ends_the_run_and_leaves_no_half_file(select: Select, archive: Path, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, hard))  # a file larger than this cannot be written
    try:
        result = select(archive)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert result.code == 1
    assert result.err.startswith("Error: Output file: expected a writable folder, got File too large.")
    assert tree(tmp_path / "out") == {}
    assert select(archive).code == 0
    assert len(copies(tmp_path / "out")) == 8


def test_a_folder_that_cannot_be_made_ends_the_run(select: Select, archive: Path, tmp_path: Path) -> None:
    select(archive)
    key = lines(tmp_path / "out")[0]["study"]
    (tmp_path / "out" / ".spinalis-select" / f"{key}.jsonl").unlink()
    shutil.rmtree(tmp_path / "out" / key)
    (tmp_path / "out" / key).write_text("a file in the way")
    result = select(archive)
    assert result.code == 1
    assert result.err.startswith("Error: Output file: expected a writable folder, got ")


@pytest.mark.parametrize(
    ("arguments", "where", "message"),
    [
        ((), "regio == lumbar", "Selection, column 1: expected one of the words"),
        ((), "region == lumba", "Selection, column 11: .*Did you mean lumbar"),
        (("--link", "sym", "--as", "png"), "cord", "expected --link with --as original, got --as png"),
        (("--unit", "slice", "--as", "bids"), "cord", "expected --unit series with --as bids"),
        (("--unit", "study"), "cord", "study"),
        (("--min-probability", "1.5"), "cord", "--min-probability"),
    ],
)
def test_wrong_usage_ends_with_2_before_any_work(
    select: Select, archive: Path, tmp_path: Path, arguments: tuple[str, ...], where: str, message: str
) -> None:
    result = select(archive, *arguments, where=where)
    assert result.code == 2
    assert re.search(message, " ".join(result.err.split()))
    assert not (tmp_path / "out").exists()


def test_an_input_without_images_fails(select: Select, tmp_path: Path) -> None:
    (tmp_path / "archive").mkdir()
    assert select(tmp_path / "archive").code == 1


def test_an_axial_series_is_named_after_its_plane(
    select: Select, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    axial = lambda series: replace(labelled(series), plane=Judgement(label=Plane.AXIAL, probability=1.0))  # noqa: E731
    monkeypatch.setattr(selection, "triage_study", lambda study, *_: tuple(map(axial, study.series)))
    for index in range(3):
        place = [0.0, 0.0, 5.0 * index]
        made = classic(index, T2, ImageOrientationPatient=AXIAL, ImagePositionPatient=place)
        save(made, tmp_path / "archive" / f"{index}.dcm")
    assert select(tmp_path / "archive", "--as", "bids", where="plane == axial").code == 0
    assert "_acq-axCervical_run-1_T2w.nii.gz" in next(iter(copies(tmp_path / "out")))


@pytest.mark.slow
def test_two_jobs_and_the_real_pack_give_what_one_gives(tmp_path: Path) -> None:
    """Through the real command, on two studies made of the bundled example."""
    example = Path(__file__).parents[2] / "examples" / "lumbar"
    for study in range(2):
        for path in sorted(example.rglob("*.dcm")):
            dataset = dcmread(path)
            if int(dataset.SeriesNumber) in (2, 3):
                dataset.StudyInstanceUID = f"1.2.{study}"
                (tmp_path / "archive" / str(study)).mkdir(parents=True, exist_ok=True)
                dataset.save_as(tmp_path / "archive" / str(study) / f"{dataset.SeriesNumber}_{path.name}")
    rule = "region == lumbar and plane == sagittal and sequence == T2w"
    command = [sys.executable, "-c", "from spinalis.apps.cli import main; main()", "select", str(tmp_path / "archive")]
    for jobs in ("1", "2"):
        out = str(tmp_path / jobs)
        said = subprocess.run(
            [*command, "-o", out, "--where", rule, "--jobs", jobs, "--json"], check=True, capture_output=True
        )
        assert json.loads(said.stdout)["chosen"] == 2
    assert tree(tmp_path / "1") == tree(tmp_path / "2")
    assert len(copies(tmp_path / "1")) == 22

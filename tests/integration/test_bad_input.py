"""Bad input through the real command line and the shipped packs, from DICOM on disk; the answers are in the docs."""

import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from benchmarks.torture import SEED
from pydicom import dcmread

from spinalis.simulate.torture import KINDS, torture_study, write_files
from tests.terminal import Run, in_this_process

ROOT = Path(__file__).parents[2]
REAL = Path(os.environ.get("SPINALIS_REAL_DATA") or ROOT.parent / "shared" / "data") / "dicom" / "brain_sag_t1_flash"
NAMES = [kind.__name__ for kind in KINDS]

Json = dict[str, Any]
Labels = tuple[str, str, str, str]

T1W: Labels = ("MR spine", "lumbar", "sagittal", "T1w")
T2W: Labels = ("MR spine", "lumbar", "sagittal", "T2w")
AXIAL: Labels = ("MR spine", "lumbar", "axial", "T2w")
WHOLE = {T1W, T2W, AXIAL}
"""The series of the plain study of this seed: what must be answered whatever was done to it."""


@pytest.fixture
def triage(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    with in_this_process(monkeypatch, capsys, "triage", "--json") as run:
        yield run


def told(triage: Run, kind: str, folder: Path) -> tuple[int, list[Json]]:
    """The exit code and every series that `spinalis triage` tells of a kind of torture."""
    tortured = torture_study(SEED, NAMES.index(kind))
    write_files(tortured, folder)
    code, out, _ = triage(folder / tortured.entry)
    return code, [series for line in out.splitlines() for series in json.loads(line)["series"]]


def labels(series: Json) -> Labels:
    anatomy, region, plane, sequence = (series[head]["label"] for head in ("anatomy", "region", "plane", "sequence"))
    return anatomy, region, plane, sequence


@pytest.mark.parametrize(
    ("kind", "code", "flag", "shown"),
    [
        ("brain_in_the_header", 0, "header_contradicts_pixels_anatomy", WHOLE),
        ("nothing_but_pixels", 0, "no_geometry", WHOLE),
        ("single_slice", 0, "single_slice", {T2W}),
        ("grey_as_colour", 0, "colour", WHOLE),
        ("burned_in", 0, "burned_in", WHOLE),
        ("monochrome1", 0, "monochrome1", WHOLE),
        ("mirrored_and_said", 0, None, WHOLE),
        ("upside_down_and_said", 0, None, WHOLE),
        ("blank_and_noisy_slices", 0, "blank_slices", WHOLE),
        ("blank_series", 0, "blank_slices", WHOLE),
        ("unreadable_codec", 3, "unreadable_slices", WHOLE),
    ],
)
def test_triage_tells_what_it_is_and_what_is_odd(
    triage: Run, tmp_path: Path, kind: str, code: int, flag: str | None, shown: set[Labels]
) -> None:
    left, series = told(triage, kind, tmp_path / "study")
    assert left == code
    assert {labels(one) for one in series} == shown
    flags = {word for one in series for word in one["flags"]}
    assert flag in flags if flag else not flags


def test_a_blank_slice_has_no_label_and_a_blank_series_rests_on_its_header(triage: Run, tmp_path: Path) -> None:
    _, series = told(triage, "blank_series", tmp_path / "study")
    (blank,) = (one for one in series if "blank_slices" in one["flags"])
    assert all(item["labels"] is None for item in blank["slices"])
    assert blank["anatomy"]["source"] == "header"
    assert blank["cord_slices"] == []


@pytest.mark.real_data
@pytest.mark.skipif(not REAL.is_dir(), reason="the open real images are not there")
def test_a_real_brain_that_is_called_a_lumbar_spine_is_no_spine(triage: Run, tmp_path: Path) -> None:
    folder = shutil.copytree(REAL, tmp_path / "study")
    for path in folder.iterdir():
        dataset = dcmread(path)
        dataset.BodyPartExamined = "LSPINE"
        dataset.SeriesDescription = dataset.ProtocolName = dataset.StudyDescription = "L-spine"
        path.chmod(0o644)
        dataset.save_as(path)
    code, out, _ = triage(folder)
    (series,) = json.loads(out)["series"]
    assert (code, series["anatomy"]["label"], series["region"]["label"]) == (0, "not MR spine", "unknown")
    assert "header_contradicts_pixels_anatomy" in series["flags"]


def test_the_page_on_bad_input_names_kinds_that_exist() -> None:
    rows = [line for line in (ROOT / "docs" / "bad-input.md").read_text().splitlines() if line.startswith("| ")]
    named = {word for row in rows for word in re.findall(r"`(\w+)`", row.rsplit("|", 2)[1])}
    assert len(named) > 20
    assert named <= set(NAMES)

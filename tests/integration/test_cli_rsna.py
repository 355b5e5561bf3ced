"""From a folder in RSNA 2024 layout to its score: read, write predictions, evaluate."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom import dcmread, dcmwrite
from pydicom.uid import RLELossless

from tests.rsna import write_labels

pytestmark = pytest.mark.slow

EXAMPLE = Path(__file__).parents[2] / "examples" / "lumbar"
KEPT = (
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "InstanceNumber", "PatientID", "SeriesDescription"),
    *("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness", "PixelData"),
    *("Rows", "Columns", "SamplesPerPixel", "PhotometricInterpretation", "BitsAllocated", "BitsStored", "HighBit"),
    "PixelRepresentation",
)


def strip(folder: Path, study: str) -> None:
    """The bundled example as the set holds its studies: RLE, headers nearly empty, numbered against the positions."""
    for number, series in enumerate(sorted(item for item in EXAMPLE.iterdir() if item.is_dir()), start=1):
        files = sorted(series.glob("*.dcm"))
        for instance, file in enumerate(reversed(files), start=1):
            dataset = dcmread(file)
            dataset.decompress()
            for element in list(dataset):
                if element.keyword not in KEPT:
                    del dataset[element.tag]
            dataset.compress(RLELossless, generate_instance_uid=False)
            dataset.InstanceNumber, dataset.PatientID = instance, study
            dataset.SeriesDescription = "T2"
            target = folder / study / f"{study}{number}" / f"{instance}.dcm"
            target.parent.mkdir(parents=True, exist_ok=True)
            dcmwrite(target, dataset, enforce_file_format=False)


def spinalis(*arguments: object) -> subprocess.CompletedProcess[str]:
    given = ["spinalis", *map(str, arguments)]
    code = f"import sys; sys.argv = {given!r}; from spinalis.apps.cli import main; main()"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)


def test_a_study_without_header_tags_is_read_graded_and_scored(tmp_path: Path) -> None:
    strip(tmp_path / "train_images", "4003253")
    truth = write_labels(tmp_path / "train.csv", {"4003253": [0, 1, 2, -1, 0] * 5})
    done = spinalis(
        "read", tmp_path / "train_images", "-o", tmp_path / "out", "--rsna-csv", tmp_path / "p.csv", "--json"
    )
    assert done.returncode == 0, done.stderr
    reading = json.loads(done.stdout)
    graded = [finding for finding in reading["findings"] if "severity" in finding]
    assert len(graded) >= 20, "most findings are graded from pixels and geometry alone"
    rows = (tmp_path / "p.csv").read_text().splitlines()
    assert len(rows) == 26
    assert all(row.startswith("4003253_") for row in rows[1:])
    scored = spinalis("evaluate", "rsna", tmp_path / "p.csv", truth, "--json", "--repeats", 2)
    assert scored.returncode == 0, scored.stderr
    found = json.loads(scored.stdout)["answers"]["p.csv"]
    assert found["labelled"] == 20
    assert found["score"]["mean"] > 0

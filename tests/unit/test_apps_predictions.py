import zipfile
from pathlib import Path

import pytest
from pydicom.uid import ExplicitVRLittleEndian

from spinalis.apps import batch, predictions
from spinalis.errors import InputError
from spinalis.evaluate import rsna
from spinalis.formats import read_studies, rsna_csv
from spinalis.prevalence import PREVALENCE
from spinalis.records import Graded
from spinalis.vocabulary import CONDITIONS, LEVELS
from tests.dicoms import classic, save
from tests.readings import reading


def given(*inputs: Path) -> list[tuple[Path, object]]:
    return [(path, study) for path in inputs for study in read_studies(path)]


@pytest.fixture
def studies(tmp_path: Path) -> Path:
    """Two studies of two series each, as in the set."""
    for number, study in enumerate(("4003253", "4646740")):
        for series in (11, 12):
            dataset = classic(0, series, StudyInstanceUID=f"1.2.{number}", SeriesInstanceUID=f"1.2.{number}.{series}")
            save(dataset, tmp_path / "train_images" / study / str(series) / "1.dcm", ExplicitVRLittleEndian)
    return tmp_path / "train_images"


def test_rows_are_named_after_the_folders_of_the_studies(studies: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert predictions.row_names(given(studies)) == ("4003253", "4646740")
    assert predictions.row_names(given(studies / "4646740")) == ("4646740",)
    monkeypatch.chdir(studies / "4003253")
    assert predictions.row_names(given(Path())) == ("4003253",)


def test_an_archive_and_a_flat_folder_name_their_study(studies: Path, tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "case7.zip", "w") as archive:
        for file in (studies / "4003253").rglob("*.dcm"):
            archive.write(file, file.relative_to(studies / "4003253"))
    assert predictions.row_names(given(tmp_path / "case7.zip")) == ("case7",)
    for series in (11, 12):
        save(classic(0, series), tmp_path / "flat" / f"{series}.dcm")
    assert predictions.row_names(given(tmp_path / "flat")) == ("flat",)


def test_studies_that_no_folder_tells_apart_are_refused(studies: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="expected one study in each folder, got 1 folders with more"):
        predictions.row_names(given(studies / "4003253", studies / "4003253"))
    save(classic(0, 11), tmp_path / "mixed/a/11/1.dcm")
    save(classic(0, 12), tmp_path / "mixed/b/12/1.dcm")
    with pytest.raises(InputError, match=r"as <study>/<series>/<instance>.dcm, got them in 2 study folders"):
        predictions.row_names(given(tmp_path / "mixed"))


def test_a_prediction_file_holds_weighted_answers_and_the_prior_for_the_rest(tmp_path: Path) -> None:
    made = reading(axial=False)
    file = tmp_path / "p.csv"
    assert predictions.write({"7": made.findings, "8": ()}, file) == 25 + 25 - len(made.graded)
    found = rsna_csv.read_predictions(file)
    for finding in made.graded:
        assert isinstance(finding.result, Graded)
        weighted = [w * p for w, p in zip((1, 2, 4), finding.result.probabilities, strict=True)]
        expected = [value / sum(weighted) for value in weighted]
        assert found["7"][finding.condition, finding.level] == pytest.approx(expected, abs=1e-12)
    prior = rsna.weighted(PREVALENCE["canal"][3])  # type: ignore[arg-type]
    assert found["8"][CONDITIONS[0], LEVELS[3]] == pytest.approx(prior, abs=1e-12)


def test_an_outcome_carries_the_findings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = reading()
    monkeypatch.setattr(batch, "read_study", lambda *_, **__: made)
    monkeypatch.setattr(batch, "_packs", lambda folder: ())
    monkeypatch.setattr("spinalis.report.pictures.Gallery.looked_at", lambda gallery: ())
    outcome = batch.read_one(batch.Job(study=made.study, folder=tmp_path, packs=None))
    assert outcome.findings == made.findings

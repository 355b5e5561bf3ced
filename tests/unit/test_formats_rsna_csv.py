from pathlib import Path

import numpy as np
import pytest

from spinalis.errors import TableError
from spinalis.evaluate.rsna import answers
from spinalis.formats import rsna_csv
from spinalis.formats.rsna_csv import PLACES, SeriesKind
from spinalis.records import Finding, Graded, NotAssessed, Proof
from spinalis.vocabulary import CONDITIONS, LEVELS, Condition, Level, Plane, Sequence, Severity
from tests.rsna import COLUMNS, write_answers, write_csv, write_labels

POINTS = ("study_id", "series_id", "instance_number", "condition", "level", "x", "y")
ROW = ("1", "2", "3", "Spinal Canal Stenosis", "L4/L5", "10.5", "20")


def test_labels_are_read_with_the_missing_ones_as_values(tmp_path: Path) -> None:
    grades = [0] * 25
    grades[COLUMNS.index("left_subarticular_stenosis_l4_l5")] = 2
    grades[COLUMNS.index("spinal_canal_stenosis_l1_l2")] = -1
    found = rsna_csv.read_grades(write_labels(tmp_path / "train.csv", {"4003253": grades, "7": [1] * 25}))
    assert list(found) == ["4003253", "7"]
    assert tuple(found["7"]) == PLACES
    assert found["4003253"][Condition.LEFT_SUBARTICULAR_STENOSIS, Level.L4_L5] is Severity.SEVERE
    assert found["4003253"][Condition.SPINAL_CANAL_STENOSIS, Level.L1_L2] is None
    assert set(found["7"].values()) == {Severity.MODERATE}


def test_columns_go_by_their_names_and_a_byte_order_mark_is_no_part_of_one(tmp_path: Path) -> None:
    file = write_csv(
        tmp_path / "train.csv", ["\ufeffstudy_id", "age", *reversed(COLUMNS)], [["a", "66", "Severe", *[""] * 24]]
    )
    (grades,) = rsna_csv.read_grades(file).values()
    assert [place for place, grade in grades.items() if grade] == [(CONDITIONS[-1], LEVELS[-1])]


def test_points_and_descriptions_are_read(tmp_path: Path) -> None:
    (point,) = rsna_csv.read_points(write_csv(tmp_path / "c.csv", POINTS, [ROW]))
    assert (point.study, point.series, point.instance_number, point.x, point.y) == ("1", "2", 3, 10.5, 20.0)
    assert (point.condition, point.level) == (Condition.SPINAL_CANAL_STENOSIS, Level.L4_L5)
    file = write_csv(
        tmp_path / "d.csv", ["study_id", "series_id", "series_description"], [["1", "2", "Sagittal T2/STIR"]]
    )
    assert rsna_csv.read_descriptions(file) == {("1", "2"): SeriesKind.SAGITTAL_T2_STIR}


@pytest.mark.parametrize(
    ("kind", "plane", "sequence"),
    [
        (SeriesKind.SAGITTAL_T1, Plane.SAGITTAL, Sequence.T1W),
        (SeriesKind.SAGITTAL_T2_STIR, Plane.SAGITTAL, Sequence.T2W),
        (SeriesKind.AXIAL_T2, Plane.AXIAL, Sequence.T2W),
    ],
)
def test_a_description_says_plane_and_sequence(kind: SeriesKind, plane: Plane, sequence: Sequence) -> None:
    assert (kind.plane, kind.sequence) == (plane, sequence)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({}, r"^train.csv, line 3: expected one of Normal/Mild, Moderate, Severe in .*, got Modrate\. Correct"),
        ({"header": ["study_id", *COLUMNS[1:]]}, "line 1: expected a column spinal_canal_stenosis_l1_l2, got study_id"),
        ({"header": ["study_id", *COLUMNS, COLUMNS[3]]}, "line 1: expected one column .*_l4_l5, got 2 of them"),
        ({"rows": [["a", *[""] * 24]]}, "line 2: expected 26 cells, got 25"),
        ({"rows": [["a", *[""] * 25], ["a", *[""] * 25]]}, "line 3: expected each study_id once"),
        ({"rows": [["", *["Severe"] * 25]]}, "line 2: expected a study_id, got an empty cell"),
    ],
    ids=["word", "column", "twice", "ragged", "repeated", "nameless"],
)
def test_broken_labels_are_told_by_file_line_rule_and_value(
    change: dict[str, list[list[str]]], message: str, tmp_path: Path
) -> None:
    rows = change.get("rows", [["a", *["Severe"] * 25], ["b", "Modrate", *[""] * 24]])
    file = write_csv(tmp_path / "train.csv", change.get("header", ["study_id", *COLUMNS]), rows)
    with pytest.raises(TableError, match=message) as caught:
        rsna_csv.read_grades(file)
    assert str(tmp_path) not in str(caught.value)


@pytest.mark.parametrize(
    ("place", "value", "message"),
    [
        (2, "3.5", "line 2: expected a whole number in instance_number, got 3.5"),
        (3, "Canal", "line 2: expected one of Spinal Canal Stenosis, .* in condition, got Canal"),
        (4, "l4_l5", "line 2: expected one of L1/L2, .* in level, got l4_l5"),
        (5, "nan", "line 2: expected a number in x, got nan"),
        (6, "", "line 2: expected a number in y, got an empty cell"),
    ],
)
def test_broken_points_are_told(place: int, value: str, message: str, tmp_path: Path) -> None:
    row = [*ROW[:place], value, *ROW[place + 1 :]]
    with pytest.raises(TableError, match=message):
        rsna_csv.read_points(write_csv(tmp_path / "points.csv", POINTS, [row]))


def test_what_is_no_table_is_told(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "latin.csv").write_bytes("study_id,Größe".encode("latin-1"))
    (tmp_path / "quote.csv").write_text('row_id,normal_mild,moderate,severe\n"a_spinal')
    for name, message in (
        ("empty", "a column row_id, got an empty file"),
        ("latin", "UTF-8"),
        ("quote", "well-formed"),
    ):
        with pytest.raises(TableError, match=message):
            rsna_csv.read_predictions(tmp_path / f"{name}.csv")
    with pytest.raises(TableError, match="expected a readable file, got No such file"):
        rsna_csv.read_predictions(tmp_path / "none.csv")


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (
            ["7_canal_l1_l2", 0.5, 0.3, 0.2],
            "expected <study>_<condition>_<level> in row_id, got one that ends in canal",
        ),
        ([f"_{COLUMNS[0]}", 0.5, 0.3, 0.2], "expected <study>_<condition>_<level>"),
        ([f"7_{COLUMNS[0]}", 0.5, 0.6, -0.1], r"expected probabilities in 0..1, got 0.5, 0.6, -0.1"),
        ([f"7_{COLUMNS[0]}", 0.5, 0.3, 0.1], r"expected probabilities that sum to 1, got 0.9"),
        ([f"7_{COLUMNS[0]}", "high", 0.3, 0.1], "expected a number in normal_mild, got high"),
    ],
    ids=["condition", "study", "negative", "sum", "word"],
)
def test_broken_predictions_are_told(row: list[object], message: str, tmp_path: Path) -> None:
    header = ["row_id", "normal_mild", "moderate", "severe"]
    file = write_csv(tmp_path / "p.csv", header, [[f"7_{COLUMNS[1]}", 1, 0, 0], row])
    with pytest.raises(TableError, match=f"p.csv, line 3: {message}"):
        rsna_csv.read_predictions(file)


def test_a_repeated_prediction_is_refused(tmp_path: Path) -> None:
    header = ["row_id", "normal_mild", "moderate", "severe"]
    file = write_csv(tmp_path / "p.csv", header, [[f"7_{COLUMNS[1]}", 1, 0, 0]] * 2)
    with pytest.raises(TableError, match="line 3: expected each row_id once"):
        rsna_csv.read_predictions(file)


def test_predictions_survive_writing_and_reading_to_the_last_digit(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    given = {
        study: {place: tuple(random.dirichlet([1, 1, 1]).tolist()) for place in PLACES} for study in ("12", "a_b l1_l2")
    }
    rsna_csv.write_predictions(given, tmp_path / "p.csv")  # type: ignore[arg-type]
    assert rsna_csv.read_predictions(tmp_path / "p.csv") == given
    first = (tmp_path / "p.csv").read_text().splitlines()[:2]
    assert first[0] == "row_id,normal_mild,moderate,severe"
    assert first[1].startswith("12_spinal_canal_stenosis_l1_l2,0.")


def test_a_reading_is_written_with_its_probabilities_weighted_one_two_four(tmp_path: Path) -> None:
    graded = Graded(
        severity=Severity.NORMAL_MILD,
        probabilities=(0.7, 0.2, 0.1),
        evidence=(),
        proof=Proof(on="simulation", figures="none"),
    )
    canal, foramen = Condition.SPINAL_CANAL_STENOSIS, Condition.LEFT_NEURAL_FORAMINAL_NARROWING
    findings = (
        Finding(condition=canal, level=Level.L4_L5, result=graded),
        Finding(condition=foramen, level=Level.L5_S1, result=NotAssessed(reason="no sagittal T1w slice")),
    )
    found = answers(findings)
    rsna_csv.write_predictions({"7": found.probabilities}, tmp_path / "p.csv")
    read = rsna_csv.read_predictions(tmp_path / "p.csv")["7"]
    assert found.filled == 24
    assert read[canal, Level.L4_L5] == pytest.approx((0.7 / 1.5, 0.4 / 1.5, 0.4 / 1.5), abs=1e-15)
    # Nothing assessed: the prevalence in the set at this level, .6419 / .2578 / .1003, weighted.
    total = 0.6419 + 2 * 0.2578 + 4 * 0.1003
    assert read[foramen, Level.L5_S1] == pytest.approx((0.6419 / total, 0.5156 / total, 0.4012 / total), abs=1e-15)


def test_predictions_may_lack_rows(tmp_path: Path) -> None:
    write_answers(tmp_path / "p.csv", {"7": [(1.0, 0.0, 0.0)] * 25})
    lines = (tmp_path / "p.csv").read_text().splitlines()
    (tmp_path / "p.csv").write_text("\n".join(lines[:3]) + "\n\n")
    assert list(rsna_csv.read_predictions(tmp_path / "p.csv")["7"]) == list(PLACES[:2])

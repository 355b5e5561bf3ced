"""Every kind of torture once, read with the shipped packs, held against its expected answer."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from benchmarks.torture import SEED, answer_to

from spinalis.errors import SimulationError
from spinalis.simulate.layouts import simulate_to_folder
from spinalis.simulate.torture import (
    KINDS,
    Answer,
    Expectation,
    ExpectedSeries,
    Likeness,
    TorturedStudy,
    expectation_of,
    kind_of,
    torture_study,
    write_files,
)
from spinalis.vocabulary import Condition, Level, Plane

NAMES = [kind.__name__ for kind in KINDS]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Answer:
    return answer(torture_study(SEED, 0), tmp_path_factory.mktemp("plain"))


def answer(tortured: TorturedStudy, folder: Path) -> Answer:
    write_files(tortured, folder / "study")
    return answer_to(tortured, folder, None)


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_the_answer_is_the_expected_one(number: int, plain: Answer, tmp_path: Path) -> None:
    tortured = torture_study(SEED, number)
    expected = expectation_of(json.loads(json.dumps(tortured.expected.document())))
    assert expected == tortured.expected
    assert expected.check(answer(tortured, tmp_path), plain) == ()


def test_a_set_of_500_has_every_kind_several_times_and_the_same_patient_per_variant() -> None:
    assert len(KINDS) == len(set(NAMES)) >= 50
    assert kind_of(0) == ("plain", 0)
    assert kind_of(len(KINDS) + 1) == (NAMES[1], 1)
    assert all(kind.__doc__ for kind in KINDS)


@pytest.mark.parametrize("name", ["plain", "shuffled_names", "noise_as_dicom", "zipped", "jpeg_2000"])
def test_the_same_number_gives_the_same_bytes(name: str) -> None:
    number = NAMES.index(name)
    assert torture_study(SEED, number).files == torture_study(SEED, number).files


def test_the_set_is_written_with_its_expectations_beside_it(tmp_path: Path) -> None:
    folders = simulate_to_folder(tmp_path, studies=2, seed=SEED, profile="torture")
    assert [folder.name for folder in folders] == ["torture-2024-00000", "torture-2024-00001"]
    truth = json.loads((tmp_path / "truth" / "torture-2024-00001.json").read_text())
    tortured = torture_study(SEED, 1)
    assert (truth["kind"], truth["entry"]) == (NAMES[1], ".")
    assert expectation_of(truth["expected"]) == tortured.expected
    written = {path.relative_to(folders[1]).as_posix() for path in folders[1].rglob("*.dcm")}
    assert written == {name for name, _ in tortured.files}


def test_the_set_comes_as_dicom_only(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="expected the layout dicom"):
        simulate_to_folder(tmp_path, studies=1, seed=SEED, profile="torture", layout="nifti")


def test_a_negative_seed_is_refused() -> None:
    with pytest.raises(SimulationError, match="expected seed"):
        torture_study(-1, 0)


def reading() -> dict[str, object]:
    """What `plain` could be answered with, small."""
    levels = [
        {"level": level.value, "point_lps_mm": [0.0, 0.0, -30.0 * k], "series": "s1", "row": 3.0, "column": 3.0}
        for k, level in enumerate(Level)
    ]
    findings = [
        {
            "condition": condition.value,
            "level": level.value,
            "column": f"{condition.column}_{level.column}",
            "severity": "Severe" if condition.value.startswith("Left") else "Normal/Mild",
        }
        for condition in Condition
        for level in Level
    ]
    series = {
        "key": "s1",
        "number": 1,
        "rows": 9,
        "columns": 9,
        "plane": {"label": "sagittal"},
        "anatomy": {"label": "MR spine"},
        "flags": [],
        "slices": [{"position_lps_mm": [float(k), 0.0, 0.0]} for k in range(3)],
    }
    return {"levels": levels, "findings": findings, "series": [series], "warnings": []}


def check(expected: Expectation, **changes: object) -> tuple[str, ...]:
    model = Answer(code=0, readings=(reading(),))
    return expected.check(replace(model, **changes), model)  # type: ignore[arg-type]


SAGITTAL = ExpectedSeries(number=1, slices=3, planes=(Plane.SAGITTAL,))


def test_a_right_answer_breaks_nothing() -> None:
    assert check(Expectation(kind="plain", series=(SAGITTAL,), like=Likeness())) == ()


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        (Expectation(kind="x", codes=(3,)), "exit code"),
        (Expectation(kind="x", studies=2), "2 studies expected"),
        (Expectation(kind="x", series=(replace(SAGITTAL, slices=4),)), "4 slices expected, got 3"),
        (Expectation(kind="x", series=(replace(SAGITTAL, parts=(2, 2)),)), "2 to 2 parts"),
        (Expectation(kind="x", series=(replace(SAGITTAL, planes=(Plane.AXIAL,)),)), "plane axial expected"),
        (Expectation(kind="x", series=(replace(SAGITTAL, flags=("gap",)),)), "flags"),
        (Expectation(kind="x", not_assessed=((Condition.SPINAL_CANAL_STENOSIS, None),)), "no grade expected"),
        (Expectation(kind="x", notices=("refused",)), "warning refused expected"),
        (Expectation(kind="x", doubted=True), "without doubt"),
        (Expectation(kind="x", like=Likeness(grades="mirrored")), "20 others"),
    ],
    ids=["code", "studies", "slices", "parts", "plane", "flags", "grades", "warning", "doubt", "sides"],
)
def test_a_wrong_answer_is_named(expected: Expectation, message: str) -> None:
    assert any(message in problem for problem in check(expected))


def test_a_level_must_be_withheld_where_it_lies_not_where_it_is_said_to_be() -> None:
    place = ((Level.L1_L2, (0.0, 0.0, -60.0)),)
    expected = Expectation(kind="x", not_assessed=((None, Level.L1_L2),), places=place)
    (problem,) = check(expected)
    assert "l3_l4" in problem
    assert "l1_l2" not in problem


def test_a_level_must_bear_its_own_name_or_be_doubted() -> None:
    true = tuple((level, (0.0, 4.0, -30.0 * k)) for k, level in enumerate(Level))
    assert check(Expectation(kind="x", places=true, placed=True)) == ()
    off_by_one = tuple((level, (0.0, 4.0, -30.0 * (k + 1))) for k, level in enumerate(Level))
    expected = Expectation(kind="x", places=off_by_one, placed=True)
    assert len(check(expected)) == len(Level)
    doubting = reading()
    doubting["warnings"] = [{"kind": "numbering_doubt"}]
    assert check(expected, readings=(doubting,)) == ()


def test_another_patient_has_what_was_asked_for() -> None:
    for name, junction in (("four_lumbar_vertebrae", "sacralized L5"), ("six_lumbar_vertebrae", "lumbarized S1")):
        assert torture_study(SEED, NAMES.index(name)).truth.junction == junction
    (slip,) = torture_study(SEED, NAMES.index("spondylolisthesis")).truth.disease.lesions
    assert (slip.place, slip.size_mm) == ("L4/L5", 9.0)
    points = np.array(list(torture_study(SEED, NAMES.index("scoliosis")).truth.levels.values()))
    along = np.degrees(np.arctan2(np.diff(points[:, 0]), -np.diff(points[:, 2])))
    assert np.ptp(along) > 8  # of the line through the discs, which bends less than the discs lean


def test_the_laws_hold_for_every_reading() -> None:
    wrong = reading()
    wrong["levels"] = [*reversed(wrong["levels"])][1:]  # type: ignore[call-overload]
    wrong["levels"][0]["row"] = 12.0  # type: ignore[index]
    wrong["series"][0]["slices"].reverse()  # type: ignore[index]
    broken = check(Expectation(kind="x"), readings=(wrong,))
    assert len(broken) == 4

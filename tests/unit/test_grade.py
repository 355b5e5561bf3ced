from dataclasses import replace

import numpy as np
import pytest

from spinalis.errors import PackError
from spinalis.grade import grade_study
from spinalis.grade.crops import SLOTS
from spinalis.grade.grade import VIEWS_OF
from spinalis.grade.operating import calibrated
from spinalis.models.prepare import InputSpec
from spinalis.records import Graded, Landmark, Location, NotAssessed, Study
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level, Plane, Sequence, Severity
from tests.fakes import AXIAL, SAGITTAL, FakePack, label, manifest, series

SPEC = InputSpec(height=64, width=64, spacing_mm=0.8)
NEUTRAL = {name: {"temperature": 1.0, "bias": [0.0, 0.0, 0.0]} for name in VIEWS_OF}


def pack_that_says(**logits: tuple[float, float, float]) -> FakePack:
    def answer(crops: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
        rows = len(crops)
        said = {name: np.tile(np.array(logits.get(name, (3, 0, 0)), np.float32), (rows, 1)) for name in VIEWS_OF}
        weights = mask / np.maximum(mask.sum(axis=1, keepdims=True), 1)
        return said | {f"{name}_attention": weights for name in VIEWS_OF}

    return FakePack(manifest("grade", {"crops": SPEC}, calibration=NEUTRAL), answer)


def marks(*levels: Level, placed: bool = True) -> tuple[Landmark, ...]:
    return tuple(
        Landmark(
            level=level,
            point_lps_mm=(0.0, 0.0, 80.0 - 32.0 * LEVELS.index(level)) if placed else None,
            confidence=0.9,
            location=Location(series_key="t1", slice_index=7, row=0.0, column=0.0),
        )
        for level in levels
    )


def study() -> Study:
    sagittal = np.random.default_rng(2).random((15, 240, 120)).astype(np.float32)
    stack = np.random.default_rng(3).random((45, 120, 120)).astype(np.float32)
    return Study(
        key="k",
        series=(
            series(sagittal, key="t1", orientation=SAGITTAL, origin=(-28.0, -60.0, 120.0)),
            series(sagittal, key="t2", orientation=SAGITTAL, origin=(-28.0, -60.0, 120.0)),
            series(stack, key="ax", orientation=AXIAL, origin=(-60.0, -60.0, -80.0)),
        ),
    )


LABELS = (label("t1", sequence=Sequence.T1W), label("t2"), label("ax", Plane.AXIAL))


def test_every_condition_and_level_gets_an_answer_in_order() -> None:
    findings = grade_study(study(), LABELS, marks(*LEVELS), pack_that_says())
    assert [(item.condition, item.level) for item in findings] == [(c, v) for c in CONDITIONS for v in LEVELS]
    assert all(isinstance(item.result, Graded) for item in findings)


def test_outputs_reach_their_conditions() -> None:
    pack = pack_that_says(canal=(0, 0, 5), foraminal=(0, 5, 0), subarticular=(5, 0, 0))
    graded = {item.condition: item.result.severity for item in grade_study(study(), LABELS, marks(*LEVELS), pack)}
    assert graded == {
        Condition.SPINAL_CANAL_STENOSIS: Severity.SEVERE,
        Condition.LEFT_NEURAL_FORAMINAL_NARROWING: Severity.MODERATE,
        Condition.RIGHT_NEURAL_FORAMINAL_NARROWING: Severity.MODERATE,
        Condition.LEFT_SUBARTICULAR_STENOSIS: Severity.NORMAL_MILD,
        Condition.RIGHT_SUBARTICULAR_STENOSIS: Severity.NORMAL_MILD,
    }


def test_evidence_names_the_views_that_the_output_looks_at() -> None:
    findings = grade_study(study(), LABELS, marks(*LEVELS), pack_that_says())
    for finding in findings:
        keys = {item.location.series_key for item in finding.result.evidence}
        name = finding.condition.value
        expected = {"t1"} if "Foraminal" in name else {"ax"} if "Subarticular" in name else {"t2", "ax"}
        assert keys
        assert keys <= expected
        assert all(item.height == pytest.approx(51.2) for item in finding.result.evidence)


@pytest.mark.parametrize(
    ("kept", "missing"),
    [
        (("t1", "t2"), "Subarticular"),
        (("t2", "ax"), "Foraminal"),
        (("t1",), "Canal"),
    ],
    ids=["no axial", "no T1w", "only T1w"],
)
def test_a_missing_series_makes_a_missing_answer(kept: tuple[str, ...], missing: str) -> None:
    whole = study()
    part = Study(key="k", series=tuple(item for item in whole.series if item.key in kept))
    labels = tuple(item for item in LABELS if item.series_key in kept)
    for finding in grade_study(part, labels, marks(*LEVELS), pack_that_says()):
        if missing in finding.condition.value:
            assert isinstance(finding.result, NotAssessed)
            assert "slice shows this" in finding.result.reason


def test_a_level_in_a_signal_void_is_not_assessed_and_its_neighbours_are() -> None:
    pixels = np.stack([study().series[0].load(index) for index in range(15)])
    pixels[:, 60:84] = 0.0  # L2/L3 lies in row 72, its neighbours 32 rows away; a crop reaches about 26
    hollow = series(pixels, key="t1", orientation=SAGITTAL, origin=(-28.0, -60.0, 120.0))
    findings = grade_study(Study(key="k", series=(hollow,)), LABELS[:1], marks(*LEVELS), pack_that_says())
    foraminal = [item for item in findings if "Foraminal" in item.condition.value]
    missing = {item.level: item.result.reason for item in foraminal if isinstance(item.result, NotAssessed)}
    assert set(missing) == {Level.L2_L3}
    assert "give no signal" in missing[Level.L2_L3]


def test_a_series_in_another_frame_of_reference_is_not_cut() -> None:
    whole = study()
    moved = tuple(
        replace(item, frame_of_reference_uid="after" if item.key == "ax" else "before") for item in whole.series
    )
    for finding in grade_study(replace(whole, series=moved), LABELS, marks(*LEVELS), pack_that_says()):
        assert isinstance(finding.result, NotAssessed) == ("Subarticular" in finding.condition.value)


def test_a_stack_of_midline_slices_shows_no_foramen() -> None:
    narrow = series(np.ones((5, 240, 120), np.float32), key="t1", orientation=SAGITTAL, origin=(-8.0, -60.0, 120.0))
    findings = grade_study(
        Study(key="k", series=(narrow,)), (label("t1", sequence=Sequence.T1W),), marks(*LEVELS), pack_that_says()
    )
    assert all(isinstance(finding.result, NotAssessed) for finding in findings)


def test_a_level_that_was_not_found_is_not_assessed() -> None:
    findings = grade_study(study(), LABELS, marks(Level.L3_L4, Level.L4_L5), pack_that_says())
    graded = {item.level for item in findings if isinstance(item.result, Graded)}
    assert graded == {Level.L3_L4, Level.L4_L5}
    assert all("not found" in item.result.reason for item in findings if isinstance(item.result, NotAssessed))


def test_levels_without_millimetres_are_not_assessed() -> None:
    findings = grade_study(study(), LABELS, marks(*LEVELS, placed=False), pack_that_says())
    assert all("no positions" in item.result.reason for item in findings)


def test_no_levels_at_all_asks_no_model() -> None:
    pack = pack_that_says()
    findings = grade_study(study(), LABELS, (), pack)
    assert len(findings) == 25
    assert pack.calls == []


def test_the_level_prior_counts_only_where_it_is_switched_on() -> None:
    tilt = {
        name: {**NEUTRAL[name], "level_bias": [[0.0, 0.0, 9.0 * (row == 3)] for row in range(5)]} for name in NEUTRAL
    }
    for used in (False, True):
        pack = pack_that_says(canal=(3, 0, 0))
        pack.manifest = replace(pack.manifest, settings={"calibration": tilt, "level_prior": used})
        found = {f.level: f.result.severity for f in grade_study(study(), LABELS, marks(*LEVELS), pack)[:5]}
        severe = [level for level, severity in found.items() if severity is Severity.SEVERE]
        assert severe == ([Level.L4_L5] if used else [])


def test_the_operating_points_of_the_level_decide_the_grade() -> None:
    pack = pack_that_says(canal=(2.0, 1.0, 1.0))
    points = {"abnormal": [0.9, 0.4, 0.9, 0.9, 0.9], "severe": [0.9, 0.9, 0.9, 0.9, 0.2]}
    settings = {**pack.manifest.settings, "operating_points": dict.fromkeys(VIEWS_OF, points)}
    pack.manifest = replace(pack.manifest, settings=settings)
    found = [f.result.severity for f in grade_study(study(), LABELS, marks(*LEVELS), pack)[:5]]
    normal = Severity.NORMAL_MILD
    assert found == [normal, Severity.MODERATE, normal, normal, Severity.SEVERE]


def test_grades_below_their_threshold_are_excluded_at_the_sensitivity_asked_for() -> None:
    pack = pack_that_says(canal=(2.0, 1.0, -4.0))
    offer = {"sensitivity": [0.9, 0.95], "least": [[0.1, 0.5, 0.1], [0.1, 0.1, 0.1]]}
    pack.manifest = replace(
        pack.manifest, settings={**pack.manifest.settings, "exclusion": dict.fromkeys(VIEWS_OF, offer)}
    )
    for sensitivity, kept in ((0.9, SEVERITIES[:1]), (0.95, SEVERITIES[:2])):
        found = grade_study(study(), LABELS, marks(*LEVELS), pack, sensitivity)[0].result
        assert (found.sensitivity, found.not_excluded) == (sensitivity, kept)
    with pytest.raises(PackError, match=r"sensitivity among 0.9, 0.95, got 0.5"):
        grade_study(study(), LABELS, marks(*LEVELS), pack, 0.5)
    with pytest.raises(PackError, match="setting exclusion"):
        grade_study(study(), LABELS, marks(*LEVELS), pack_that_says(), 0.95)


def test_heat_is_shown_as_the_crop_is_mirrored_back_on_the_right() -> None:
    def answer(crops: np.ndarray, mask: np.ndarray) -> dict[str, np.ndarray]:
        shares = np.zeros((len(crops), 3, len(SLOTS), 2, 2), np.float32)
        shares[:, 0, :, 0, 0] = 1.0  # speaks for normal/mild, in the upper left of what the network sees
        shares[:, 1, :, 1, 1] = 4.0
        return plain.answer(crops=crops, mask=mask) | {f"{name}_map": shares for name in VIEWS_OF}

    plain = pack_that_says()
    findings = grade_study(study(), LABELS, marks(*LEVELS), FakePack(plain.manifest, answer))
    heats = {f.condition: {e.heat for e in f.result.evidence} for f in findings}
    assert heats[Condition.LEFT_SUBARTICULAR_STENOSIS] == {((1.0, 0.0), (0.0, -2.0))}
    assert heats[Condition.RIGHT_SUBARTICULAR_STENOSIS] == {((0.0, 1.0), (-2.0, 0.0))}
    assert heats[Condition.RIGHT_NEURAL_FORAMINAL_NARROWING] == {((1.0, 0.0), (0.0, -2.0))}


def test_the_model_sees_one_row_per_level_and_side() -> None:
    pack = pack_that_says()
    grade_study(study(), LABELS, marks(*LEVELS), pack)
    assert pack.calls[0]["crops"].shape == (10, len(SLOTS), 1, 64, 64)


def test_calibration_turns_logits_into_probabilities() -> None:
    logits = np.array([[1.0, 2.0, 0.0], [50.0, 0.0, -800.0]])
    plain = calibrated(logits, NEUTRAL["canal"])
    assert plain.sum(axis=1) == pytest.approx([1.0, 1.0])
    soft = calibrated(logits, {"temperature": 3.0, "bias": [0.0, 0.0, 0.0]})
    assert soft.max(axis=1)[0] < plain.max(axis=1)[0]
    biased = calibrated(logits, {"temperature": 1.0, "bias": [4.0, 0.0, 0.0]})
    assert biased[0].argmax() == 0

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinalis.errors import UnreadableFileError
from spinalis.records import Finding, Graded, NotAssessed, Reading
from spinalis.report import Report, compose, refusal
from spinalis.report.words import (
    RADIOLOGICAL_ORDER,
    RESEARCH_USE_ONLY,
    likelihood,
    not_assessed,
    percent,
    place,
    ranges,
    slice_name,
)
from spinalis.vocabulary import CONDITIONS, LEVELS, Condition, Level, Severity, Side
from tests.readings import REAL, brain_reading, reading


@pytest.fixture(scope="module")
def simulated() -> Report:
    return compose(reading())


@pytest.fixture(scope="module")
def real() -> Report:
    return compose(reading(proof=REAL))


def words_of(report: Report) -> str:
    """Everything a report says, in one text; pictures without their bytes."""
    return re.sub(r"data=b'.*?', media", "media", repr(report), flags=re.DOTALL)


def test_findings_proven_on_simulation_are_never_called_normal(simulated: Report) -> None:
    graded = [f.result for f in reading().graded if isinstance(f.result, Graded)]
    assert any(result.severity is Severity.NORMAL_MILD for result in graded)
    assert simulated.proven == ()
    assert "normal" not in words_of(simulated).lower()


def test_experimental_findings_stand_in_the_order_of_their_probability_of_severe(simulated: Report) -> None:
    severe = [item.severe for item in simulated.review]
    assert len(severe) == 25
    assert severe == sorted(severe, reverse=True)
    assert [item.rank for item in simulated.review] == list(range(1, 26))


def test_findings_proven_on_patients_are_graded_in_words(real: Report) -> None:
    assert real.experimental == real.review == ()
    cell = real.proven[3].cells[2]
    assert cell is not None
    found = next(
        f.result
        for f in reading(proof=REAL).graded
        if (f.level, f.condition) == (Level.L4_L5, Condition.SPINAL_CANAL_STENOSIS)
    )
    assert isinstance(found, Graded)
    assert (cell.severity, cell.probability) == (found.severity, max(found.probabilities))


def test_cells_run_from_the_right_of_the_patient_to_the_left(simulated: Report) -> None:
    sides = [condition.side for condition in RADIOLOGICAL_ORDER]
    assert sides == [Side.RIGHT, Side.RIGHT, None, Side.LEFT, Side.LEFT]
    assert [cell.condition for cell in simulated.experimental[0].cells if cell] == list(RADIOLOGICAL_ORDER)


def test_mixed_proofs_are_set_apart() -> None:
    canal = {f.level: f for f in reading(proof=REAL).findings if f.condition is Condition.SPINAL_CANAL_STENOSIS}
    made = reading()
    mixed = tuple(canal[f.level] if f.condition is Condition.SPINAL_CANAL_STENOSIS else f for f in made.findings)
    report = compose(replace(made, findings=mixed))
    assert all([cell is None for cell in row.cells] == [True, True, False, True, True] for row in report.proven)
    assert all(
        [cell is None for cell in row.cells] == [False, False, True, False, False] for row in report.experimental
    )
    assert [(note.conditions, note.on) for note in report.proofs] == [
        ("Canal", "real"),
        ("Right foramen, right subarticular, left subarticular and left foramen", "simulation"),
    ]


def test_the_research_banner_is_always_there(simulated: Report, real: Report) -> None:
    assert simulated.banner == real.banner == compose(brain_reading()).banner == RESEARCH_USE_ONLY


def test_what_was_not_assessed_is_told_with_its_reason() -> None:
    report = compose(reading(axial=False))
    assert [(item.what, item.reason) for item in report.missing] == [
        ("Right subarticular and left subarticular at all levels", "no axial T2w series in this study")
    ]
    assert report.refused is None


def test_a_study_without_a_spine_is_refused_with_the_reason() -> None:
    report = compose(brain_reading())
    assert report.refused == "no series of this study is an MR image of the spine"
    assert report.missing[0].what == "All five conditions at all levels"
    assert report.levels_picture is None
    assert report.looked_at == ()


def test_refusal_names_the_most_frequent_reason() -> None:
    made = brain_reading()
    findings = (*made.findings[:-1], replace(made.findings[-1], result=NotAssessed(reason="another")))
    assert refusal(replace(made, findings=findings)) == "no series of this study is an MR image of the spine"
    assert refusal(reading()) is None


def test_reasons_at_some_levels_name_the_levels() -> None:
    findings = [
        Finding(condition=Condition.SPINAL_CANAL_STENOSIS, level=level, result=NotAssessed(reason="why"))
        for level in (Level.L5_S1, Level.L4_L5)
    ]
    assert not_assessed(findings) == (("Canal at L4/L5 and L5/S1", "why"),)


def test_warnings_of_study_and_reading_are_told_once() -> None:
    made = reading()
    doubled = replace(made, study=replace(made.study, warnings=made.warnings))
    assert compose(doubled).warnings == tuple(item.text for item in made.warnings)


def test_the_series_table_tells_flags_in_words(simulated: Report) -> None:
    row = simulated.series[1]
    assert (row.number, row.slices, row.sequence.label) == ("4", 11, "T1w")
    assert row.cord == "5–7"
    assert row.notes == ("header contradicts pixels: sequence",)


def test_the_report_carries_no_identifier(simulated: Report) -> None:
    text = words_of(simulated)
    assert "DOE" not in text
    assert "1.2.826" not in text


def test_an_unreadable_slice_costs_its_picture_and_nothing_else() -> None:
    whole = reading()

    def fail(_: int) -> None:
        raise UnreadableFileError("Series 3, slice 5: expected pixels that can be decoded, got none. Send it again.")

    broken = replace(whole.study.series[0], load=fail)
    made = replace(whole, study=replace(whole.study, series=(broken, *whole.study.series[1:])))
    report = compose(made)
    assert report.levels_picture is None
    assert len(report.looked_at) == 5
    assert sum("Series 3, slice 5" in warning for warning in report.warnings) == 1


@pytest.mark.parametrize(
    ("probability", "words"),
    [
        (1.0, "virtually certain"),
        (0.99, "virtually certain"),
        (0.9, "very likely"),
        (0.66, "likely"),
        (0.5, "about as likely as not"),
        (0.2, "unlikely"),
        (0.05, "very unlikely"),
        (0.0, "exceptionally unlikely"),
    ],
)
def test_likelihood_follows_the_published_scale(probability: float, words: str) -> None:
    assert likelihood(probability) == words


@pytest.mark.parametrize(("probability", "text"), [(0.0, "<1 %"), (0.0049, "<1 %"), (0.426, "43 %"), (0.9999, ">99 %")])
def test_percent_never_claims_certainty(probability: float, text: str) -> None:
    assert percent(probability) == text


def test_place_spells_directions() -> None:
    assert place((-2.4, 31.2, -14.0)) == "2 R, 31 P, 14 F"
    assert place((-0.2, 0.2, 8.0)) == "0 L, 0 P, 8 H"


def test_slice_name_is_found_again_in_a_viewer() -> None:
    series = reading().study.series[0]
    assert slice_name(series, 2) == "series 3, image 9 (slice 3 of 11)"
    bare = replace(series, number=None, slices=tuple(replace(s, instance_number=None) for s in series.slices))
    assert slice_name(bare, 2) == "series without number (slice 3 of 11)"


@given(st.sets(st.integers(0, 60)))
def test_ranges_name_every_slice_once(indices: set[int]) -> None:
    named: list[int] = []
    for part in filter(None, ranges(tuple(indices)).split(", ")):
        first, *last = (int(number) for number in part.split("–"))
        named += range(first, (last[0] if last else first) + 1)
    assert named == sorted(index + 1 for index in indices)


def test_a_reading_of_one_finding_makes_a_report() -> None:
    made: Reading = reading()
    report = compose(replace(made, findings=made.findings[:1], measurements=(), levels=()))
    assert len(report.review) == 1
    assert len(LEVELS) * len(CONDITIONS) == 25

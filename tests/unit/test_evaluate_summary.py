import re

import numpy as np
import pytest

from spinalis.evaluate import levels, rsna, summary

SPINE = np.array([[0.0, 0.0], [3.0, 30.0], [4.0, 62.0], [1.0, 95.0], [-8.0, 125.0]])


def graded_studies(count=60, skill=3.0):
    """Grades that grow more frequent to the feet, and calibrated-looking answers that know them to some degree."""
    random = np.random.default_rng(0)
    truth = np.minimum(random.poisson(0.15 * np.arange(1, 6), (count, 5, 5)), 2)
    logits = skill * np.eye(3)[truth] + random.normal(0, 1, (*truth.shape, 3))
    return truth, np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)


def figures(cells):
    return [float(re.match(r"[\d.]+", cell).group()) for cell in cells]


def test_labels_stand_beside_the_most_frequent_class():
    head = summary.Head(
        name="plane",
        classes=("sagittal", "axial", "coronal"),
        truth=np.array([0, 0, 0, 1]),
        predicted=np.array([0, 0, 1, 1]),
    )
    row = summary.label_table("Triage", [head]).rows[0]
    assert row[0] == "plane"
    assert row[1].startswith("75.0 % (3/4;")
    assert figures(row[2:3]) == [pytest.approx((0.8 + 2 / 3) / 2, abs=1e-3)]
    assert row[3] == "sagittal 0.667, axial 1.000"
    assert row[4] == "0.750"


def test_levels_stand_beside_the_mean_position():
    truth = SPINE + np.random.default_rng(1).uniform(-40, 40, (20, 1, 2))
    table = summary.level_table(
        "Levels", [("model", levels.judge(truth, truth)), ("mean", levels.judge(levels.mean_position(truth), truth))]
    )
    assert table.rows[0][1].startswith("100.0 % (20/20;")
    assert table.rows[0][-1] == "–"
    assert figures([table.rows[1][1]])[0] < 100


def test_grades_of_a_skilled_reader_beat_the_level_alone():
    truth, probabilities = graded_studies()
    table = summary.grade_table("Grades", truth, probabilities)
    assert [row[0] for row in table.rows[::2]] == ["canal", "foraminal", "subarticular"]
    for model, alone in zip(table.rows[::2], table.rows[1::2], strict=True):
        for better, worse in zip(figures(model[-2:]), figures(alone[-2:]), strict=True):
            assert better > worse


def test_places_not_assessed_are_counted_and_left_out():
    truth, probabilities = graded_studies()
    probabilities[:30] = np.nan
    truth[59] = rsna.MISSING
    table = summary.grade_table("Grades", truth, probabilities)
    assert table.rows[0][1] == "145/295"
    assert table.rows[2][1] == "290/590"


def test_the_score_of_a_skilled_reader_beats_its_floors():
    truth, probabilities = graded_studies()
    table = summary.rsna_table("RSNA", truth, probabilities)
    scores = figures([row[-1] for row in table.rows])
    assert scores == sorted(scores)
    assert "(" in table.rows[0][-1]


def test_gaps_score_as_the_level_prior():
    truth, _ = graded_studies()
    table = summary.rsna_table("RSNA", truth, np.full((*truth.shape, 3), np.nan))
    assert figures(table.rows[0][1:]) == figures(table.rows[1][1:])
    assert "1500 places not assessed" in table.notes[0]

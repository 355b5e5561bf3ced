import pytest

from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level, Severity, Side


def test_levels_run_from_head_to_feet_and_have_rsna_columns():
    assert [level.column for level in LEVELS] == ["l1_l2", "l2_l3", "l3_l4", "l4_l5", "l5_s1"]


def test_severities_run_from_mild_to_severe_and_have_rsna_columns():
    assert [severity.column for severity in SEVERITIES] == ["normal_mild", "moderate", "severe"]


def test_conditions_have_the_columns_of_the_rsna_tables():
    assert {condition.column for condition in CONDITIONS} == {
        "spinal_canal_stenosis",
        "left_neural_foraminal_narrowing",
        "right_neural_foraminal_narrowing",
        "left_subarticular_stenosis",
        "right_subarticular_stenosis",
    }


@pytest.mark.parametrize("condition", CONDITIONS, ids=lambda condition: condition.column)
def test_the_side_of_a_condition_is_the_first_word_of_its_name(condition):
    expected = {"Left": Side.LEFT, "Right": Side.RIGHT, "Spinal": None}
    assert condition.side == expected[condition.value.split()[0]]


def test_words_are_read_back_from_their_spelling():
    assert Level("L4/L5") is Level.L4_L5
    assert Severity("Normal/Mild") is Severity.NORMAL_MILD
    assert Condition("Left Subarticular Stenosis") is Condition.LEFT_SUBARTICULAR_STENOSIS
    assert f"{Level.L5_S1}" == "L5/S1"


def test_an_unknown_word_is_refused():
    with pytest.raises(ValueError, match="L6/S1"):
        Level("L6/S1")

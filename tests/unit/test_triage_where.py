import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinalis.errors import SelectionError
from spinalis.triage.where import MAX_DEPTH, MAX_LENGTH, WORDS, Kind, Value, parse
from spinalis.vocabulary import Plane, Region

DOCS = Path(__file__).parents[2] / "docs" / "select.md"

NOTHING: dict[str, Value | None] = dict.fromkeys(WORDS)
SLICE = NOTHING | {
    "anatomy": "MR spine",
    "region": "cervical",
    "plane": "sagittal",
    "sequence": "T2w",
    "cord": True,
    "rows": 320,
    "spacing_mm": 0.75,
    "modality": "MR",
    "manufacturer": "GE MEDICAL SYSTEMS",
    "localizer": False,
}


@pytest.mark.parametrize(
    "text",
    [
        "region == cervical and plane == sagittal and sequence == T2w and cord",
        "REGION == Cervical AND cord",
        "anatomy == 'MR spine'",
        "anatomy == MR_spine",
        "sequence in (T2w, STIR)",
        "sequence not in (T1w, STIR)",
        "sequence != T1w",
        "rows >= 256 and rows < 512",
        "rows == 320",
        "spacing_mm <= 0.75",
        "rows > -1",
        "not localizer and not (plane == axial or region == lumbar)",
        "not not cord",
        "region == lumbar or plane == sagittal and cord",
        'manufacturer == "ge medical systems"',
        "modality in (mr)",
        "(((cord)))",
        "region==cervical\n and\tcord",
    ],
)
def test_rules_that_hold_for_a_cervical_slice(text: str) -> None:
    assert parse(text).holds(SLICE) is True


@pytest.mark.parametrize(
    "text",
    [
        "region == lumbar",
        "region != cervical",
        "not cord",
        "localizer",
        "rows < 320",
        "sequence not in (T2w)",
        "(region == lumbar or plane == sagittal) and localizer",
        "thickness_mm > 3 and region == lumbar",
    ],
)
def test_rules_that_do_not_hold_for_a_cervical_slice(text: str) -> None:
    assert parse(text).holds(SLICE) is False


@pytest.mark.parametrize("text", ["thickness_mm > 3", "not thickness_mm > 3", "derived", "cord and geometry"])
def test_what_is_not_known_is_never_true(text: str) -> None:
    assert parse(text).holds(SLICE) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "column 1: expected one of the words anatomy, .*, got the end"),
        ("regoin == lumbar", "column 1: .*got 'regoin'. Did you mean region"),
        ("region == cervcal", "column 11: expected one of cervical, thoracic, lumbar for 'region', .*mean cervical"),
        ("region == unknown", "column 11: .*What is unknown is never chosen"),
        ("region = lumbar", "column 8: .*got '='. Write == to compare"),
        ("region == lumbar plane == axial", "column 18: expected 'and', 'or' or the end, got 'plane'"),
        ("region", "column 7: expected a comparison after 'region', got the end. Write region == cervical"),
        ("rows", "Write rows >= 1"),
        ("rows > many", "column 8: expected a number for 'rows', got 'many'"),
        ("region < lumbar", "column 8: expected '==', '!=' or 'in' after 'region', which is a name"),
        ("cord == 1", "column 6: expected 'cord' alone, which is yes or no, got '=='"),
        ("cord and (plane == axial", "column 25: expected '\\)', got the end"),
        ("sequence in T2w", "column 13: expected '\\(', got 'T2w'"),
        ("sequence in (T2w STIR)", "column 18: expected ',' or '\\)'"),
        ("sequence in ()", "column 14: expected a value for 'sequence'"),
        ("sequence not T2w", "column 14: expected 'in' after 'not'"),
        ("region == and", "column 11: expected a value for 'region', got 'and'"),
        ("cord & plane == axial", "column 6: .*got '&'"),
        ("__import__('os')", "column 1: expected one of the words"),
        ("200 < rows", "column 1: expected one of the words .*got '200'"),
        ("cord " * MAX_LENGTH, f"at most {MAX_LENGTH} characters"),
        ("(" * (MAX_DEPTH + 2) + "cord", "at most 50 levels"),
        ("not " * (MAX_DEPTH + 2) + "cord", "at most 50 levels"),
    ],
)
def test_a_mistake_is_told_with_its_column_and_what_is_allowed(text: str, message: str) -> None:
    with pytest.raises(SelectionError, match=message):
        parse(text)


def test_why_names_every_question_as_it_was_written() -> None:
    rule = parse("region  ==  cervical and (rows>400 or not derived)")
    assert rule.why(SLICE) == (("region == cervical", True), ("rows>400", False), ("derived", None))


def test_the_docs_list_every_word_with_its_values_and_no_other() -> None:
    table = DOCS.read_text().split("| word | kind |")[1].split("\n\n")[0]
    listed = {row[0]: row[1:] for row in re.findall(r"^\| `(\w+)` \| (.*?) \| (.*?) \|$", table, re.MULTILINE)}
    assert listed == {
        name: (
            ", ".join(f"`{value.replace(' ', '_')}`" for value in word.values)
            or {Kind.NUMBER: "number", Kind.TEXT: "text", Kind.YES_NO: "yes or no"}[word.kind],
            word.says,
        )
        for name, word in WORDS.items()
    }


def test_values_are_those_of_the_vocabulary_but_unknown() -> None:
    assert WORDS["region"].values == tuple(str(item) for item in Region if item is not Region.UNKNOWN)
    assert WORDS["plane"].values == tuple(str(item) for item in Plane if item is not Plane.UNKNOWN)


QUESTIONS = {
    "cord": lambda known: known["cord"],
    "region == lumbar": lambda known: known["region"] == "lumbar",
    "plane != axial": lambda known: known["plane"] != "axial",
    "sequence in (T1w, STIR)": lambda known: known["sequence"] in ("T1w", "STIR"),
    "sequence not in (T2w, other)": lambda known: known["sequence"] not in ("T2w", "other"),
    "rows >= 256": lambda known: known["rows"] >= 256,
    "thickness_mm < 3.5": lambda known: known["thickness_mm"] < 3.5,
}

known_facts = st.fixed_dictionaries(
    {
        "cord": st.booleans(),
        "region": st.sampled_from(WORDS["region"].values),
        "plane": st.sampled_from(WORDS["plane"].values),
        "sequence": st.sampled_from(WORDS["sequence"].values),
        "rows": st.integers(1, 1024),
        "thickness_mm": st.floats(0.5, 10),
    }
)
"""Everything the questions ask for."""

Tree = tuple


def trees() -> st.SearchStrategy[Tree]:
    """Rules as nested tuples: ("ask", text), ("not", tree), ("and" or "or", trees)."""
    return st.recursive(
        st.sampled_from([("ask", text) for text in QUESTIONS]),
        lambda below: st.one_of(
            st.tuples(st.just("not"), below),
            st.tuples(st.sampled_from(["and", "or"]), st.lists(below, min_size=2, max_size=4).map(tuple)),
        ),
        max_leaves=12,
    )


def written(tree: Tree) -> str:
    if tree[0] == "ask":
        return str(tree[1])
    if tree[0] == "not":
        return f"not ({written(tree[1])})"
    return f" {tree[0]} ".join(f"({written(part)})" for part in tree[1])


def two_valued(tree: Tree, known: dict) -> bool:
    if tree[0] == "ask":
        return bool(QUESTIONS[tree[1]](known))
    if tree[0] == "not":
        return not two_valued(tree[1], known)
    return (all if tree[0] == "and" else any)([two_valued(part, known) for part in tree[1]])


@given(trees(), known_facts)
def test_where_all_is_known_it_is_ordinary_logic(tree: Tree, known: dict) -> None:
    assert parse(written(tree)).holds(NOTHING | known) is two_valued(tree, known)


@given(trees(), known_facts, st.sets(st.sampled_from(["cord", "region", "plane", "sequence", "rows", "thickness_mm"])))
def test_learning_more_never_changes_an_answer(tree: Tree, known: dict, hidden: set[str]) -> None:
    rule = parse(written(tree))
    before = rule.holds(NOTHING | known | dict.fromkeys(hidden))
    if before is not None:
        assert rule.holds(NOTHING | known) is before


@given(trees(), known_facts, st.sets(st.sampled_from(["cord", "region", "rows"])))
def test_the_opposite_is_true_where_the_rule_is_false_and_unknown_where_it_is_unknown(
    tree: Tree, known: dict, hidden: set[str]
) -> None:
    facts = NOTHING | known | dict.fromkeys(hidden)
    one, other = parse(written(tree)).holds(facts), parse(f"not ({written(tree)})").holds(facts)
    assert other is (None if one is None else not one)


@given(trees())
def test_of_what_nothing_is_known_no_rule_holds(tree: Tree) -> None:
    assert parse(written(tree)).holds(NOTHING) is None


def refusal(text: str) -> str:
    """What is said of a text that is no rule, or nothing."""
    try:
        parse(text)
    except SelectionError as error:
        return str(error)
    return ""


@given(st.text(max_size=60))
def test_any_text_is_a_rule_or_refused_at_a_column(text: str) -> None:
    said = refusal(text)
    column = re.match(r"Selection, column (\d+): expected ", said)
    assert not said or (column and 1 <= int(column[1]) <= len(text) + 1)


@given(st.lists(st.sampled_from([*WORDS, "and", "or", "not", "in", "(", ")", ",", "==", "<", "lumbar", "3", "'x'"])))
def test_any_tokens_are_a_rule_or_refused_with_what_is_expected(pieces: list[str]) -> None:
    said = refusal(" ".join(pieces))
    assert not said or "expected" in said

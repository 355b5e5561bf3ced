from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from spinalis.errors import RecipeError
from spinalis.simulate.elsewhere import ELSEWHERE
from spinalis.simulate.sequence import Contrast
from spinalis.triage import hierarchy
from spinalis.triage.hierarchy import FACTS, SHIPPED, load

CERVICAL = {"part": "SPINE", "region": "cervical", "plane": "sagittal", "sequence": "T2w", "cord": "cord"}
TREE = load()


def words(**changes: str) -> dict[str, str]:
    return {**CERVICAL, **changes}


def answers(facts: dict[str, str]) -> dict[str, str]:
    return {name: TREE.node(name).names[index] for name, index in TREE.path(facts).items()}


def test_the_target_slice_passes_all_four_questions() -> None:
    assert answers(CERVICAL) == {
        "anatomy": "MR spine",
        "view": "cervical sagittal",
        "sequence": "T2w + Dixon water",
        "cord": "cord",
    }
    assert [node.name for node in TREE.chain()] == ["anatomy", "view", "sequence", "cord"]
    assert [node.by for node in TREE.chain()] == ["series", "series", "series", "slice"]


@pytest.mark.parametrize(
    ("facts", "last", "answer"),
    [
        (words(part="BRAIN"), "anatomy", "MR brain"),
        (words(part="PROSTATE"), "anatomy", "MR abdomen"),
        (words(part="CT"), "anatomy", "other CT"),
        (words(plane="axial"), "view", "cervical axial"),
        (words(region="lumbar"), "view", "lumbar sagittal"),
        (words(sequence="T1w", contrast="T1 FLAIR"), "sequence", "T1w"),
        (words(sequence="other", contrast="Dixon fat"), "sequence", "Dixon fat"),
        (words(sequence="other", contrast="myelography"), "sequence", "myelography"),
        (words(contrast="Dixon water"), "cord", "cord"),
        (words(cord="no cord"), "cord", "no cord"),
    ],
)
def test_other_slices_end_where_the_tree_says(facts: dict[str, str], last: str, answer: str) -> None:
    found = answers(facts)
    assert list(found.items())[-1] == (last, answer)


def test_what_is_not_known_ends_the_path_before_the_question() -> None:
    assert answers({"part": "SPINE", "plane": "sagittal"}) == {"anatomy": "MR spine"}
    assert answers({}) == {}


def test_every_simulated_part_and_contrast_has_a_class() -> None:
    parts = {item.word for item in ELSEWHERE} | {"SPINE"}
    assert {word for word in parts if TREE.root.class_of({"part": word}) is None} == set()
    node = TREE.node("sequence")
    assert all(node.class_of({"contrast": item.value, "sequence": "other"}) is not None for item in Contrast)


@given(st.dictionaries(st.sampled_from(FACTS), st.sampled_from(["SPINE", "cervical", "sagittal", "T2w", "cord", "x"])))
def test_a_path_is_a_walk_along_what_passes(facts: dict[str, str]) -> None:
    path = list(TREE.path(facts).items())
    assert [name for name, _ in path[:1]] in ([], [TREE.root.name])
    for (name, index), (following, _) in pairwise(path):
        node = TREE.node(name)
        assert node.passes[node.names[index]] == following


def test_an_unknown_node_is_told() -> None:
    with pytest.raises(RecipeError, match="expected a node among anatomy, view, sequence, cord, got contrast"):
        TREE.node("contrast")


def replaced(old: str, new: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        assert old in text
        return text.replace(old, new, 1)

    return change


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: "nodes = 3", r"expected tables named \[nodes.NAME\], got none"),
        (lambda text: text + "[nodes", "expected a TOML file, got TOMLDecodeError"),
        (replaced('by = "series"', 'by = "study"'), "expected by of node anatomy among series, slice, got study"),
        (
            replaced('target = "cord"', 'target = "conus"'),
            "target and passes of node cord among its classes, got conus",
        ),
        (
            replaced('"sequence" }', '"contrast" }'),
            "passes to a node among anatomy, view, sequence, cord, got contrast",
        ),
        (replaced('= "cord" }', '= "view" }'), "expected a tree, each node passed to once, got view twice"),
        (
            replaced('passes = { "T2w + Dixon water" = "cord" }', "passes = {}"),
            "passed to from anatomy, got cord apart",
        ),
        (replaced('plane = ["axial"]', 'view = ["axial"]'), "facts among part, .* in node view, class cervical axial"),
        (replaced('["KNEE"]', '"KNEE"'), "a list of words for part in node anatomy, class MR knee, got KNEE"),
        (replaced('"no cord" = { cord = ["no cord"] }', ""), "two classes or more in node cord, got 1"),
        (replaced('question = "Which contrast?"', ""), "expected by, classes, .* in node sequence, got by, classes"),
    ],
)
def test_a_broken_hierarchy_is_told(change: Callable[[str], str], message: str, tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(change(SHIPPED.read_text()))
    with pytest.raises(RecipeError, match=f"Hierarchy mine.toml: .*{message}"):
        hierarchy.load(file)


def test_labels_of_ones_own_are_read(tmp_path: Path) -> None:
    file = tmp_path / "mine.toml"
    file.write_text(SHIPPED.read_text().replace('"MR spine"', '"Wirbelsäule"'))
    assert hierarchy.load(file).root.target == "Wirbelsäule"

import numpy as np
import pytest

from spinalis.evaluate.metrics import IntArray
from spinalis.evaluate.triage import (
    MEASURES,
    UNKNOWN,
    Slices,
    decide,
    detect,
    end_to_end,
    fault,
    is_target,
    needed_share,
    node_confusion,
    node_detection,
)
from spinalis.evaluate.triage_tables import NO_SKILL, Chain, Judged, published, tables
from spinalis.records import FloatArray
from spinalis.triage.hierarchy import Hierarchy, Node

CLASSES = {"spine": {"part": ("SPINE",)}, "brain": {"part": ("BRAIN",)}}
ROOT = Node(name="anatomy", question="?", by="series", classes=CLASSES, target="spine", passes={"spine": "cord"})
LEAF = Node(
    name="cord",
    question="?",
    by="slice",
    classes={"no": {"cord": ("no cord",)}, "cord": {"cord": ("cord",)}},
    target="cord",
    passes={},
)
CHAIN = Hierarchy(nodes={"anatomy": ROOT, "cord": LEAF}).chain()
SLICES = Slices(
    series=np.array([0, 0, 0, 1, 1, 2, 2, 2]),
    patients=np.array(["a", "a", "a", "a", "a", "b", "b", "b"]),
    truth={
        "anatomy": np.array([0, 0, 0, 1, 1, 0, 0, 0]),
        "cord": np.array([0, 1, 1, UNKNOWN, UNKNOWN, 1, 0, 0]),
    },
)


def sure(classes: list[int | None], count: int = 2) -> FloatArray:
    rows = [[np.nan] * count if k is None else [0.9 if c == k else 0.1 for c in range(count)] for k in classes]
    return np.array(rows)


ANSWERS = {
    "anatomy": sure([0, 1, 0, 1, 1, 1, 1, 0]),
    "cord": sure([0, 1, 0, None, None, 1, 1, 0]),
}


def test_the_series_decides_where_a_vote_is_asked_for_and_the_slice_where_not() -> None:
    voted = decide(ANSWERS, SLICES, CHAIN, "majority")
    assert voted["anatomy"].tolist() == [0, 0, 0, 1, 1, 1, 1, 1]
    assert voted["cord"].tolist() == [0, 1, 0, UNKNOWN, UNKNOWN, 1, 1, 0]
    assert decide(ANSWERS, SLICES, CHAIN, None)["anatomy"].tolist() == [0, 1, 0, 1, 1, 1, 1, 0]


def test_end_to_end_counts_slices_of_which_every_answer_is_right() -> None:
    assert is_target(CHAIN, SLICES.truth).tolist() == [False, True, True, False, False, True, False, False]
    found = end_to_end(SLICES, CHAIN, decide(ANSWERS, SLICES, CHAIN, "majority"), repeats=20)
    assert (found.found, found.wrong, found.missed, found.total) == (1, 0, 2, 8)
    assert (found.precision, found.recall, found.f1) == (1.0, pytest.approx(1 / 3), pytest.approx(0.5))
    single = end_to_end(SLICES, CHAIN, decide(ANSWERS, SLICES, CHAIN, None), repeats=20)
    assert (single.found, single.wrong, single.missed) == (0, 0, 3)
    assert (single.precision, single.recall, single.f1) == (None, 0.0, 0.0)


def test_a_node_is_judged_on_the_slices_that_truly_come_to_it() -> None:
    found = node_detection(SLICES, LEAF, decide(ANSWERS, SLICES, CHAIN, None)["cord"], repeats=20)
    assert (found.found, found.wrong, found.missed, found.total, found.positives) == (2, 1, 1, 6, 3)
    counts = node_confusion(SLICES, LEAF, decide(ANSWERS, SLICES, CHAIN, None)["cord"])
    assert counts.tolist() == [[2, 1], [1, 2]]


def test_a_slice_has_one_first_fault() -> None:
    wrong = fault(SLICES, CHAIN, decide(ANSWERS, SLICES, CHAIN, "majority"))
    assert wrong.tolist() == ["", "", "cord", "", "", "anatomy", "anatomy", "anatomy"]


def test_intervals_hold_the_figure_and_draw_whole_patients() -> None:
    random = np.random.default_rng(4)
    truth = random.random(400) < 0.4
    predicted = np.where(random.random(400) < 0.85, truth, ~truth)
    patients = np.repeat(np.arange(40), 10).astype(str)
    found = detect(truth, predicted, patients, repeats=300)
    for measure in MEASURES:
        low, high = found.intervals[measure] or (0.0, 0.0)
        assert low < getattr(found, measure) < high
        assert high - low < 0.25
    alone = detect(truth, predicted, np.full(400, "one"), repeats=50)
    assert (alone.patients, alone.intervals["f1"]) == (1, None), "one patient tells nothing of the spread"


def test_an_early_end_needs_a_share_of_the_slices() -> None:
    share, series = needed_share(ANSWERS["anatomy"], SLICES, "majority")
    assert series == 3
    assert share == pytest.approx((3 + 2 + 2) / 8)
    assert needed_share(sure([None] * 8), SLICES, "majority") == (None, 0)


def judged(others: dict[str, dict[str, IntArray]] | None = None) -> Judged:
    chains = [
        Chain(backbone="resnet18", probabilities=ANSWERS, training_seconds=3723.4, milliseconds=20.0),
        Chain(backbone="mine", probabilities=ANSWERS, milliseconds=10.0),
    ]
    return Judged(title="test", slices=SLICES, chain=CHAIN, chains=chains, others=others or {}, repeats=20)


def test_tables_set_the_papers_figures_and_no_skill_beside_ours() -> None:
    made = tables(judged({"fused": {"anatomy": SLICES.truth["anatomy"], "cord": SLICES.truth["cord"]}}))
    third, fourth, voted, fifth, *confusions = made
    assert third.columns == (*("Task", "Metric", "ResNet (resnet18)", "ResNet, paper", "mine", "fused", NO_SKILL),)
    recall = third.rows[1]
    assert recall[:2] == ("Anatomy Classification (n 8, 6 spine; 2 patients)", "Recall")
    assert recall[2].startswith("0.5000 (")
    assert recall[3] == "0.6778"
    assert recall[5].startswith("1.0000 (")
    assert recall[6] == "1.0000"
    precision, _, f1 = fourth.rows
    assert (precision[2], f1[2], f1[-1]) == ("0.9060", "0.8000", "0.5455"), "always yes: 2 x 3 / (8 + 3)"
    assert "3 of 8 slices, 2 patients" in fourth.notes[0]
    assert [row[1] for row in voted.rows[:4]] == [
        "none: slice by slice",
        "majority",
        "mean probability",
        "confidence-weighted",
    ]
    assert voted.rows[1][-1] == "88 % of 3 series"
    assert fifth.rows[0] == ("resnet18", "1h 2m 3s", "50.0", "20.00", "20h 10m 22s", "89.4874", "11.1748")
    assert fifth.rows[1][4:] == ("–", "–", "–")
    assert confusions[0].rows[0] == ("spine", "3", "0")
    assert all(
        any("no skill" in cell for cell in (*table.columns, *table.rows[-1])) for table in (third, fourth, voted)
    )


def test_a_test_set_without_a_target_has_no_end_to_end_table() -> None:
    truth = {"anatomy": SLICES.truth["anatomy"], "cord": np.full(8, UNKNOWN)}
    slices = Slices(series=SLICES.series, patients=SLICES.patients, truth=truth)
    made = tables(Judged(title="t", slices=slices, chain=CHAIN, chains=judged().chains, others={}, repeats=20))
    assert [table.title[:7] for table in made] == ["Table 3", "Table 5", "Confusi", "Confusi"]


def test_the_published_figures_agree_with_one_another() -> None:
    """F1 is the harmonic mean of the printed precision and recall, but for one that the paper prints otherwise."""
    paper = published()
    assert len(paper["models"]) == 4
    differing = []
    for name, model in paper["models"].items():
        for task in (*paper["nodes"], "end_to_end"):
            precision, recall, f1 = (model[task][measure] for measure in MEASURES)
            if abs(2 * precision * recall / (precision + recall) - f1) > 5e-4:
                differing.append((name, task))
    assert differing == [("resnet", "anatomy")]
    for model in paper["models"].values():
        assert 1000 / model["milliseconds"] == pytest.approx(model["images_per_second"], rel=1e-3)

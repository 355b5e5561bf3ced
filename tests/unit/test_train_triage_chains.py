import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.evaluate.triage import UNKNOWN, Slices
from spinalis.evaluate.triage_tables import Chain, Judged
from spinalis.models.prepare import InputSpec
from spinalis.records import FloatArray
from spinalis.train import fit, runs, triage_chains, triage_errors, triage_report
from spinalis.train.job import Job
from spinalis.train.recipes import NODES
from spinalis.train.runs import Order
from spinalis.train.triage_chains import Network, ask
from spinalis.train.triage_sets import TestSet
from spinalis.triage.hierarchy import load
from tests.terminal import in_this_process

TREE = load()
SMALL = {"studies": "{}", "epochs": "2", "batch": "2", "size": "32", "backbone": "resnet10t"}
CLASSES = (
    "elsewhere_axial",
    "spine_cervical_axial_t2w",
    "spine_cervical_sagittal_t1w",
    "spine_cervical_sagittal_t2w_cord",
    "spine_cervical_sagittal_t2w_nocord",
)
TRUTH = {  # of ten slices in three series: two cervical sagittal T2w, one brain
    "anatomy": [0, 0, 0, 0, 0, 0, 0, 1, 1, 1],
    "view": [0, 0, 0, 0, 0, 0, 0, UNKNOWN, UNKNOWN, UNKNOWN],
    "sequence": [3, 3, 3, 3, 2, 2, 2, UNKNOWN, UNKNOWN, UNKNOWN],
    "cord": [0, 1, 1, 0, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN, UNKNOWN],
}
GIVEN = TestSet(
    title="ten slices",
    pictures=np.random.default_rng(0).integers(0, 255, (10, 48, 48)).astype(np.uint8),
    slices=Slices(
        series=np.array([0] * 4 + [1] * 3 + [2] * 3),
        patients=np.array(["a"] * 7 + ["b"] * 3),
        truth={name: np.array(found) for name, found in TRUTH.items()},
    ),
    fused={name: np.array(found) for name, found in TRUTH.items()},
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Runs of all four nodes, two epochs over five classes of noise."""
    root = tmp_path_factory.mktemp("chains")
    for place, name in enumerate(CLASSES):
        for patient in "abcdef":
            (root / "pictures" / name / patient).mkdir(parents=True)
            image = np.random.default_rng(place).integers(0, 40 * place + 40, (40, 30)).astype(np.uint8)
            cv2.imwrite(str(root / "pictures" / name / patient / "1.png"), image)
    made = Job.options

    def options(job: Job, recipe: Mapping[str, Any], examples: int) -> fit.FitOptions:
        return replace(made(job, recipe, examples), workers=0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Job, "options", options)
        patch.setattr(runs.open_images, "find_root", lambda given: None)
        for name in NODES:
            source = [("folder", root / "pictures")]
            folder = root / "runs" / f"resnet10t-{name}"
            runs.train(Order(recipe=name, folder=folder, changes=SMALL, accelerator="cpu", sources=source))
        yield root / "runs"


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[..., Any]]:
    """Runs `spinalis evaluate triage ARGUMENTS` in this process on `GIVEN`: exit code, stdout, stderr."""
    monkeypatch.setattr(triage_report.open_images, "find_root", lambda given: None)
    monkeypatch.setattr(triage_report.triage_sets, "simulated_set", lambda *given, **named: GIVEN)
    with in_this_process(monkeypatch, capsys, "evaluate", "triage") as call:
        yield call


def test_trained_chains_are_found_and_judged_from_the_command_line(
    run: Callable[..., Any], trained: Path, tmp_path: Path
) -> None:
    code, out, err = run(trained, "-o", tmp_path / "judged", "--repeats", 20)
    assert (code, err) == (0, "")
    assert out.startswith("### Table 3. Classification result per task: ten slices")
    assert "| Task | Metric | ResNet (resnet10t) | ResNet, paper | fused default | no skill (always yes) |" in out
    assert "### Table 4. End-to-end classification result: ten slices" in out
    assert "### Table 5. Model performance comparison" in out
    assert out.endswith("Research use only; not a medical device.\n")
    assert (tmp_path / "judged" / "tables.md").read_text() == out
    page = (tmp_path / "judged" / "errors.html").read_text()
    assert "Research use only" in page
    assert "data:image/png;base64," in page


def test_the_tables_come_as_json(run: Callable[..., Any], trained: Path) -> None:
    code, out, _ = run(trained, "--repeats", 20, "--json")
    assert code == 0
    found = json.loads(out)
    assert (found["schema"], found["research_use_only"]) == ("spinalis-triage-tables/1", True)
    fourth = next(table for table in found["tables"] if table["title"].startswith("Table 4"))
    fused = fourth["columns"].index("fused default")
    assert [row[fused].split()[0] for row in fourth["rows"]] == ["1.0000"] * 3


def test_a_folder_without_chains_is_an_error(run: Callable[..., Any], tmp_path: Path) -> None:
    code, _, err = run(tmp_path)
    assert code == 1
    assert "expected nodes of one hierarchy, got 0. Train the nodes" in err


def test_a_chain_that_lacks_a_node_is_told(trained: Path, tmp_path: Path) -> None:
    for name in NODES[:3]:
        (tmp_path / name).symlink_to(trained / f"resnet10t-{name}")
    with pytest.raises(RecipeError, match="expected a node cord of resnet10t, got none"):
        triage_chains.find(tmp_path)
    (tmp_path / "again").symlink_to(trained / f"resnet10t-{NODES[0]}")
    with pytest.raises(RecipeError, match="got anatomy of resnet10t twice"):
        triage_chains.find(tmp_path)


@pytest.mark.filterwarnings("ignore")  # of the exporter
def test_packs_answer_as_their_runs_do(trained: Path, tmp_path: Path) -> None:
    for name in NODES[:3]:
        (tmp_path / name).symlink_to(trained / f"resnet10t-{name}")
    runs.export(trained / f"resnet10t-{NODES[3]}", tmp_path / "cord")
    tree, mixed = triage_chains.find(tmp_path)
    _, whole = triage_chains.find(trained)
    first = ask(mixed["resnet10t"], GIVEN, tree.chain())
    second = ask(whole["resnet10t"], GIVEN, tree.chain())
    assert np.allclose(first["cord"], second["cord"], atol=1e-4, equal_nan=True)
    assert mixed["resnet10t"]["cord"].network is None


def says(answers: Mapping[int, int], classes: int) -> Callable[[FloatArray], FloatArray]:
    """A network that answers by the picture's mean: which of ten it is."""

    def answer(images: FloatArray) -> FloatArray:
        logits = np.zeros((len(images), classes))
        for row, image in enumerate(images):
            logits[row, answers[int(np.rint(image.mean() * 10))]] = 5.0
        return logits

    return answer


def made(answers: Mapping[int, int], name: str) -> Network:
    classes = TREE.node(name).names
    return Network(answer=says(answers, len(classes)), spec=InputSpec(height=40, width=40), classes=classes)


@pytest.fixture
def numbered() -> TestSet:
    """`GIVEN` with slice `i` white to `i` tenths."""
    pictures = np.zeros((10, 40, 40), np.uint8)
    for place in range(10):
        pictures[place, : 4 * place] = 255
    return replace(GIVEN, pictures=pictures)


def test_a_node_is_only_asked_where_its_answer_can_matter(numbered: TestSet) -> None:
    networks = {
        "anatomy": made({place: 0 if place in {0, 1, 2, 3, 7} else 1 for place in range(10)}, "anatomy"),
        "view": made(dict.fromkeys(range(10), 0), "view"),
        "sequence": made(dict.fromkeys(range(10), 3), "sequence"),
        "cord": made(dict.fromkeys(range(10), 1), "cord"),
    }
    found = ask(networks, numbered, TREE.chain())
    asked = {name: np.flatnonzero(~np.isnan(rows[:, 0])).tolist() for name, rows in found.items()}
    assert asked["anatomy"] == list(range(10))
    assert asked["view"] == list(range(10)), "one slice of the brain was taken for spine; the T1w series is truly here"
    assert asked["cord"] == list(range(10)), "every view and sequence was the target"
    assert np.allclose(np.nansum(found["view"], axis=1), 1.0)
    silent = {**networks, "view": made(dict.fromkeys(range(10), 6), "view")}
    assert np.flatnonzero(~np.isnan(ask(silent, numbered, TREE.chain())["sequence"][:, 0])).tolist() == list(range(7))


def test_errors_show_the_surest_of_each_kind(numbered: TestSet) -> None:
    probabilities = {name: np.full((10, len(TREE.node(name).names)), 0.01) for name in TRUTH}
    for name, truth in TRUTH.items():
        probabilities[name][np.arange(10), np.maximum(truth, 0)] = 0.9
    probabilities["anatomy"][7:] = np.eye(14)[2]
    probabilities["cord"][3] = (0.2, 0.8)
    judged = Judged(
        title="ten slices",
        slices=GIVEN.slices,
        chain=TREE.chain(),
        chains=[Chain(backbone="mine<", probabilities=probabilities)],
        others={},
    )
    page = triage_errors.page(judged, judged.chains[0], numbered.pictures)
    assert (page.wrong, page.total) == (4, 10)
    assert [(row.truth, row.answer, row.count) for row in page.rows] == [
        ("anatomy: MR brain", "MR abdomen", 3),
        ("cord: no cord", "cord", 1),
    ]
    assert [item.node for item in page.pictures] == ["anatomy", "cord", "anatomy", "anatomy"]
    assert page.pictures[1].probability == "0.80"


def test_the_page_of_errors_escapes_what_it_is_given(tmp_path: Path, numbered: TestSet) -> None:
    empty = triage_errors.Page(backbone="<b>", title="t", wrong=0, total=3, rows=(), pictures=())
    triage_errors.write(tmp_path / "errors.html", [empty])
    assert "&lt;b&gt;: t" in (tmp_path / "errors.html").read_text()


def test_the_time_of_a_slice_is_measured(trained: Path) -> None:
    _, chains = triage_chains.find(trained)
    one = chains["resnet10t"]["anatomy"]
    assert one.network is not None
    assert triage_chains.milliseconds(one.network, one.spec) > 0

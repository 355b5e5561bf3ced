import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.train import packs
from spinalis.train.data import public_sets
from spinalis.train.data.real_slice import Labels, RealSlice, subset_of
from spinalis.train.data.simulated import TRIAGE_SIZE
from spinalis.train.job import Job
from spinalis.train.networks.triage_trunk import TriageTrunk
from spinalis.train.triage import CLASSES


def some(count: int) -> list[RealSlice]:
    return [
        RealSlice(
            load=lambda: np.zeros((1, 1), np.float32), labels=Labels(), source="s", patient=str(n), subset="training"
        )
        for n in range(count)
    ]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Thirty patients of one picture each, and a blank picture."""
    rng = np.random.default_rng(3)
    folder = tmp_path / "mine" / "spine_lumbar_t1w"
    folder.mkdir(parents=True)
    for number in range(30):
        cv2.imwrite(str(folder / f"p{number}.png"), rng.integers(0, 255, (40, 20), np.uint8))
    cv2.imwrite(str(folder / "blank.png"), np.full((40, 20), 9, np.uint8))
    return tmp_path / "mine"


def test_a_subset_holds_its_own_patients_only(tree: Path) -> None:
    parts = [list(public_sets.read("folder", tree, subset)) for subset in ("training", "validation")]
    assert sum(map(len, parts)) == 31
    assert all(parts)
    assert not {item.patient for item in parts[0]} & {item.patient for item in parts[1]}


def test_a_draw_is_even_in_order_and_the_same_each_time() -> None:
    items = some(40)
    counts = np.zeros(40)
    for seed in range(400):
        places = [int(item.patient) for item in public_sets.drawn(items, 10, seed)]
        assert places == sorted(set(places))
        counts[places] += 1
    assert counts.mean() == 100
    assert 60 < counts.min() <= counts.max() < 140
    assert public_sets.drawn(items, 10, 5) == public_sets.drawn(items, 10, 5)
    assert public_sets.drawn(items, 50, 5) == items


def test_sources_are_parsed(tree: Path) -> None:
    assert public_sets.parse_source(f"folder={tree}") == ("folder", tree)
    for text in ("imagenet=x", "folder", "folder="):
        with pytest.raises(RecipeError, match="expected NAME=PATH with a name of radimagenet, m4raw"):
            public_sets.parse_source(text)
    with pytest.raises(RecipeError, match="Source chaos: expected a file or folder"):
        public_sets.parse_source(f"chaos={tree}/nowhere")


def test_public_slices_join_the_training_of_the_triage_trunk(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    training = [name for name in range(30) if subset_of(f"folder-mine-p{name}.png") == "training"]
    found = packs._public_sources([("folder", tree)], "training")
    (examples,) = found.values()
    assert list(found) == ["folder-mine"]
    assert len(examples) == len(training) < 30
    assert len({patient for patient, _ in examples}) == len(examples)
    assert {example.image.shape for _, example in examples} == {(TRIAGE_SIZE, TRIAGE_SIZE)}
    assert {tuple(example.labels) for _, example in examples} == {(0, 2, -1, 0, -1)}
    monkeypatch.setattr(packs, "MOST_SLICES", 5)
    assert len(packs._public_sources([("folder", tree)], "training")["folder-mine"]) in (4, 5)


def test_a_public_set_gets_its_share_of_the_real_batches_and_its_line_in_the_card(
    tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: dict[str, Any] = {}

    def train(groups: Any, shares: Any, *_: Any) -> TriageTrunk:
        given.update(groups=groups, shares=list(shares))
        return TriageTrunk(CLASSES).eval()

    monkeypatch.setattr(Job, "studies", lambda *_: [])
    monkeypatch.setattr(packs.triage, "train", train)
    monkeypatch.setattr(packs.triage, "calibrate", lambda *_: {})
    monkeypatch.setattr(packs.novelty, "limit", lambda *_: 1.0)
    job = Job(data=None, runs=tree, out=tree, sources=[("folder", tree)])
    card = packs.train_triage(job, {"size": 32, "steps": 4, "batch": 2, "learning_rate": 1e-3}).text.training_data
    assert sum(given["shares"]) == pytest.approx(1.0)
    assert given["shares"][2] == pytest.approx(packs.TRIAGE_SHARES[2])
    assert len(given["groups"][2]) > 0
    assert f"{len(given['groups'][2])} real slices: folder-mine" in card
    assert "of these, --source folder is pictures of the user's own, a folder per class" in card


def test_a_source_weighs_as_the_square_root_of_its_patients(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    example = packs.triage.Example(image=np.zeros((8, 8), np.uint8), labels=np.zeros(5, np.int8))
    monkeypatch.setattr(Job, "studies", lambda *_: [])

    def train(_: Any, shares: Any, *__: Any) -> TriageTrunk:
        given.update(shares=list(shares))
        return TriageTrunk(CLASSES).eval()

    monkeypatch.setattr(packs.triage, "train", train)
    monkeypatch.setattr(packs.triage, "calibrate", lambda *_: {})
    monkeypatch.setattr(packs.novelty, "limit", lambda *_: 1.0)
    found = {"many": [(str(patient), example) for patient in range(9)], "one": [("a", example)] * 50}
    monkeypatch.setattr(packs, "_public_sources", lambda *_: found)
    packs.train_triage(Job(data=None, runs=tree, out=tree), {"size": 32, "steps": 4, "batch": 2, "learning_rate": 1e-3})
    many, one = given["shares"][2:4]
    assert many == pytest.approx(3 * one)
    assert many + one == pytest.approx(packs.TRIAGE_SHARES[2])


def test_a_set_without_a_patient_to_train_on_is_refused(tree: Path) -> None:
    for file in (tree / "spine_lumbar_t1w").iterdir():
        if subset_of(f"folder-mine-{file.name}") == "training":
            file.unlink()
    with pytest.raises(RecipeError, match="Source folder: expected slices of the training subset, got none"):
        packs._public_sources([("folder", tree)], "training")


def test_the_command_line_hands_the_sources_on(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs: list[Job] = []
    monkeypatch.setattr(packs, "MAKERS", {"triage": jobs.append})
    arguments = ["packs", "triage", "--simulation-only", "--source", f"folder={tree}", "--source", f"chaos={tree}"]
    monkeypatch.setattr(sys, "argv", arguments)
    packs.main()
    assert jobs[0].sources == [("folder", tree), ("chaos", tree)]


def test_the_command_line_refuses_an_unknown_source(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["packs", "--source", "imagenet=."])
    with pytest.raises(SystemExit):
        packs.main()
    assert "expected NAME=PATH" in capsys.readouterr().err


def test_sources_are_part_of_what_names_a_run(tree: Path) -> None:
    job = Job(data=None, runs=tree, out=tree)
    recipe = {"steps": 4, "batch": 2, "learning_rate": 1e-3}
    with_source = Job(data=None, runs=tree, out=tree, sources=[("folder", tree)])
    assert job.options(recipe, 5).origin != with_source.options(recipe, 5).origin


def test_every_set_has_a_row_in_the_docs() -> None:
    page = (Path(__file__).parents[2] / "docs/data.md").read_text()
    assert [name for name in public_sets.SETS if f"| `{name}` |" not in page] == []

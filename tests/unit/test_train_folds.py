from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from spinalis.errors import RecipeError
from spinalis.evaluate.tables import Table
from spinalis.localize.decode import CHANNELS
from spinalis.localize.levels import TRANSITIONAL
from spinalis.train import fold_tables, folds, levels
from spinalis.train.data import spider
from spinalis.train.fit import FitOptions
from spinalis.train.fold_tables import Answer
from spinalis.train.job import Job, Trained
from spinalis.vocabulary import Sequence
from tests.unit.test_localize_levels import pack_with
from tests.unit.test_train_data import COLUMNS

PATIENTS = ("3", "7", "8", "21", "30")
SMALL = {"steps": "2", "batch": "2", "size": "64"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five patients, both contrasts of each, with points."""
    root = tmp_path_factory.mktemp("open")
    (root / spider.FOLDER).mkdir()
    rng, rows = np.random.default_rng(1), [COLUMNS]
    for patient in PATIENTS:
        for kind in ("T1w", "T2w"):
            name = f"{patient}_{kind}.png"
            cv2.imwrite(str(root / spider.FOLDER / name), rng.integers(0, 255, (90, 60), np.uint8))
            numbers = ",".join(f"{0.5:.2f},{0.1 + 0.15 * k:.2f}" for k in range(5))
            rows.append(f"{name},{patient},{kind},60,90,sagittal,lumbar,training,exact,{numbers}")
    (root / spider.FOLDER / "manifest.csv").write_text("\n".join(rows) + "\n")
    return root


@pytest.fixture
def plan(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> folds.Plan:
    """Two folds from a start that has seen the first two of three simulated studies of two slices each."""
    files = [tmp_path / f"{number}.npz" for number in range(3)]
    rng = np.random.default_rng(2)
    for file in files:
        np.savez(
            file,
            level_images=rng.integers(0, 255, (2, 64, 64), np.uint8),
            level_points=rng.uniform(8, 56, (2, len(CHANNELS), 2)).astype(np.float32),
            level_seen=np.ones((2, len(CHANNELS)), bool),
        )
    monkeypatch.setattr(Job, "studies", lambda *_: files)
    made = Job.options
    monkeypatch.setattr(Job, "options", lambda *given: replace(made(*given), workers=0, checkpoint_every=1))
    found = folds.Plan(
        data=data, start=tmp_path / "start", runs=tmp_path / "runs", folds=2, changes=SMALL, accelerator="cpu"
    )
    learn(found, files[:2], [])
    return found


def learn(plan: folds.Plan, files: list[Path], real: list[levels.Example]) -> None:
    simulated, recipe = levels.simulated_examples(files), plan.recipe()
    options: FitOptions = plan.job(plan.start).options(recipe, len(real) + len(simulated))
    levels.train((real, simulated), recipe, options, plan.start)


def test_patients_are_judged_by_a_network_that_saw_none_of_their_slices(
    plan: folds.Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[int, set[str]] = {}
    train = folds.train_fold

    def spy(plan: folds.Plan, fold: int, items: Any, *rest: Any) -> Any:
        seen[fold] = {item.patient for item in items}
        return train(plan, fold, items, *rest)

    monkeypatch.setattr(folds, "train_fold", spy)
    monkeypatch.setattr(Trained, "export", lambda *_: None)  # takes seconds; tested with the packs
    monkeypatch.setattr(folds, "load_pack", lambda _: pack_with())
    answers = folds.out_of_fold(plan)
    assert sorted((item.patient, item.sequence) for item in answers) == sorted(
        (patient, kind) for patient in PATIENTS for kind in (Sequence.T1W, Sequence.T2W)
    )
    assert all(item.patient not in seen[item.fold] for item in answers)
    assert seen[0] | seen[1] == set(PATIENTS)
    assert answers[0].truth[0] == pytest.approx([0.5 * 60 - 0.5, 0.1 * 90 - 0.5])
    weights = [torch.load(plan.runs / f"folds/{n}-of-2/last.ckpt", weights_only=True)["network"] for n in (0, 1)]
    assert not all(torch.equal(weights[0][name], weights[1][name]) for name in weights[0])

    monkeypatch.setattr(levels, "loss", None)  # a finished fold is not trained again
    again = folds.out_of_fold(plan)
    assert [item.patient for item in again] == [item.patient for item in answers]


def test_folds_start_from_the_weights_of_the_run(plan: folds.Plan, tmp_path: Path) -> None:
    weights = folds.start_weights(plan.start, plan.job(plan.start).studies("lumbar-balanced"))
    network = levels.build(plan.recipe())
    network.load_state_dict(weights)
    trained = torch.load(plan.start / "last.ckpt", weights_only=True)["network"]
    assert torch.equal(network.head.weight, trained["network.head.weight"])


def test_a_start_that_saw_other_slices_is_refused(plan: folds.Plan, data: Path, tmp_path: Path) -> None:
    files = plan.job(plan.start).studies("lumbar-balanced")
    other = replace(plan, start=tmp_path / "other")
    learn(other, files[:2], levels.real_examples(spider.read(data))[:1])
    with pytest.raises(RecipeError, match="simulated slices alone, got one of 5 examples"):
        folds.start_weights(other.start, files)
    with pytest.raises(RecipeError, match=r"got no last\.ckpt"):
        folds.start_weights(tmp_path / "nowhere", files)


def test_more_folds_than_patients_are_refused(plan: folds.Plan) -> None:
    with pytest.raises(RecipeError, match="expected 2 to 5, as there are so many labelled patients, got 6"):
        folds.out_of_fold(replace(plan, folds=6))


def answer(patient: int, contrast: Sequence, shift: float, junction: float) -> Answer:
    """A slice whose points are off by so many levels."""
    truth = np.stack([np.full(5, 50.0), 20.0 + 30.0 * np.arange(5)], axis=1)
    return Answer(
        patient=str(patient),
        sequence=contrast,
        fold=0,
        truth=truth,
        guess=truth + np.array([0.0, 20.0]),
        found=truth + np.array([0.0, 30.0 * shift]),
        junction=junction,
        confidence=1.0 - junction,
    )


@pytest.fixture
def found() -> list[Table]:
    """Of twenty T2w slices one is a level off and doubted most, one is off and not doubted; one T1w is not found."""
    answers = [answer(n, Sequence.T2W, 0.1, 0.01 * TRANSITIONAL * n) for n in range(18)]
    answers += [answer(18, Sequence.T2W, 1.0, 2 * TRANSITIONAL), answer(19, Sequence.T2W, -1.0, 0.0)]
    answers += [answer(n, Sequence.T1W, 0.0, 0.0) for n in range(3)] + [answer(3, Sequence.T1W, np.nan, 0.0)]
    return fold_tables.tables(answers)


def test_levels_out_of_fold_stand_beside_the_mean_position(found: list[Table]) -> None:
    t2w, floor, t1w, _ = found[0].rows
    assert t2w[1].startswith("90.0 % (18/20;")
    assert t2w[2].startswith("10.0 % (2/20;")
    assert floor[1].startswith("0.0 % (0/20;")
    assert t1w[1].startswith("75.0 % (3/4;")
    assert "20 patients" in found[0].title


def test_the_flag_is_judged_at_its_threshold_and_at_others(found: list[Table]) -> None:
    t2w = found[1].rows[0]
    assert [cell.split(";")[0] for cell in t2w[1:5]] == [
        "5.0 % (1/20",
        "0.0 % (0/1",
        "94.7 % (18/19",
        "90.0 % (18/20",
    ]
    rows = {row[0]: row for row in found[2].rows}
    assert rows["0 %"][2] == t2w[4]
    assert rows["5 %"][1] == f"{2 * TRANSITIONAL:.3f}"
    assert rows["5 %"][2] == rows["5 %"][3] == t2w[3]
    assert rows["10 %"][2].startswith("94.4 % (17/18;")


def test_slices_named_wrongly_are_listed(found: list[Table]) -> None:
    assert [(row[0], row[1], row[3]) for row in found[3].rows] == [
        ("18", "T2w", "1.00"),
        ("19", "T2w", "-1.00"),
        ("3", "T1w", "–"),
    ]

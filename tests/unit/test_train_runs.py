import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml

from spinalis.errors import OutputError, RecipeError
from spinalis.models import load_pack
from spinalis.train import fit, grade, grade_scores, packs, runs
from spinalis.train.data import rsna
from spinalis.train.job import Job, unjudged
from spinalis.train.runs import Order, changed
from tests.rsna import write_set

RECIPE = {"steps": 4, "learning_rate": 0.001, "widths": [16, 32], "points": "labels"}
SMALL = {"steps": "4", "batch": "2", "size": "32", "widths": "[4, 6]"}


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five studies whose folds leave some for training, calibrating and judging, every grade in each of them."""
    names: dict[int, str] = {}
    for number in range(100, 200):
        item = rsna.RsnaStudy(name=str(number), folder=Path(), grades={}, points=(), kinds={})
        names.setdefault(item.fold, item.name)
    grades = {name: [(place + place // 5) % 3 for place in range(25)] for name in names.values()}
    return write_set(tmp_path_factory.mktemp("rsna"), grades, study_uids="1.2.826.0.1.")


def order(data: Path, folder: Path, **changes: str) -> Order:
    return Order(recipe="grade", folder=folder, data=data, changes={**SMALL, **changes}, jobs=1, accelerator="cpu")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bags are drawn in this process, and a checkpoint is kept after every step."""
    made = Job.options

    def options(job: Job, recipe: Mapping[str, Any], examples: int) -> fit.FitOptions:
        return replace(made(job, recipe, examples), workers=0, checkpoint_every=1)

    monkeypatch.setattr(Job, "options", options)


def test_settings_are_changed_by_their_names_and_kinds() -> None:
    made = changed(RECIPE, {"steps": "12", "learning_rate": "1", "widths": "[8, 8]", "points": "localizer"})
    assert made == {"steps": 12, "learning_rate": 1.0, "widths": [8, 8], "points": "localizer"}
    assert RECIPE["steps"] == 4


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("step", "3", "expected a setting among steps, learning_rate, widths, points, got step"),
        ("steps", "many", "expected steps as int, such as 4, got many"),
        ("steps", "1.5", "expected steps as int"),
        ("learning_rate", "true", "expected learning_rate as float"),
    ],
)
def test_wrong_settings_are_told(name: str, word: str, message: str) -> None:
    with pytest.raises(RecipeError, match=message):
        changed(RECIPE, {name: word})


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the exporter
def test_a_grader_trained_on_the_set_is_kept_and_exported(data: Path, tmp_path: Path) -> None:
    run = runs.train(order(data, tmp_path / "run"))
    kept = {file.name for file in run.iterdir()}
    assert {"recipe.yaml", "metrics.csv", "last.ckpt", "network.pt", "pack.json"} <= kept
    used = yaml.safe_load((run / "recipe.yaml").read_text())
    assert used["data"] == "RSNA 2024 layout"
    assert (used["settings"]["steps"], used["settings"]["points"], used["settings"]["seed"]) == (4, "labels", 1)
    text = json.loads((run / "pack.json").read_text())
    assert [score["on"] for score in text["scores"]] == ["real"] * 3
    assert text["training_data"] == ["30 bags of crops from 3 patients laid out as the RSNA 2024 set"]
    assert "1 held-out studies in RSNA 2024 layout, n 10 (" in text["scores"][0]["figures"]
    pack = load_pack(runs.export(run, tmp_path / "packs" / "grade"))
    assert pack.info.task == "grade"
    assert set(pack.manifest.setting("calibration")) == {"canal", "foraminal", "subarticular"}
    assert "Judged on crops alone" in pack.card
    first = (tmp_path / "packs/grade/pack.toml").read_bytes()
    runs.export(run, tmp_path / "packs" / "grade")
    assert (tmp_path / "packs/grade/pack.toml").read_bytes() == first
    assert [item.name for item in (tmp_path / "packs").iterdir()] == ["grade"]


class KilledError(Exception):
    """Stands for the kill."""


def test_a_killed_run_ends_as_one_that_was_not(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = runs.train(order(data, tmp_path / "whole"))
    loss, calls = grade.loss, []

    def kills(*given: Any) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 3:
            raise KilledError
        return loss(*given)

    monkeypatch.setattr(grade, "loss", kills)
    with pytest.raises(KilledError):
        runs.train(order(data, tmp_path / "cut"))
    assert not (tmp_path / "cut" / "network.pt").exists()
    with pytest.raises(RecipeError, match=r"Run cut: expected a finished run, got none of its network.pt, pack.json"):
        runs.export(tmp_path / "cut", tmp_path / "pack")
    cut = runs.train(order(data, tmp_path / "cut"))
    assert (cut / "pack.json").read_text() == (whole / "pack.json").read_text()
    first, second = (torch.load(run / "network.pt", weights_only=True) for run in (whole, cut))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_folder_of_another_run_is_refused(data: Path, tmp_path: Path) -> None:
    runs.train(order(data, tmp_path / "run"))
    with pytest.raises(RecipeError, match="Run run: expected a new folder or the same recipe and data, got another"):
        runs.train(order(data, tmp_path / "run", seed="2"))


def test_a_set_without_labels_for_a_recipe_is_refused(data: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="Recipe levels: expected open real images as data, got a set in RSNA 2024"):
        runs.train(Order(recipe="levels", folder=tmp_path / "run", data=data))
    assert not (tmp_path / "run").exists()


def test_too_few_studies_are_told(data: Path, tmp_path: Path) -> None:
    study = next((data / "train_images").iterdir()).name
    root = write_set(tmp_path / "one", {study: [0] * 25})
    with pytest.raises(RecipeError, match="got 1 that fall into 1 of these parts"):
        runs.train(order(root, tmp_path / "run"))


def test_a_pack_does_not_replace_another_folder(data: Path, tmp_path: Path) -> None:
    run = runs.train(order(data, tmp_path / "run"))
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "mine.txt").write_text("keep me")
    with pytest.raises(OutputError, match="expected a new folder or that of a pack, got another"):
        runs.export(run, tmp_path / "notes")
    assert (tmp_path / "notes" / "mine.txt").read_text() == "keep me"


@pytest.mark.parametrize("name", runs.TASKS)
def test_every_recipe_is_opened_as_it_was_kept(name: str, tmp_path: Path) -> None:
    recipe = Job(data=None, runs=tmp_path, out=tmp_path).recipe(name)
    if name == "adapt":  # as the pack says
        recipe |= {"widths": [4, 6], "size": 32, "spacing_mm": 1.6}
    task = runs.TASKS[name]
    inputs = {
        "grade": lambda: {"crops": grade.input_spec(recipe)},
        "header": dict,
        "adapt": lambda: {"crops": grade.input_spec(recipe)},
        "levels": lambda: {"images": packs.levels.input_spec(recipe["size"])},
        "body-series": lambda: {"volumes": packs.triage.input_spec(recipe["size"])},
    }.get(name, lambda: {"images": packs.triage.input_spec(recipe["size"])})()
    text = runs.PackText(
        name=name,
        task=name,
        version="0",
        inputs=inputs,
        labels={},
        settings={"calibration": {"bias": [0.1, 0.2, 0.3]}, "depth": 32},
        training_data=["none"],
        scores=[unjudged(name)],
        notes=[],
    )
    made = task.trained(task.build(recipe), text)
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump({"recipe": name, "settings": recipe}))
    runs.save(made, tmp_path)
    found = runs.open_run(tmp_path)
    assert replace(found.text, limits=()) == replace(text, limits=())
    weights = found.network.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in made.network.state_dict().items())
    assert set(found.example) == set(made.example)


def test_figures_of_the_held_out_fold_say_what_the_level_alone_gives() -> None:
    random = torch.Generator().manual_seed(0)
    count = 60
    grades = torch.randint(0, 3, (count, 3), generator=random).numpy().astype("int8")
    grades[:10, 0] = -1
    bags = grade.Bags(
        crops=torch.randint(0, 200, (count, 11, 1, 32, 32), generator=random).numpy().astype("uint8"),
        mask=torch.ones(count, 11).numpy(),
        grades=grades,
        levels=(torch.arange(count) % 5).numpy().astype("int8"),
        studies=(torch.arange(count) // 10).numpy(),
    )
    torch.manual_seed(0)
    network = grade.build({"widths": [4, 6]}).eval()
    same = {name: {"temperature": 1.0, "bias": [0.0, 0.0, 0.0]} for name in ("canal", "foraminal", "subarticular")}
    points = {"abnormal": [0.5] * 5, "severe": [0.5] * 5}
    settings = {"level_prior": False, "calibration": same, "operating_points": dict.fromkeys(same, points)}
    scores = grade_scores.judge(network, settings, bags, "simulation", repeats=20)
    assert [score.on for score in scores] == ["simulation"] * 3
    assert "6 held-out studies in RSNA 2024 layout, n 50 (" in scores[0].figures
    assert "n 60 (" in scores[1].figures
    assert all("level alone 0." in score.figures and "kappa at " in score.figures for score in scores)

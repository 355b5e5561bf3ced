from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import yaml

from spinalis.errors import RecipeError
from spinalis.train import recipes, runs
from spinalis.train.data.whole import Whole
from spinalis.train.job import Job
from spinalis.train.networks.per_view import PerView
from spinalis.train.papers import answers, figures, material, methods, per_view
from spinalis.train.papers.material import Material, parts
from tests.whole import keep, make

RECIPE: dict[str, Any] = {
    **recipes.load("per-view-resnet18"),
    **runs.RUN_SETTINGS,
    "epochs": 1,
    "batch": 16,
    "size": 64,
    "backbone": "test_resnet",
}


@pytest.fixture(scope="module")
def studies(tmp_path_factory: pytest.TempPathFactory) -> list[Whole]:
    return keep(8, tmp_path_factory.mktemp("kept"))


@pytest.fixture
def parted(studies: list[Whole]) -> Material:
    return Material(train=tuple(studies[:4]), validate=(studies[4],), calibrate=tuple(studies[5:7]), test=(studies[7],))


def job(folder: Path) -> Job:
    return Job(data=None, runs=folder.parent, out=folder, jobs=1, accelerator="cpu", folder=folder)


def test_labelled_slices_carry_all_that_was_labelled_on_them() -> None:
    study = make(1)
    canal = per_view.labelled_slices([study], "sagittal_t2")
    assert len(canal) == 1
    assert canal[0].grades.tolist() == [study.grades[0].tolist()]
    foramina = per_view.labelled_slices([study], "sagittal_t1")
    assert [item.index for item in foramina] == [1, 7]  # 12 mm to the right and to the left
    assert foramina[0].grades.tolist() == [[-1] * 5, study.grades[2].tolist()]
    axial = per_view.labelled_slices([study], "axial_t2")
    assert [int((item.grades >= 0).sum()) for item in axial] == [2] * 5


def test_a_flip_exchanges_left_and_right() -> None:
    image = np.zeros((1, 33, 33), np.float32)
    image[0, 16, 4] = 1.0
    grades = np.array([[0] * 5, [2] * 5])
    sides = set()
    for seed in range(20):
        picture, changed = per_view.changed(np.random.default_rng(seed), image, grades)
        sides.add((bool(picture[0].argmax() % 33 > 16), int(changed[0, 0])))
    assert sides == {(False, 0), (True, 2)}


def test_frozen_layers_stay_and_the_others_learn() -> None:
    torch.manual_seed(0)
    network = PerView("test_resnet", conditions=2, outputs=3, frozen=["conv1", "bn1", "layer1"])
    before = {name: value.clone() for name, value in network.state_dict().items()}
    optimizer = torch.optim.Adam([w for w in network.parameters() if w.requires_grad], 0.01)
    network.train()
    network(torch.rand(4, 1, 64, 64)).sum().backward()
    optimizer.step()
    after = network.state_dict()
    same = {name for name in before if torch.equal(before[name], after[name])}
    assert {name for name in before if name.startswith(("backbone.bn1.", "backbone.layer1."))} <= same
    assert not torch.equal(before["head.weight"], after["head.weight"])
    assert {name for name in before if name.startswith("backbone.layer4.")} - same


@pytest.mark.parametrize("binary", [False, True], ids=["three grades", "binary"])
def test_a_method_is_trained_calibrated_and_asked(
    parted: Material, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, binary: bool
) -> None:
    monkeypatch.setattr(methods, "material", lambda *_: parted)
    folder = tmp_path / "run"
    folder.mkdir()
    recipe = {**RECIPE, "binary": binary}
    (folder / "recipe.yaml").write_text(yaml.safe_dump({"recipe": "per-view-resnet18", "settings": recipe}))
    with pytest.raises(RecipeError, match="expected a finished run of per-view"):
        methods.predict(folder, parted.test)
    methods.train("per-view-resnet18", recipe, job(folder), None)
    found = methods.predict(folder, parted.test)
    assert found.shape == (1, 5, 5, 3)
    assert found.sum(axis=-1) == pytest.approx(np.ones((1, 5, 5)))
    tables = (folder / "tables.md").read_text()
    assert tables.count("always normal/mild (no skill)") == 3
    assert "Research use only" in tables
    for view in ("sagittal_t1", "sagittal_t2", "axial_t2"):
        assert (folder / view / "epochs.csv").read_text().count("\n") == 2
        assert (folder / view / "confusion.svg").read_text().startswith("<svg")
    with pytest.raises(RecipeError, match="expected one that makes a pack, got per-view-resnet18"):
        runs.export(folder, tmp_path / "pack")


def test_a_missing_view_has_no_answer_and_is_written_as_the_prior(tmp_path: Path) -> None:
    raw = np.full((1, 5, 5, 3), 1 / 3)
    raw[:, 3:] = np.nan
    settings = {name: {"temperature": 1.0, "bias": [0.0, 0.0, 0.0]} for name in ("canal", "foraminal", "subarticular")}
    found = answers.apply_calibration(raw, settings)
    assert np.isnan(found[:, 3:]).all()
    assert answers.write(["7"], found, tmp_path / "a.csv") == 10
    assert "7_left_subarticular_stenosis_l1_l2,0.845" in (tmp_path / "a.csv").read_text()


def test_the_course_of_a_training_and_a_confusion_matrix_are_drawn() -> None:
    svg = figures.confusion_svg(np.array([[8, 1, 1], [2, 2, 0], [0, 0, 0]]), ("N", "M", "S"), "canal <T2w>")
    assert ">80 %<" in svg
    assert "canal &lt;T2w&gt;" in svg


def test_parts_hold_every_study_once(studies: list[Whole]) -> None:
    found = parts(studies, 3)
    assert sorted(item.name for part in found for item in part) == sorted(item.name for item in studies)
    with pytest.raises(RecipeError, match="expected 2 to 8 folds for as many studies, got 9"):
        parts(studies, 9)


def test_a_part_without_studies_is_refused(studies: list[Whole]) -> None:
    with pytest.raises(RecipeError, match=r"expected some to train, .* got \[1, 0, 1, 1\]"):
        Material(train=(studies[0],), validate=(), calibrate=(studies[0],), test=(studies[0],))
    assert material.LEAST_STUDIES == 8


def test_a_set_is_parted_by_its_folds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [make(number) for number in range(12)]
    monkeypatch.setattr(material.rsna, "read", lambda _: ())
    monkeypatch.setattr(material, "keep_rsna", lambda *_: (kept, []))
    found = material.material(job(tmp_path / "run"), tmp_path)
    assert {item.fold for item in found.train} == {2, 3, 4}
    assert {item.fold for item in found.calibrate} == {item.fold for item in found.validate} == {1}
    assert {item.fold for item in found.test} == {0}


def test_simulated_studies_are_parted_without_overlap(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def simulated(wanted: material.Harvest, *_: object) -> list[Whole]:
        return [make(number, wanted.seed) for number in range(wanted.studies)]

    monkeypatch.setattr(material, "keep_simulated", simulated)
    found = material.material(replace(job(tmp_path / "run"), scale=0.1), None)
    balanced = round(0.1 * material.STUDIES["lumbar-balanced"])
    assert (len(found.train) + len(found.validate), len(found.calibrate), len(found.test)) == (balanced, 4, 4)
    assert not {item.name for item in found.train} & {item.name for item in found.validate}
    assert material.simulated_training(replace(job(tmp_path / "run"), scale=0.1))[0].name == found.train[0].name


@pytest.mark.parametrize("is_set", [True, False])
def test_a_papers_recipe_takes_a_set_or_simulates(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_set: bool
) -> None:
    given: list[Any] = []
    monkeypatch.setattr(runs.rsna, "is_set", lambda _: is_set)
    monkeypatch.setattr(runs.open_images, "find_root", lambda root: root)
    monkeypatch.setattr(runs.methods, "train", lambda *arguments: given.extend(arguments))
    order = runs.Order(recipe="per-view-resnet18", folder=tmp_path / "run", data=tmp_path, changes={"epochs": "3"})
    assert runs.train(order) == tmp_path / "run"
    name, recipe, made, data = given
    assert (name, recipe["epochs"], recipe["seed"], data) == ("per-view-resnet18", 3, 1, tmp_path if is_set else None)
    assert made.data == (None if is_set else tmp_path)
    used = yaml.safe_load((tmp_path / "run" / "recipe.yaml").read_text())
    assert used["data"] == ("RSNA 2024 layout" if is_set else "open real images and simulation")
    assert "points" not in used["settings"]

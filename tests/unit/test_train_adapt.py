from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch

from spinalis.errors import OutputError, PackError, RecipeError
from spinalis.grade.crops import SLOTS
from spinalis.grade.grade import VIEWS_OF
from spinalis.models import load_pack
from spinalis.models.prepare import InputSpec
from spinalis.prevalence import PREVALENCE
from spinalis.train import adapt, fit, grade, operating, runs
from spinalis.train.from_pack import freeze_statistics, load_grader
from spinalis.train.job import Job
from spinalis.train.recalibrate import recalibrate
from spinalis.train.runs import Order
from tests.rsna import write_set
from tests.tiny_grader import export_grader

SMALL = {"steps": "3", "batch": "2", "replay_share": "0.0", "folds": "2"}
NEUTRAL = {name: {"temperature": 1.0, "bias": [0.0, 0.0, 0.0]} for name in VIEWS_OF}


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return export_grader(tmp_path_factory.mktemp("pack") / "grade", 32, {"calibration": NEUTRAL, "level_prior": True})


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Four graded studies of patients."""
    grades = {str(name): [(place + place // 5 + name) % 3 for place in range(25)] for name in range(4)}
    return write_set(tmp_path_factory.mktemp("site"), grades, study_uids="1.2.826.0.1.")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    made = Job.options

    def options(job: Job, recipe: Mapping[str, Any], examples: int) -> fit.FitOptions:
        return replace(made(job, recipe, examples), workers=0, checkpoint_every=1)

    monkeypatch.setattr(Job, "options", options)


def order(pack: Path | None, data: Path | None, folder: Path, **changes: str) -> Order:
    return Order(
        recipe="adapt", folder=folder, data=data, start=pack, changes={**SMALL, **changes}, jobs=1, accelerator="cpu"
    )


def test_a_network_is_read_back_from_its_pack(pack: Path) -> None:
    network = load_grader(load_pack(pack))
    assert network.widths == (4, 6)
    crops, mask = np.random.default_rng(8).random((5, len(SLOTS), 1, 32, 32), np.float32), np.ones((5, len(SLOTS)))
    mask[2, :4] = 0.0
    expected = load_pack(pack).run(crops=crops, mask=mask.astype(np.float32))
    for name, found in zip(VIEWS_OF, network(torch.from_numpy(crops), torch.from_numpy(mask).float()), strict=False):
        assert found.detach().numpy() == pytest.approx(expected[name], abs=1e-4)
    assert not any(m.training for m in freeze_statistics(network).modules() if isinstance(m, torch.nn.BatchNorm2d))
    assert network.training


def test_a_pack_of_other_weights_is_refused(pack: Path) -> None:
    found = load_pack(pack)
    other = load_pack(Path(adapt.__file__).parent.parent / "packs" / "triage")
    with pytest.raises(PackError, match="expected the weights of the grader of this version"):
        load_grader(replace(other, manifest=found.manifest))


def test_a_network_that_answers_otherwise_is_refused(pack: Path, tmp_path: Path) -> None:
    model = onnx.load(pack / "model.onnx")
    moved = next(item for item in model.graph.initializer if item.name.endswith("head.canal.1.bias"))
    moved.CopyFrom(onnx.numpy_helper.from_array(onnx.numpy_helper.to_array(moved) + 1.0, moved.name))
    (tmp_path / "model.onnx").write_bytes(model.SerializeToString())
    found = load_pack(pack)
    assert found.run(crops=np.zeros((2, len(SLOTS), 1, 32, 32), np.float32), mask=np.ones((2, len(SLOTS)), np.float32))
    object.__setattr__(found, "folder", tmp_path)  # its session holds the model as it was
    with pytest.raises(PackError, match="expected its network to answer as it does"):
        load_grader(found)


def test_a_pack_is_adapted_judged_by_networks_that_left_out_and_says_so(pack: Path, data: Path, tmp_path: Path) -> None:
    run = runs.train(order(pack, data, tmp_path / "run"))
    found = runs.open_run(run)
    before = load_pack(pack)
    assert found.text.training_data[:2] == [
        f"adapted from pack grade {before.info.version} (SHA-256 {before.info.sha256[:12]}), trained on:",
        "nothing",
    ]
    assert found.text.settings["operating_points"]["by"] == operating.KNOWN
    assert "exclusion" not in found.text.settings
    assert [score.on for score in found.text.scores] == ["real"] * 3
    assert "4 studies (4 patients in RSNA 2024 layout), each judged by a network that had not seen it" in (
        found.text.scores[0].figures
    )
    assert sorted(item.name for item in run.glob("fold-*")) == ["fold-0", "fold-1"]
    weights = [network.state_dict() for network in (load_grader(before), found.network.network)]
    moved = {name for name, value in weights[0].items() if not torch.equal(value, weights[1][name])}
    assert "head.canal.1.weight" in moved
    assert not any("running" in name for name in moved)


def test_a_killed_adaptation_ends_as_one_that_was_not(
    pack: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = runs.train(order(pack, data, tmp_path / "whole"))
    loss, calls = grade.loss, []

    def kills(*given: Any) -> torch.Tensor:
        calls.append(1)
        if len(calls) == 5:  # in the second fold
            raise KeyboardInterrupt
        return loss(*given)

    monkeypatch.setattr(grade, "loss", kills)
    with pytest.raises(KeyboardInterrupt):
        runs.train(order(pack, data, tmp_path / "cut"))
    cut = runs.train(order(pack, data, tmp_path / "cut"))
    assert (cut / "pack.json").read_text() == (whole / "pack.json").read_text()
    first, second = (torch.load(run / "network.pt", weights_only=True) for run in (whole, cut))
    assert all(torch.equal(first[name], second[name]) for name in first)


def test_a_strong_anchor_holds_the_weights(pack: Path) -> None:
    network = load_grader(load_pack(pack))
    loss = adapt.Anchored(network, 10.0)
    batch = {
        "crops": torch.rand(2, len(SLOTS), 1, 32, 32),
        "mask": torch.ones(2, len(SLOTS)),
        "grades": torch.zeros(2, 3, dtype=torch.int64),
    }
    assert float(loss(network, batch).detach()) == pytest.approx(float(grade.loss(network, batch).detach()), abs=1e-6)
    with torch.no_grad():
        network.slot += 0.1
    more = float(loss(network, batch).detach()) - float(grade.loss(network, batch).detach())
    assert more == pytest.approx(10.0 * 0.01 * network.slot.numel(), rel=1e-3)


def test_replayed_bags_take_their_share() -> None:
    draw = adapt.mixed(lambda _: {"own": np.ones(1)}, lambda _: {"replay": np.ones(1)}, 0.3)
    drawn = [next(iter(draw(np.random.default_rng((1, number))))) for number in range(2000)]
    assert drawn.count("replay") / len(drawn) == pytest.approx(0.3, abs=0.04)


def test_studies_fall_evenly_into_folds_whatever_their_order() -> None:
    names = [str(number) for number in range(10)]
    part = adapt.fold_of(names, 3)
    assert sorted(np.bincount(part)) == [3, 3, 4]
    assert adapt.fold_of(names[::-1], 3).tolist() == part[::-1].tolist()


@pytest.mark.parametrize(
    ("given", "changes", "message"),
    [
        ((False, True), {}, "got no pack. Give --from"),
        ((True, False), {}, "got no such set. Give --from"),
        ((True, True), {"folds": "9"}, "expected 2 to 4 folds, as there are 4 studies, got 9"),
    ],
    ids=["no pack", "no data", "too many folds"],
)
def test_an_adaptation_that_cannot_be_is_refused(
    pack: Path, data: Path, tmp_path: Path, given: tuple[bool, bool], changes: dict[str, str], message: str
) -> None:
    with pytest.raises(RecipeError, match=message):
        runs.train(order(pack if given[0] else None, data if given[1] else None, tmp_path / "run", **changes))


def test_a_pack_is_calibrated_on_studies_without_enough_grades(pack: Path, data: Path, tmp_path: Path) -> None:
    made = load_pack(recalibrate(pack, data, tmp_path / "new" / "grade", jobs=1))
    assert made.info.sha256 == load_pack(pack).info.sha256
    assert made.manifest.setting("operating_points")["by"] == operating.KNOWN
    assert made.manifest.scores == load_pack(pack).manifest.scores
    assert "calibrated on 4 patients in RSNA 2024 layout. Operating points were set by the known" in made.card
    with pytest.raises(OutputError, match="expected a new folder or that of a pack"):
        recalibrate(pack, data, tmp_path / "new", jobs=1)


def test_a_pack_is_calibrated_on_the_grades_of_enough_studies(
    pack: Path, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(adapt, "FEWEST_TO_CALIBRATE", 4)
    made = load_pack(recalibrate(pack, data, tmp_path / "grade", jobs=1))
    assert made.manifest.setting("operating_points")["by"] == "readers' grades of 4 studies"
    assert made.manifest.setting("exclusion")["canal"]["sensitivity"] == list(operating.SENSITIVITIES)
    assert [score.on for score in made.manifest.scores] == ["real"] * 3
    assert np.asarray(made.manifest.setting("calibration")["canal"]["level_bias"]).shape == (
        len(PREVALENCE["canal"]),
        3,
    )
    assert made.manifest.input("crops") == InputSpec(height=32, width=32, spacing_mm=1.6)

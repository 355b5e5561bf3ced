from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spinalis.errors import PackError
from spinalis.grade.crops import SLOTS
from spinalis.grade.grade import VIEWS_OF, slots_of
from spinalis.localize.decode import CHANNELS
from spinalis.models.prepare import InputSpec
from spinalis.train import export, triage
from spinalis.train.augment import Spread, draw_matrix
from spinalis.train.levels import target
from spinalis.train.networks.bag_grader import BagGrader, GraderExport
from spinalis.train.networks.level_unet import LevelExport, LevelUNet
from spinalis.train.networks.triage_trunk import TriageTrunk


def test_level_maps_are_probabilities_over_places_and_absence() -> None:
    network = LevelUNet(inputs=1).eval()
    images = torch.rand(2, 1, 64, 128)
    logs = network.log_probabilities(images)
    assert logs.shape == (2, len(CHANNELS), 32 * 64 + 1)
    assert logs.exp().sum(dim=2).detach().numpy() == pytest.approx(1.0, abs=1e-4)
    maps = LevelExport(network)(images)
    assert maps.shape == (2, len(CHANNELS), 32, 64)


def test_targets_sum_to_one_and_unseen_levels_are_absent() -> None:
    points = np.tile([[33.0, 20.0]], (8, 1))
    points[1] = (500.0, 20.0)
    seen = np.ones(8, bool)
    seen[0] = False
    rows = target(points, seen, InputSpec(height=64, width=64))
    assert rows.sum(axis=1) == pytest.approx(1.0, abs=1e-5)
    assert rows[:2, -1].tolist() == [1.0, 1.0]
    row, column = np.unravel_index(int(rows[2, :-1].argmax()), (32, 32))
    assert (2 * column + 0.5, 2 * row + 0.5) == pytest.approx((33.0, 20.0), abs=1.0)


def test_masked_crops_do_not_change_an_answer() -> None:
    network = BagGrader(widths=(4, 8)).eval()
    crops, mask = torch.rand(3, len(SLOTS), 1, 64, 64), torch.ones(3, len(SLOTS))
    mask[:, 2] = 0.0
    other = crops.clone()
    other[:, 2] = 9.0
    for first, second in zip(network(crops, mask), network(other, mask), strict=True):
        assert torch.allclose(first, second)


def test_attention_stays_on_the_views_of_the_output() -> None:
    network = BagGrader(widths=(4, 8)).eval()
    answers = network(torch.rand(2, len(SLOTS), 1, 64, 64), torch.ones(2, len(SLOTS)))
    for name, attention in zip(VIEWS_OF, answers[len(VIEWS_OF) :], strict=True):
        assert attention.sum(dim=1).detach().numpy() == pytest.approx(1.0, abs=1e-3)
        assert attention[:, slots_of(name)].sum(dim=1).detach().numpy() == pytest.approx(1.0, abs=1e-3)


def test_activation_maps_add_up_to_the_logits() -> None:
    torch.manual_seed(3)
    network = BagGrader(widths=(4, 8)).eval()
    with torch.no_grad():
        network.slot.normal_()
    mask = torch.ones(2, len(SLOTS))
    mask[0, 3] = 0.0
    answers = GraderExport(network).eval()(torch.rand(2, len(SLOTS), 1, 64, 64), mask)
    for place, name in enumerate(VIEWS_OF):
        logits, attention, shares = (answers[place + kind * len(VIEWS_OF)] for kind in range(3))
        layer = network.classifier(name)
        elsewhere = attention @ network.slot @ layer.weight.T + layer.bias
        assert torch.allclose(shares.sum(dim=(2, 3, 4)) + elsewhere, logits, atol=1e-5)
        assert shares.abs().sum() > 0
        assert not shares[0, :, 3].any()


def test_triage_loss_ignores_unknown_labels() -> None:
    network = TriageTrunk(triage.CLASSES).eval()
    images = torch.rand(2, 1, 64, 64)
    unknown = torch.full((2, 5), triage.UNKNOWN)
    assert float(triage.loss(network, {"images": images, "labels": unknown})) == 0.0
    known = torch.tensor([[0, 1, 2, 3, 1], [1, -1, -1, -1, -1]])
    assert float(triage.loss(network, {"images": images, "labels": known}).detach()) > 0.0


@pytest.mark.filterwarnings("ignore")
def test_onnx_answers_like_torch_at_another_batch_size(tmp_path: Path) -> None:
    network = GraderExport(BagGrader(widths=(4, 8))).eval()
    file = tmp_path / "p" / "model.onnx"
    outputs = [f"{name}{kind}" for kind in ("", "_attention", "_map") for name in VIEWS_OF]
    example = {"crops": torch.rand(4, len(SLOTS), 1, 64, 64), "mask": torch.ones(4, len(SLOTS))}
    export.export_onnx(network, example, outputs, file)
    bigger = {"crops": torch.rand(10, len(SLOTS), 1, 64, 64), "mask": (torch.rand(10, len(SLOTS)) > 0.3).float()}
    assert export.golden_difference(network, bigger, file) < export.GOLDEN_TOLERANCE


@pytest.mark.filterwarnings("ignore")
def test_an_export_that_answers_otherwise_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "GOLDEN_TOLERANCE", -1.0)
    with pytest.raises(PackError, match="torch and ONNX Runtime within"):
        export.export_onnx(torch.nn.Linear(3, 2).eval(), {"x": torch.rand(2, 3)}, ["y"], tmp_path / "p" / "model.onnx")


def test_a_cropped_picture_is_larger_and_a_mirrored_one_is_turned_round() -> None:
    spec = InputSpec(height=64, width=64)
    still = Spread(rotation_deg=0, shift=0, scale=0, aspect=0)

    def drawn(spread: Spread) -> np.ndarray:
        return np.stack([draw_matrix(np.random.default_rng(n), np.eye(2, 3), spec, spread) for n in range(40)])

    assert drawn(still) == pytest.approx(np.tile(np.eye(2, 3), (40, 1, 1)))
    cropped = drawn(replace(still, cropped=0.5))[:, 0, 0]
    assert 0.2 < np.mean(cropped > 1.0) < 0.8
    assert cropped[cropped > 1.0].min() >= np.exp(0.2)
    mirrored = drawn(replace(still, mirrored=0.5))
    assert set(mirrored[:, 0, 0].round(6)) == {-1.0, 1.0}
    assert mirrored @ [31.5, 31.5, 1.0] == pytest.approx(31.5), "about the middle"


def test_settled_batch_norms_hold_the_mean_statistics_of_their_batches() -> None:
    network = nn.Sequential(nn.BatchNorm2d(1), nn.Dropout())

    def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
        return {"images": rng.normal(3.0, 2.0, (1, 8, 8)).astype(np.float32)}

    triage.settle(network, draw, 4)
    norm = network[0]
    assert float(norm.running_mean) == pytest.approx(3.0, abs=0.1)
    assert float(norm.running_var) == pytest.approx(4.0, abs=0.2)
    assert (norm.training, network[1].training, norm.momentum) == (False, True, 0.1)
    before = norm.running_mean.clone()
    network(torch.full((2, 1, 8, 8), 50.0))
    assert torch.equal(norm.running_mean, before)

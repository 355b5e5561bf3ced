import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from spinalis.errors import RecipeError
from spinalis.train.fit import Draws, FitOptions, fit

OPTIONS = FitOptions(steps=12, batch=4, learning_rate=0.05, workers=0, checkpoint_every=6, accelerator="cpu", seed=3)


def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
    x = rng.normal(size=3).astype(np.float32)
    return {"x": x, "y": np.array([x @ [1.0, -2.0, 0.5]], np.float32)}


def loss(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    return ((network(batch["x"]) - batch["y"]) ** 2).mean()


def fresh() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def test_training_learns(tmp_path: Path) -> None:
    network = fit(fresh(), draw, loss, replace(OPTIONS, steps=150, learning_rate=0.2), tmp_path)
    assert network.weight.detach().numpy()[0] == pytest.approx([1.0, -2.0, 0.5], abs=0.05)
    header, *rows = [line.split(",") for line in (tmp_path / "metrics.csv").read_text().splitlines()]
    assert header == ["step", "loss", "learning_rate"]
    assert [int(row[0]) for row in rows] == [25, 50, 75, 100, 125, 150]
    losses, rates = [float(row[1]) for row in rows], [float(row[2]) for row in rows]
    assert losses[-1] < losses[0] / 10
    assert rates == sorted(rates, reverse=True)


class KilledError(Exception):
    """Stands for the kill."""


def with_dropout() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.5), nn.Linear(8, 1))


@pytest.mark.parametrize("network", [fresh, with_dropout])
def test_a_killed_run_resumes_to_the_same_weights(network: Callable[[], nn.Module], tmp_path: Path) -> None:
    whole = fit(network(), draw, loss, OPTIONS, tmp_path / "whole")
    calls = 0

    def fails(trained: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        nonlocal calls
        calls += 1
        if calls == 9:
            raise KilledError
        return loss(trained, batch)

    with pytest.raises(KilledError):
        fit(network(), draw, fails, OPTIONS, tmp_path / "cut")
    resumed = fit(network(), draw, loss, OPTIONS, tmp_path / "cut")
    for first, second in zip(whole.parameters(), resumed.parameters(), strict=True):
        assert torch.equal(first, second)


def test_a_checkpoint_of_another_run_is_refused(tmp_path: Path) -> None:
    fit(fresh(), draw, loss, replace(OPTIONS, origin="old data"), tmp_path)
    with pytest.raises(RecipeError, match="expected a checkpoint of the same recipe and data"):
        fit(fresh(), draw, loss, replace(OPTIONS, origin="new data"), tmp_path)


SHARED = """
import sys
from dataclasses import replace
from pathlib import Path
from tests.unit.test_train_fit import OPTIONS, draw, fresh, loss
from spinalis.train.fit import fit
fit(fresh(), draw, loss, replace(OPTIONS, processes=2), Path(sys.argv[1]))
"""


def test_two_processes_train_as_one_does(tmp_path: Path) -> None:
    # In a process of their own, as autograd does not survive a fork.
    subprocess.run(
        [sys.executable, "-c", SHARED, tmp_path / "two"], cwd=Path(__file__).parents[2], check=True, timeout=300
    )
    one = fit(fresh(), draw, loss, OPTIONS, tmp_path / "one")
    two = fit(fresh(), draw, loss, OPTIONS, tmp_path / "two")  # loads what the two have left
    for before, first, second in zip(fresh().parameters(), one.parameters(), two.parameters(), strict=True):
        assert second.detach().numpy() == pytest.approx(first.detach().numpy(), abs=1e-6)
        assert not torch.equal(before, second)


def test_a_batch_that_processes_cannot_share_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match="batch that 3 processes can share, got 4"):
        fit(fresh(), draw, loss, replace(OPTIONS, processes=3), tmp_path)


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_workers_run_after_opencv_has_used_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinalis.train.fit.WORKER_TIMEOUT_S", 30)
    cv2.setNumThreads(2)
    cv2.resize(np.zeros((3000, 3000), np.float32), (1500, 1500), interpolation=cv2.INTER_AREA)

    def resizing(rng: np.random.Generator) -> dict[str, np.ndarray]:
        cv2.resize(np.zeros((800, 800), np.float32), (300, 300), interpolation=cv2.INTER_AREA)
        return draw(rng)

    fit(fresh(), resizing, loss, replace(OPTIONS, workers=1), tmp_path)
    assert (tmp_path / "last.ckpt").exists()


def test_samples_depend_on_their_number_alone() -> None:
    first, second = Draws(draw, 1, 10), Draws(draw, 1, 10)
    assert second[7]["x"] == pytest.approx(first[7]["x"])
    assert first[6]["x"] != pytest.approx(first[7]["x"])
    assert Draws(draw, 2, 10)[7]["x"] != pytest.approx(first[7]["x"])

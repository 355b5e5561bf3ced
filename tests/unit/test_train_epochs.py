from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from spinalis.errors import RecipeError
from spinalis.train.epochs import EpochOptions, Examples, best_epoch, fit_epochs

VALUES = np.linspace(-1.0, 1.0, 24, dtype=np.float32)


def pick(number: int, rng: np.random.Generator | None) -> dict[str, np.ndarray]:
    noise = 0.0 if rng is None else rng.normal(0.0, 0.05)
    return {"x": np.array([VALUES[number] + noise], np.float32), "y": np.array(int(VALUES[number] > 0))}


def judge(network: nn.Module, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, int, int]:
    logits = network(batch["x"])
    right = int((logits.argmax(dim=1) == batch["y"]).sum())
    return nn.functional.cross_entropy(logits, batch["y"]), right, len(logits)


EXAMPLES = Examples(pick=pick, train=tuple(range(0, 24, 2)), validate=tuple(range(1, 24, 2)))


def options(**changes: object) -> EpochOptions:
    settings = {"epochs": 6, "batch": 4, "learning_rate": 0.1, "patience": 3, "workers": 0, "accelerator": "cpu"}
    return EpochOptions(**{**settings, **changes})


def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Linear(1, 2)


def test_training_gets_better_and_keeps_its_best_weights(tmp_path: Path) -> None:
    network = net()
    done = fit_epochs(network, EXAMPLES, judge, options(), tmp_path)
    assert done[-1].loss < done[0].loss
    assert not network.training
    value, right, count = judge(
        network, {k: torch.from_numpy(np.stack([pick(i, None)[k] for i in EXAMPLES.validate])) for k in "xy"}
    )
    best = best_epoch(done, "loss")
    assert float(value.detach()) == pytest.approx(best.loss, abs=1e-5)
    assert right / count == pytest.approx(best.accuracy)


def test_training_stops_when_validation_gets_no_better(tmp_path: Path) -> None:
    done = fit_epochs(net(), EXAMPLES, judge, options(epochs=30, learning_rate=0.0), tmp_path)
    assert len(done) == 1 + 3
    assert len((tmp_path / "epochs.csv").read_text().splitlines()) == 1 + len(done)


def test_the_learning_rate_falls_on_a_plateau(tmp_path: Path) -> None:
    def never_better(network: nn.Module, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, int, int]:
        value, right, count = judge(network, batch)
        return 0 * value + 1, right, count

    done = fit_epochs(net(), EXAMPLES, never_better, options(epochs=5, patience=9), tmp_path)
    assert [item.learning_rate for item in done] == [0.1, 0.1, 0.1, 0.05, 0.05]


def test_a_run_cut_short_goes_on_as_if_it_had_not_been(tmp_path: Path) -> None:
    whole, parted = net(), net()
    expected = fit_epochs(whole, EXAMPLES, judge, options(epochs=4), tmp_path / "whole")

    calls = iter(range(100))

    def dying(network: nn.Module, batch: dict[str, torch.Tensor]) -> tuple[torch.Tensor, int, int]:
        if next(calls) == 14:  # in the third epoch of three training and three validation batches
            raise KeyboardInterrupt
        return judge(network, batch)

    with pytest.raises(KeyboardInterrupt):
        fit_epochs(parted, EXAMPLES, dying, options(epochs=4), tmp_path / "parted")
    again = net()
    assert fit_epochs(again, EXAMPLES, judge, options(epochs=4), tmp_path / "parted") == expected
    assert all(torch.equal(a, b) for a, b in zip(again.state_dict().values(), whole.state_dict().values(), strict=True))


def test_another_run_and_too_few_examples_are_refused(tmp_path: Path) -> None:
    fit_epochs(net(), EXAMPLES, judge, options(epochs=1), tmp_path / "run")
    with pytest.raises(RecipeError, match="expected a checkpoint of the same recipe"):
        fit_epochs(net(), EXAMPLES, judge, options(epochs=1, seed=2), tmp_path / "run")
    with pytest.raises(RecipeError, match="expected examples to train and to validate on, got 12 and 0"):
        fit_epochs(net(), Examples(pick=pick, train=EXAMPLES.train, validate=()), judge, options(), tmp_path / "none")
    with pytest.raises(RecipeError, match="expected monitor as loss or accuracy, got f1"):
        options(monitor="f1")

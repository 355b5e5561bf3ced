"""Real recipes: two processes train as one does, and a killed run ends as one that was not."""

import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from spinalis.grade.crops import SLOTS
from spinalis.localize.decode import CHANNELS
from spinalis.train import grade, levels
from spinalis.train.data.bags import UNLABELLED
from spinalis.train.fit import FitOptions

OPTIONS = FitOptions(steps=8, batch=4, learning_rate=0.001, workers=0, checkpoint_every=2, accelerator="cpu", seed=3)
EXACT = replace(OPTIONS, precision="64-true")
"""In doubles sums in another order do not show. For the network's answers, too, the default type must be so."""

NAMES = ("grade", "levels")


def train(name: str, options: FitOptions, folder: Path) -> nn.Module:
    """Train the network of a recipe as it ships, but a small one, on random pictures."""
    rng = np.random.default_rng(5)
    steps = {"steps": options.steps, "batch": options.batch, "learning_rate": options.learning_rate}
    if name == "grade":
        bags = grade.Bags(
            crops=rng.integers(0, 255, (24, len(SLOTS), 1, 16, 16), np.uint8),
            mask=(rng.random((24, len(SLOTS))) < 0.7).astype(np.float32),
            grades=rng.choice([UNLABELLED, 0, 1, 2], (24, 3)).astype(np.int8),
            levels=np.zeros(24, np.int8),
            studies=np.arange(24),
        )
        return grade.train(bags, {**steps, "widths": [4, 6]}, options, folder)
    examples = [
        levels.Example(
            image=rng.integers(0, 255, (64, 64), np.uint8),
            points=rng.uniform(5, 60, (len(CHANNELS), 2)),
            seen=rng.random(len(CHANNELS)) < 0.8,
            known=rng.random(len(CHANNELS)) < 0.8,
        )
        for _ in range(6)
    ]
    return levels.train((examples[:3], examples[3:]), {**steps, "size": 64, "real_share": 0.6}, options, folder)


def run(code: str, *given: Any) -> subprocess.CompletedProcess[bytes]:
    """In a process of its own, as autograd does not survive a fork and a kill takes all of it."""
    start = f"import sys\nfrom pathlib import Path\nfrom tests.unit import test_train_sharing as here\n{code}"
    return subprocess.run(
        [sys.executable, "-W", "ignore", "-c", start, *map(str, given)],
        cwd=Path(__file__).parents[2],
        check=False,
        timeout=300,
        capture_output=True,
    )


SHARED = """
from dataclasses import replace
import torch
from spinalis.train import fit
torch.set_default_dtype(torch.float64)
options = replace(here.EXACT, processes=2)
for name in here.NAMES:
    here.train(name, options, Path(sys.argv[1]) / name)
fit.share = lambda network: None
here.train("grade", options, Path(sys.argv[1]) / "apart")
"""


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shared")
    done = run(SHARED, folder)
    assert done.returncode == 0, done.stderr.decode()
    return folder


def furthest(first: Path, second: Path) -> float:
    """The largest difference of two networks' weights and statistics, relative to the largest value of each tensor."""
    one, two = (torch.load(folder / "last.ckpt", weights_only=True)["network"] for folder in (first, second))
    return max(float((two[key] - one[key]).abs().max() / one[key].abs().max().clamp(min=1e-3)) for key in one)


@pytest.mark.parametrize("name", NAMES)
def test_two_processes_train_a_real_network_as_one_does(
    name: str, shared: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    request.addfinalizer(lambda: torch.set_default_dtype(torch.float32))
    torch.set_default_dtype(torch.float64)
    train(name, EXACT, tmp_path)
    assert furthest(tmp_path, shared / name) < 1e-6
    if name == "grade":  # with batch norms and dropout of their own, processes end elsewhere
        assert furthest(tmp_path, shared / "apart") > 1e-2


KILLED = """
import os, signal
from spinalis.train import fit
step, calls = fit._step, []
def kills(*given):
    calls.append(1)
    if len(calls) == 6:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(*given)
fit._step = kills
here.train(sys.argv[1], here.OPTIONS, Path(sys.argv[2]))
"""


@pytest.mark.parametrize("name", NAMES)
def test_a_real_run_that_was_killed_resumes_to_the_same_weights(name: str, tmp_path: Path) -> None:
    assert run(KILLED, name, tmp_path / "cut").returncode == -signal.SIGKILL
    assert torch.load(tmp_path / "cut" / "last.ckpt", weights_only=True)["step"] == 4  # of 8; two more were lost
    whole, resumed = (train(name, OPTIONS, tmp_path / folder) for folder in ("whole", "cut"))
    weights = resumed.state_dict()
    assert all(torch.equal(value, weights[key]) for key, value in whole.state_dict().items())

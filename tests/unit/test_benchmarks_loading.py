import importlib
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from spinalis.train.job import Job

ROOT = Path(__file__).parents[2]


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("loading")


def one_weight(loading: ModuleType) -> Any:
    """Training of one linear layer, four samples a batch."""
    return loading.Training(
        draw=lambda _: {"images": np.ones(2, np.float32)},
        network=torch.nn.Linear(2, 1),
        loss=lambda net, batch: net(batch["images"]).sum(),
        batch=4,
    )


def test_the_table_says_how_many_workers_keep_a_device_busy(loading: ModuleType) -> None:
    made = loading.table({"grade": [(0.002, 0.016), (0.002, 0.008), (0.001, 0.008)]})
    row = dict(zip(made.columns, made.rows[0], strict=True))
    assert row["samples/s a worker"] == "500"
    assert row["samples/s a core"] == "125"
    assert row["one worker feeds so many cores"] == "8.0 (4.0 to 8.0)"
    assert [row[f"workers for a device of {cores} cores"] for cores in (10, 100)] == ["2", "13"]


def test_only_the_workers_are_timed_and_every_sample_is_drawn(
    loading: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "BATCHES", 3)
    clock = iter([2.0, 2.6])
    monkeypatch.setattr(loading, "workers_s", lambda: next(clock))
    assert loading.prepared_s(one_weight(loading), 1) == pytest.approx(0.6 / 12)


def test_the_first_step_is_not_timed(loading: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    steps, clock = [], iter([10.0, 10.8])
    monkeypatch.setattr(loading, "_step", lambda *_: steps.append(next(seen)))
    seen = iter(range(100))
    monkeypatch.setattr(loading.time, "process_time", lambda: (steps.append("read"), next(clock))[1])
    assert loading.learnt_s(one_weight(loading)) == pytest.approx(0.8 / (2 * 4))
    assert steps == [0, "read", 1, 2, "read"]


def test_the_time_of_ended_workers_rises(loading: ModuleType) -> None:
    before = loading.workers_s()
    subprocess.run([sys.executable, "-c", "sum(range(100_000))"], check=True)
    assert loading.workers_s() > before


@pytest.mark.parametrize(("jobs", "workers"), [(1, 1), (2, 1), (16, 15)])
def test_all_jobs_but_the_training_one_prepare_samples(tmp_path: Path, jobs: int, workers: int) -> None:
    job = Job(data=None, runs=tmp_path, out=tmp_path, jobs=jobs)
    assert job.options(job.recipe("grade"), 1).workers == workers

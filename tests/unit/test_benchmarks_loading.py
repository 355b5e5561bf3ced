import importlib
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch

from spinalis.train.packs import Job

ROOT = Path(__file__).parents[2]


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    return importlib.import_module("loading")


def test_the_table_says_how_many_workers_keep_a_device_busy(loading: ModuleType) -> None:
    made = loading.table({"grade": [(0.002, 0.016), (0.002, 0.008), (0.001, 0.008)]})
    row = dict(zip(made.columns, made.rows[0], strict=True))
    assert row["samples/s a worker"] == "500"
    assert row["samples/s a core"] == "125"
    assert row["one worker feeds so many cores"] == "8.0 (4.0 to 8.0)"
    assert [row[f"workers for a device of {cores} cores"] for cores in (10, 100)] == ["2", "13"]


def test_a_sample_that_takes_long_to_prepare_is_seen_to(loading: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "BATCHES", 1)

    def draw_after(rounds: int) -> loading.Draw:
        def draw(rng: np.random.Generator) -> dict[str, np.ndarray]:
            for _ in range(rounds):
                np.sort(rng.random(100_000))
            return {"images": np.ones(2, np.float32)}

        return draw

    network = torch.nn.Linear(2, 1)
    slow, quick = (
        loading.Training(
            draw=draw_after(rounds), network=network, loss=lambda net, batch: net(batch["images"]).sum(), batch=4
        )
        for rounds in (20, 0)
    )
    assert loading.prepared_s(slow, 1) > 2 * loading.prepared_s(quick, 1)
    assert 0 < loading.learnt_s(quick) < loading.prepared_s(slow, 1)


@pytest.mark.parametrize(("jobs", "workers"), [(1, 1), (2, 1), (16, 15)])
def test_all_jobs_but_the_training_one_prepare_samples(tmp_path: Path, jobs: int, workers: int) -> None:
    job = Job(data=None, runs=tmp_path, out=tmp_path, jobs=jobs)
    assert job.options(job.recipe("grade"), 1).workers == workers

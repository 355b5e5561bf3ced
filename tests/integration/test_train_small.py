"""All packs, trained in a few steps on a handful of simulated studies, then read with."""

from pathlib import Path

import pytest

from spinalis.models import load_packs
from spinalis.pipeline import read_study
from spinalis.simulate.study import simulate_study
from spinalis.train.job import Job
from spinalis.train.packs import MAKERS

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def test_packs_are_trained_exported_judged_and_can_read(tmp_path: Path) -> None:
    job = Job(data=None, runs=tmp_path / "runs", out=tmp_path / "packs", jobs=2, scale=0.001, accelerator="cpu")
    for make in MAKERS.values():
        make(job)
    packs = load_packs(job.out)
    assert {pack.info.task for pack in packs} == {"triage", "localize", "grade"}
    for pack in packs:
        assert "Research use only" in pack.card
        assert all(score.on == "simulation" for score in pack.manifest.scores)
    graded = next(pack for pack in packs if pack.info.task == "grade")
    assert "2 simulated studies" in graded.manifest.score("canal").figures
    reading = read_study(simulate_study(99, 0, "lumbar").study, packs)
    assert len(reading.findings) == 25

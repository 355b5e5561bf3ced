import sys
from pathlib import Path
from types import ModuleType

import pytest

from spinalis.train import journal
from spinalis.train.journal import Journal


def lines(folder: Path) -> list[str]:
    return (folder / "metrics.csv").read_text().splitlines()


def test_a_resumed_run_keeps_its_lines_up_to_the_checkpoint(tmp_path: Path) -> None:
    with Journal(tmp_path, 0) as first:
        for step in (25, 50, 75):
            first.write(step, 1 / step, 0.001)
    with (tmp_path / "metrics.csv").open("a") as file:
        file.write("100,0.0")  # cut by a kill
    with Journal(tmp_path, 50) as resumed:
        resumed.write(75, 0.5, 0.0005)
    assert lines(tmp_path) == ["step,loss,learning_rate", "25,0.04000,0.001", "50,0.02000,0.001", "75,0.50000,0.0005"]


def test_a_new_run_starts_an_empty_journal(tmp_path: Path) -> None:
    (tmp_path / "metrics.csv").write_text("step,loss,learning_rate\n25,1.0,0.1\n")
    with Journal(tmp_path, 0):
        pass
    assert lines(tmp_path) == ["step,loss,learning_rate"]


def test_lines_are_there_before_the_run_ends(tmp_path: Path) -> None:
    with Journal(tmp_path, 0) as running:
        running.write(25, 1.0, 0.1)
        assert len(lines(tmp_path)) == 2


def test_tensorboard_gets_the_same_where_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []

    class SummaryWriter:
        def __init__(self, folder: str, purge_step: int) -> None:
            told.append((folder, purge_step))

        def add_scalar(self, name: str, value: float, step: int) -> None:
            told.append((name, value, step))

        def close(self) -> None:
            told.append("closed")

    board = ModuleType("torch.utils.tensorboard")
    board.SummaryWriter = SummaryWriter  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", board)
    monkeypatch.setattr(journal, "find_spec", lambda name: name)
    with Journal(tmp_path, 50) as running:
        running.write(75, 1.0, 0.1)
    assert told == [(str(tmp_path), 51), ("loss", 1.0, 75), ("learning_rate", 0.1, 75), "closed"]

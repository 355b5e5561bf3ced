"""The journal of a run: loss and learning rate over the steps, as CSV, and for TensorBoard where that is installed."""

import csv
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

FILE = "metrics.csv"
COLUMNS = ("step", "loss", "learning_rate")
"""`loss` is the mean over the steps since the line before; the learning rate is that of the last of them."""


class Journal:
    """Writes a line at a time, flushed, so that a killed run keeps what it had; a resumed one drops what came later.

    Args:
        folder: takes `metrics.csv`, and files of events for TensorBoard.
        done: the steps that are kept.
    """

    def __init__(self, folder: Path, done: int) -> None:
        file = folder / FILE
        kept = [row for row in _rows(file) if int(row[0]) <= done] if done else []
        with file.open("w", newline="") as lines:
            csv.writer(lines).writerows([COLUMNS, *kept])
        self._lines = file.open("a", newline="")
        self._table = csv.writer(self._lines)
        self._board = _board(folder, done)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._lines.close()
        if self._board is not None:
            self._board.close()

    def write(self, step: int, loss: float, learning_rate: float) -> None:
        """Add a line."""
        self._table.writerow([step, f"{loss:.5f}", f"{learning_rate:.3g}"])
        self._lines.flush()
        if self._board is not None:
            self._board.add_scalar("loss", loss, step)
            self._board.add_scalar("learning_rate", learning_rate, step)


def _rows(file: Path) -> list[list[str]]:
    """The lines below the header; one that a kill left in half is not among them."""
    if not file.exists():
        return []
    with file.open(newline="") as lines:
        return [row for row in list(csv.reader(lines))[1:] if len(row) == len(COLUMNS)]


def _board(folder: Path, done: int) -> "SummaryWriter | None":
    if find_spec("tensorboard") is None:
        return None
    from torch.utils.tensorboard import SummaryWriter  # noqa: PLC0415  only where it is installed

    return SummaryWriter(str(folder), purge_step=done + 1)

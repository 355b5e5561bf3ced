"""What papers 3 and 4 print: the course of training, curves, confusion matrices; with the row they lack, no skill."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinalis.evaluate import metrics
from spinalis.evaluate.metrics import Share
from spinalis.evaluate.tables import Table, number, percent
from spinalis.formats.atomic import write_bytes
from spinalis.records import FloatArray
from spinalis.train.data.bags import UNLABELLED
from spinalis.train.epochs import Epoch, best_epoch
from spinalis.train.papers.figures import confusion_svg, curves_svg
from spinalis.vocabulary import SEVERITIES

TABLES = "tables.md"
_SEVERE = len(SEVERITIES) - 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Result:
    """One view: its epochs, and `grades` (N,) with `answers` (N, 3) on labelled slices that were not trained on."""

    view: str
    epochs: Sequence[Epoch]
    monitor: str
    grades: NDArray[np.int64]
    answers: FloatArray

    @property
    def cases(self) -> tuple[NDArray[np.int64], FloatArray]:
        """Grades and answers of the labelled cases."""
        known = self.grades != UNLABELLED
        return self.grades[known], self.answers[known]


def write(results: Sequence[Result], folder: Path) -> None:
    """Write `tables.md`, and into each view's folder `curves.svg` and `confusion.svg`."""
    text = "\n".join(table.to_markdown() for table in (course_table(results), test_table(results)))
    write_bytes(folder / TABLES, f"{text}\nResearch use only; not a medical device.\n".encode())
    for item in results:
        grades, answers = item.cases
        confusion = metrics.confusion_matrix(grades, answers.argmax(axis=1), len(SEVERITIES))
        title = item.view.replace("_", " ")
        write_bytes(folder / item.view / "curves.svg", curves_svg(item.epochs, title).encode())
        write_bytes(folder / item.view / "confusion.svg", confusion_svg(confusion, SEVERITIES, title).encode())


def course_table(results: Sequence[Result]) -> Table:
    """How training went, in the columns of paper 4."""
    rows = []
    for item in results:
        best = max(item.epochs, key=lambda epoch: epoch.accuracy)
        kept = best_epoch(list(item.epochs), item.monitor)
        last = item.epochs[-1]
        rows.append(
            (
                item.view,
                str(len(item.epochs)),
                number(last.train_loss, 4),
                f"{100 * last.train_accuracy:.2f} %",
                f"{100 * best.accuracy:.2f} %",
                number(kept.loss, 4),
                str(best.epoch),
                str(kept.epoch),
            )
        )
    columns = ("train loss", "train accuracy", "best validation accuracy", "validation loss", "best at", "kept")
    return Table(title="Training", columns=("view", "epochs", *columns), rows=tuple(rows))


def test_table(results: Sequence[Result]) -> Table:
    """Labelled slices of studies that were not trained on, each view beside the answer that is always the same."""
    rows = []
    for item in results:
        grades, answers = item.cases
        constant = np.zeros_like(answers)
        constant[:, 0] = 1.0
        rows += [(item.view, *_cells(grades, answers)), ("always normal/mild (no skill)", *_cells(grades, constant))]
    shares = ("precision N/M/S", "recall N/M/S", "F1 N/M/S")
    columns = ("n (N/M/S)", "accuracy", *shares, "balanced accuracy", "AUC severe", "kappa")
    return Table(
        title="Test slices",
        columns=("view", *columns),
        rows=tuple(rows),
        notes=(
            "A case is one condition at one level on the slice that the readers labelled; 95 % Wilson intervals, which "
            "take the cases of one study for independent and are too narrow.",
        ),
    )


def _cells(grades: NDArray[np.int64], answers: FloatArray) -> tuple[str, ...]:
    confusion = metrics.confusion_matrix(grades, answers.argmax(axis=1), len(SEVERITIES))
    by_class = (metrics.precision_per_class, metrics.recall_per_class, metrics.f1_per_class)
    return (
        f"{len(grades)} ({'/'.join(str(int(count)) for count in confusion.sum(axis=1))})",
        percent(Share(count=int(np.trace(confusion)), total=len(grades))),
        *("/".join(number(float(value), 2) for value in measure(confusion)) for measure in by_class),
        number(metrics.balanced_accuracy(confusion), 2),
        number(metrics.roc_auc(grades == _SEVERE, answers[:, _SEVERE])),
        number(metrics.quadratic_weighted_kappa(confusion), 2),
    )

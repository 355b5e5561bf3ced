"""The page of a comparison: scores, paired differences, grades, time; every table with its no-skill rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from spinalis.evaluate import rsna, rsna_figures, rsna_tables
from spinalis.evaluate.metrics import IntArray, Share
from spinalis.evaluate.tables import Table, number, percent
from spinalis.records import FloatArray
from spinalis.train.papers import stage1_errors
from spinalis.vocabulary import CONDITIONS

VIEW_OF = {"foraminal": "sagittal T1w", "subarticular": "axial T2w", "canal": "sagittal T2w"}

PRINTED: Mapping[str, tuple[float, float, float]] = {
    "paper 3 as printed, validation": (77.91, 71.51, 86.62),
    "paper 4 as printed, EfficientNetV2-S, test": (76.90, 71.51, 86.36),
    "paper 4 as printed, ResNet-18, test": (76.81, 70.93, 87.63),
    "always normal/mild (no skill), training labels of the set": (78.0, 71.4, 87.8),
}
"""In the order of `VIEW_OF`. Source: papers 3 and 4; RSNA 2024 training labels, aggregate counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Circumstances:
    """What stands beside the figures.

    `notes` says for each method its `seconds` per study, and how many of its `places` were `filled` with the prior;
    `about` are sentences on how it was made; `stage1` is the run whose Table 2 is printed.
    """

    notes: Mapping[str, Mapping[str, float]]
    about: tuple[str, ...]
    stage1: Path | None = None


def page(truth: IntArray, given: Mapping[str, FloatArray], beside: Circumstances, repeats: int = 1000) -> str:
    """Set out a comparison as Markdown.

    Args:
        truth: (S, 5, 5), 0..2 or `rsna.MISSING`.
        given: name of a method -> (S, 5, 5, 3), tuned for the score.
        beside: what is said beside the figures.
        repeats: draws of the bootstrap.
    """
    found = {name: rsna_figures.figures(truth, answers, repeats) for name, answers in given.items()}
    made = [rsna_tables.score_table(found)]
    if len(given) > 1:
        pairs = {
            (first, second): rsna_figures.difference(truth, given[first], given[second], repeats)
            for second, first in combinations(given, 2)
        }
        made.append(rsna_tables.differences_table(pairs))
    made += [rsna_tables.compared_table(found), accuracy_table(truth, given), time_table(beside.notes)]
    if beside.stage1 is not None:
        made.append(stage1_errors.table_2(stage1_errors.read(beside.stage1)))
    lines = [
        "# Comparison",
        "",
        "Made by `python -m spinalis.train.compare`. Research use only; not a medical device.",
        "",
        *(f"- {line}" for line in beside.about),
        "- Every method is calibrated on studies that it was not trained on, and weighted for the score.",
        "",
    ]
    return "\n".join([*lines, *(table.to_markdown() for table in made)])


def accuracy_table(truth: IntArray, given: Mapping[str, FloatArray]) -> Table:
    """Accuracy by view, the figure that papers 3 and 4 print, beside the answer that is always the same."""
    constant = np.zeros((*truth.shape, 3))
    constant[..., 0] = 1.0
    answers = {
        **{name: rsna.unweighted(item) for name, item in given.items()},
        "always normal/mild (no skill)": constant,
    }
    rows = [(name, *(_accuracy(truth, item, group) for group in VIEW_OF)) for name, item in answers.items()]
    return Table(
        title="Accuracy by view",
        columns=("answers", *(f"{view}: {group}" for group, view in VIEW_OF.items())),
        rows=(*rows, *((name, *(f"{value:.2f} %" for value in values)) for name, values in PRINTED.items())),
        notes=(
            "Weights taken out first, a case is called what its largest number says. 95 % Wilson intervals, too "
            "narrow: the cases of one study are not independent.",
            "The last rows are other cases: patients of the RSNA 2024 set.",
        ),
    )


def _accuracy(truth: IntArray, answers: FloatArray, group: str) -> str:
    rows = [CONDITIONS.index(condition) for condition in dict(rsna.GROUPS)[group]]
    known = np.asarray(truth[:, rows] != rsna.MISSING)
    right = answers[:, rows][known].argmax(axis=-1) == truth[:, rows][known]
    return percent(Share(count=int(right.sum()), total=int(known.sum())))


def time_table(notes: Mapping[str, Mapping[str, float]]) -> Table:
    """Seconds per study, and how often a method had no answer."""
    rows = tuple(
        (
            name,
            number(note["seconds"], 2),
            percent(Share(count=int(note["filled"]), total=int(note["places"]))),
        )
        for name, note in notes.items()
    )
    return Table(
        title="Time, and places without an answer",
        columns=("answers", "seconds per study", "places filled with the prior"),
        rows=rows,
        notes=("From files to probabilities, on the machine that made this page; training apart.",),
    )

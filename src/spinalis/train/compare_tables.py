"""The page of a comparison: scores, paired differences, grades, time; every table with its no-skill rows."""

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from spinalis.evaluate import rsna_figures, rsna_tables
from spinalis.evaluate.metrics import IntArray, Share
from spinalis.evaluate.tables import Table, number, percent
from spinalis.records import FloatArray
from spinalis.train.papers import stage1_errors


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
    made += [rsna_tables.compared_table(found), time_table(beside.notes)]
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

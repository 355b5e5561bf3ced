"""How well series are told apart by their type, and whether one classifier is really better than another."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import comb

import numpy as np
from numpy.typing import NDArray

from spinalis.evaluate.metrics import (
    BoolArray,
    IntArray,
    Interval,
    Share,
    accuracy,
    bootstrap_interval,
    confusion_matrix,
    f1_per_class,
    majority_class,
    precision_per_class,
)
from spinalis.evaluate.tables import UNDEFINED, Table, number, percent

NO_SKILL = "no skill (most frequent type)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Classified:
    """Accuracy and macro F1 of `total` series of `studies` studies; intervals by bootstrap over studies."""

    accuracy: float | None
    f1: float | None
    accuracy_interval: Interval | None
    f1_interval: Interval | None
    total: int
    studies: int


@dataclass(frozen=True, slots=True, kw_only=True)
class McNemar:
    """Cases that only one of two classifiers has right, and how likely such a split is by chance."""

    only_first: int
    only_second: int
    p: float


def mcnemar(first: BoolArray, second: BoolArray) -> McNemar:
    """The exact test, two-sided; 1 where the two are never right alone.

    Args:
        first: (N,), is the first classifier right?
        second: (N,), is the second?

    Raises:
        ValueError: the lengths differ.

    Source:
        McNemar Q. Psychometrika 1947;12:153-157, with the binomial distribution in place of its approximation.
    """
    if first.shape != second.shape:
        raise ValueError(
            f"McNemar: expected answers to the same cases, got {first.size} and {second.size}. Judge both on one set."
        )
    one, other = int((first & ~second).sum()), int((second & ~first).sum())
    discordant, fewer = one + other, min(one, other)
    tail = sum(comb(discordant, k) for k in range(fewer + 1))
    return McNemar(only_first=one, only_second=other, p=min(1.0, float(2 * tail / 2**discordant)))


def classify(
    truth: IntArray, predicted: IntArray, studies: NDArray[np.str_], classes: int, repeats: int = 1000
) -> Classified:
    """Accuracy and macro F1.

    Args:
        truth: (N,), 0..classes-1.
        predicted: (N,), 0..classes-1.
        studies: (N,), whole studies are drawn for the intervals.
        classes: number of types; F1 is averaged over those that are in the truth.
        repeats: draws of the bootstrap.
    """

    def right(rows: IntArray) -> float | None:
        return accuracy(confusion_matrix(truth[rows], predicted[rows], classes))

    def macro(rows: IntArray) -> float | None:
        return macro_f1(confusion_matrix(truth[rows], predicted[rows], classes))

    everything = np.arange(len(truth))
    return Classified(
        accuracy=right(everything),
        f1=macro(everything),
        accuracy_interval=bootstrap_interval(right, studies, repeats=repeats),
        f1_interval=bootstrap_interval(macro, studies, repeats=repeats),
        total=len(truth),
        studies=len(np.unique(studies)),
    )


def macro_f1(confusion: IntArray) -> float | None:
    """Mean F1 over the types that are in the truth; None without cases. Rows of `confusion` (K, K) are the truth."""
    present = confusion.sum(axis=1) > 0
    return float(f1_per_class(confusion)[present].mean()) if present.any() else None


def table(  # noqa: PLR0913
    title: str,
    truth: IntArray,
    studies: NDArray[np.str_],
    answers: Mapping[str, IntArray],
    *,
    classes: int,
    paper: Mapping[str, tuple[str, str]],
    notes: tuple[str, ...] = (),
    repeats: int = 1000,
) -> Table:
    """Classifiers of one test set beside one another, the first the one that the others are tested against.

    Args:
        title: of the table.
        truth: (N,).
        studies: (N,).
        answers: name -> (N,).
        classes: number of types.
        paper: name -> accuracy and F1 that the paper printed, where it did.
        notes: further lines below.
        repeats: draws of the bootstrap.
    """
    first = next(iter(answers))
    rows = []
    for name, given in answers.items():
        found = classify(truth, given, studies, classes, repeats)
        rows.append((name, *_figures(found), _test(truth, answers[first], given) if name != first else UNDEFINED))
    constant = majority_class(truth, classes)
    floor = np.full(len(truth), 0 if constant is None else constant, np.int64)
    lowest = classify(truth, floor, studies, classes, repeats)
    rows.append((NO_SKILL, *_figures(lowest), _test(truth, answers[first], floor)))
    printed = [paper.get(name, (UNDEFINED, UNDEFINED)) for name in (*answers, NO_SKILL)]
    return Table(
        title=title,
        columns=(
            "answers",
            "accuracy (95 %)",
            "macro F1 (95 %)",
            f"McNemar against {first}",
            "accuracy, paper",
            "F1, paper",
        ),
        rows=tuple((*row, *cells) for row, cells in zip(rows, printed, strict=True)),
        notes=(
            f"{lowest.total} series of {lowest.studies} studies; intervals by bootstrap over studies. McNemar: exact, "
            "two-sided; series right only with the one, only with the other. It takes series as independent.",
            *notes,
        ),
    )


def per_type(title: str, truth: IntArray, predicted: IntArray, types: Sequence[str]) -> Table:
    """Recall with its interval, precision and F1 of every type that is in the truth or was answered.

    Args:
        title: of the table.
        truth: (N,), index of the type.
        predicted: (N,), index of the type.
        types: their names.
    """
    counts = confusion_matrix(truth, predicted, len(types))
    precision, f1 = precision_per_class(counts), f1_per_class(counts)
    constant = majority_class(truth, len(types))
    rows = []
    for place, name in enumerate(types):
        true = int(counts[place].sum())
        if true or counts[:, place].sum():
            recall = percent(Share(count=int(counts[place, place]), total=true))
            floor = number(float(place == constant), 0) if true else UNDEFINED
            rows.append((name, str(true), recall, number(precision[place]), number(f1[place]), floor))
    return Table(
        title=title,
        columns=("type", "n", "recall", "precision", "F1", "recall, no skill (most frequent type)"),
        rows=tuple(rows),
        notes=("95 % Wilson intervals; series of one study are alike, so they are too narrow.",),
    )


def _figures(found: Classified) -> tuple[str, str]:
    return _cell(found.accuracy, found.accuracy_interval), _cell(found.f1, found.f1_interval)


def _cell(value: float | None, interval: Interval | None) -> str:
    return number(value) + (f" ({interval[0]:.3f}–{interval[1]:.3f})" if value is not None and interval else "")


def _test(truth: IntArray, first: IntArray, second: IntArray) -> str:
    found = mcnemar(first == truth, second == truth)
    shown = "p < 0.001" if found.p < 0.001 else f"p {found.p:.3f}"
    return f"{shown} ({found.only_first} : {found.only_second})"

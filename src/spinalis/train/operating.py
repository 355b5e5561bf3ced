"""Fit what turns a grader's logits into answers: probabilities, operating points, and what can be excluded."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import RecipeError
from spinalis.grade.grade import VIEWS_OF
from spinalis.grade.operating import calibrated
from spinalis.prevalence import PREVALENCE
from spinalis.records import FloatArray
from spinalis.train.grade import Bags, calibrate

SENSITIVITIES = (0.8, 0.9, 0.95, 0.98)
"""Shares of the cases of each grade that keep their grade; a user chooses among them."""

SHARE_ROUNDS = 100
"""Steps that match the mean probabilities to known shares; each at least halves what is left."""

KNOWN = "known prevalence of grades per condition and level (RSNA 2024 training labels, aggregate)"

Logits = Mapping[str, FloatArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Cases:
    """Labelled cases of one output: logits (N, 3), grades (N,) in 0..2, levels (N,), index into `LEVELS`."""

    logits: FloatArray
    grades: NDArray[np.int64]
    levels: NDArray[np.int64]


def labelled(output: str, logits: Logits, bags: Bags) -> Cases:
    """The labelled cases of one output that show what it looks at; maybe none."""
    usable = bags.usable(output)
    return Cases(
        logits=logits[output][usable],
        grades=bags.grades[usable, list(VIEWS_OF).index(output)].astype(np.int64),
        levels=bags.levels[usable].astype(np.int64),
    )


def evidence(logits: Logits, bags: Bags) -> dict[str, Cases]:
    """The labelled cases of every output.

    Raises:
        RecipeError: an output has none.
    """
    found = {name: labelled(name, logits, bags) for name in VIEWS_OF}
    for name, cases in found.items():
        if not len(cases.grades):
            raise RecipeError(
                f"Calibration of {name}: expected labelled bags among those kept for it, got none. Take more studies."
            )
    return found


def level_bias(output: str) -> FloatArray:
    """(5, 3): log of each grade's share at a level, over its share at all levels."""
    shares = np.asarray(PREVALENCE[output])
    return np.asarray(np.log(shares) - np.log(shares.mean(axis=0)))


def settings(found: Mapping[str, Cases], *, level_prior: bool, by: str) -> dict[str, Any]:
    """The settings of a pack, fitted on labelled cases.

    Args:
        found: see `evidence`.
        level_prior: add the level prior.
        by: how the operating points are set, for the card: the calling shares are the cases' own, or, for `KNOWN`,
            those of the RSNA 2024 set at every level.
    """
    made: dict[str, Any] = {"level_prior": level_prior, "calibration": {}, "exclusion": {}}
    points: dict[str, Any] = {"by": by}
    for name, cases in found.items():
        prior = level_bias(name)
        offset = prior[cases.levels] if level_prior else None
        fitted = calibrate(cases.logits, cases.grades, offset) | {"level_bias": prior.round(4).tolist()}
        made["calibration"][name] = fitted
        answers = calibrated(cases.logits, fitted, cases.levels if level_prior else None)
        shares = np.asarray(PREVALENCE[name]) if by == KNOWN else _shares(cases)
        points[name] = thresholds(answers, cases.levels, shares)
        made["exclusion"][name] = exclusion(answers, cases.grades)
    return made | {"operating_points": points}


def matched(
    before: Mapping[str, Any], logits: Logits, levels: NDArray[np.int64], shown: Mapping[str, NDArray[np.bool_]]
) -> dict[str, Any]:
    """A pack's settings moved to studies without grades, by the known prevalence at each level.

    The ranking of the cases is theirs; biases move until the mean probabilities are the known shares, and the operating
    points until as many are called. Its thresholds for exclusion fall away: without grades nothing is measured.

    Args:
        before: the pack's settings.
        logits: (N, 3) for every output.
        levels: (N,).
        shown: (N,) for every output: is there anything to look at?
    """
    made = {"level_prior": False} | {key: value for key, value in before.items() if key != "exclusion"}
    made["calibration"] = dict(before["calibration"])
    points: dict[str, Any] = {"by": KNOWN}
    prior = bool(made["level_prior"])
    for name in VIEWS_OF:
        own, where = logits[name][shown[name]], levels[shown[name]]
        if not len(own):
            raise RecipeError(f"Calibration of {name}: expected bags that show it, got none. Take other studies.")
        fitted = {"level_bias": level_bias(name).round(4).tolist()} | dict(before["calibration"][name])
        shares = np.asarray(PREVALENCE[name])
        bias = np.asarray(fitted["bias"], float)
        for _ in range(SHARE_ROUNDS):
            answers = calibrated(own, fitted | {"bias": bias}, where if prior else None)
            bias = bias + np.log(shares[where].mean(axis=0) / answers.mean(axis=0))
        bias -= bias.mean()
        fitted["bias"] = bias.round(4).tolist()
        made["calibration"][name] = fitted
        points[name] = thresholds(calibrated(own, fitted, where if prior else None), where, shares)
    return made | {"operating_points": points}


def thresholds(answers: FloatArray, levels: NDArray[np.int64], shares: FloatArray) -> dict[str, list[float]]:
    """Operating points that call each level's grades as often as they are.

    Args:
        answers: (N, 3) probabilities.
        levels: (N,).
        shares: (5, 3), how often each grade is at each level.

    Returns:
        `abnormal` and `severe`, five thresholds each; a level without a case takes those of all levels.
    """
    found: dict[str, list[float]] = {"abnormal": [], "severe": []}
    for level, (normal, _, severe) in enumerate(shares):
        own = answers[levels == level] if (levels == level).any() else answers
        found["abnormal"].append(round(float(np.quantile(1 - own[:, 0], normal)), 4))
        found["severe"].append(round(float(np.quantile(own[:, 2], 1 - severe)), 4))
    return found


def exclusion(answers: FloatArray, grades: NDArray[np.int64]) -> dict[str, Any]:
    """Per sensitivity and grade, the probability below which the grade is excluded.

    With n cases of a grade, at least the wanted share of further such cases lies above the threshold, if they are of
    the same kind; 0, nothing is ever excluded, where n is too small for that.
    """
    rows, counts = [], [int((grades == grade).sum()) for grade in range(3)]
    for wanted in SENSITIVITIES:
        row = []
        for grade, count in enumerate(counts):
            rank = int(np.floor((count + 1) * (1 - wanted) + 1e-9))
            own = np.sort(answers[grades == grade, grade])
            row.append(float(np.floor(own[rank - 1] * 1e4) / 1e4) if rank else 0.0)
        rows.append(row)
    return {"sensitivity": list(SENSITIVITIES), "least": rows, "cases": counts}


def _shares(cases: Cases) -> FloatArray:
    """(5, 3) shares of the cases' own grades per level, drawn to those of all levels by one case's weight."""
    pooled = np.bincount(cases.grades, minlength=3) / len(cases.grades)
    counts = [np.bincount(cases.grades[cases.levels == level], minlength=3) for level in range(5)]
    return np.array([(count + pooled) / (count.sum() + 1) for count in counts])


def describe(found: Mapping[str, Cases], by: str) -> str:
    """What the card says of how the operating points were set."""
    counts = ", ".join(f"{len(cases.grades)} {name}" for name, cases in found.items())
    return f"Operating points were set by the {by}, on cases that were not trained on ({counts})."

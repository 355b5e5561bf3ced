"""Tables of levels judged out of fold on real slices, and of what the flag for a doubtful junction is worth."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from spinalis.evaluate import levels as measures
from spinalis.evaluate.metrics import Share, roc_auc
from spinalis.evaluate.tables import Table, number, percent
from spinalis.localize.levels import TRANSITIONAL
from spinalis.records import FloatArray
from spinalis.train.judge_real import RealLevels, levels_table
from spinalis.vocabulary import Sequence as Contrast

CONTRASTS = (Contrast.T2W, Contrast.T1W)
FLAGGED = (0.0, 0.02, 0.05, 0.1, 0.15, 0.2, 0.3)
"""Shares of the slices that are set aside, the most doubtful first."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Answer:
    """One slice and what was found on it by a network that had not seen its patient.

    `truth`, `guess` (the mean position of the other folds) and `found` are (5, 2), pixels; `found` is NaN without a
    chain. `junction` is what speaks for another lumbosacral disc, `confidence` the mean over the levels, both 0..1.
    """

    patient: str
    sequence: Contrast
    fold: int
    truth: FloatArray = field(repr=False)
    guess: FloatArray = field(repr=False)
    found: FloatArray = field(repr=False)
    junction: float
    confidence: float


def tables(answers: Sequence[Answer]) -> list[Table]:
    """Levels, the flag as shipped, the flag at other thresholds, and the slices named wrongly."""
    parts = {contrast: [item for item in answers if item.sequence is contrast] for contrast in CONTRASTS}
    found = [_levels(contrast, part) for contrast, part in parts.items()]
    return [
        levels_table(found, f"Levels on real patients: SPIDER, out of fold, {_patients(answers)} patients"),
        _flag_table(parts),
        _aside_table(parts),
        _wrong_table([item for part in parts.values() for item in part]),
    ]


def right(answers: Sequence[Answer]) -> NDArray[np.bool_]:
    """(n,): does every point name the right disc?"""
    return np.asarray((np.abs(_relative(answers)) < measures.RIGHT_WITHIN).all(axis=1))


def _relative(answers: Sequence[Answer]) -> FloatArray:
    """(n, 5) errors along the spine in parts of the pitch; NaN where nothing was found."""
    truth = np.stack([item.truth for item in answers])
    errors = measures.errors_along_spine(np.stack([item.found for item in answers]), truth)
    return np.asarray(errors / measures.pitch(truth))


def _patients(answers: Sequence[Answer]) -> int:
    return len({item.patient for item in answers})


def _levels(contrast: Contrast, part: Sequence[Answer]) -> RealLevels:
    truth = np.stack([item.truth for item in part])
    return RealLevels(
        sequence=contrast,
        found=measures.judge(np.stack([item.found for item in part]), truth),
        no_skill=measures.judge(np.stack([item.guess for item in part]), truth),
    )


def _share(hits: NDArray[np.bool_]) -> str:
    return percent(Share(count=int(hits.sum()), total=len(hits)))


def _flag_table(parts: dict[Contrast, list[Answer]]) -> Table:
    rows = []
    for contrast, part in parts.items():
        good, flagged = right(part), np.array([item.junction > TRANSITIONAL for item in part])
        scores = np.array([item.junction for item in part])
        rows.append(
            (
                contrast.value,
                _share(flagged),
                _share(good[flagged]),
                _share(good[~flagged]),
                _share(good),
                number(roc_auc(~good, scores), 2),
            )
        )
    return Table(
        title="The flag for a transitional junction, at the threshold that ships",
        columns=("slices", "flagged", "right, of the flagged", "right, of the others", "right, of all", "AUC"),
        rows=tuple(rows),
        notes=(
            f"Flagged above {TRANSITIONAL}. Slices flagged at random would leave the others as right as all. AUC: how "
            "well the score parts slices with a level named wrongly from the others; .5 is no skill. 95 % Wilson "
            "intervals.",
        ),
    )


def _aside_table(parts: dict[Contrast, list[Answer]]) -> Table:
    """What is right among the slices that are left when the most doubtful ones are set aside."""
    rows = []
    for share in FLAGGED:
        cells = []
        for part in parts.values():
            good, aside = right(part), round(share * len(part))
            doubt = np.array([item.junction for item in part])
            by_junction = np.argsort(-doubt, kind="stable")
            by_confidence = np.argsort([item.confidence for item in part], kind="stable")
            threshold = number(float(doubt[by_junction[aside - 1]])) if aside else number(None)
            cells += [threshold, _share(good[by_junction[aside:]]), _share(good[by_confidence[aside:]])]
        rows.append((f"{100 * share:.0f} %", *cells))
    columns = [
        f"{contrast.value}, {what}"
        for contrast in parts
        for what in ("score of the last set aside", "right, of the others", "the same by confidence")
    ]
    return Table(
        title="All five levels right, with the most doubtful slices set aside",
        columns=("set aside", *columns),
        rows=tuple(rows),
        notes=(
            "Set aside by the score of the flag, highest first, and beside it by the mean confidence of the levels, "
            "lowest first. Setting slices aside at random leaves the first row.",
        ),
    )


def _wrong_table(answers: Sequence[Answer]) -> Table:
    good = right(answers)
    rows = [
        (
            item.patient,
            item.sequence.value,
            str(item.fold),
            *(number(float(error), 2) for error in errors),
            number(item.junction),
            number(item.confidence, 2),
        )
        for item, errors, fine in zip(answers, _relative(answers), good, strict=True)
        if not fine
    ]
    return Table(
        title="Slices with a level named wrongly",
        columns=("patient", "contrast", "fold", "L1/L2", "L2/L3", "L3/L4", "L4/L5", "L5/S1", "flag", "confidence"),
        rows=tuple(rows),
        notes=("Errors along the spine in parts of the pitch, to the feet; 1 is one level off.",),
    )

"""What the papers' methods are trained, calibrated and tested on: the same kept studies for all."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from spinalis.errors import RecipeError
from spinalis.train.data import rsna
from spinalis.train.data.simulated import Harvest
from spinalis.train.data.whole import Whole
from spinalis.train.data.whole_studies import keep_rsna, keep_simulated
from spinalis.train.grade_rsna import CALIBRATION_FOLD, JUDGED_FOLD
from spinalis.train.job import CALIBRATION_SEED, CALIBRATION_STUDIES, STUDIES, TRAINING_SEED, Job

VALIDATION_FOLD = 1
"""Simulated training studies of this fold stop the training early."""

LEAST_STUDIES = 8
"""However small the scale: among so many, no part is empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Kept studies, no study in two parts; calibration and test have natural prevalences, and so has an RSNA set."""

    train: tuple[Whole, ...]
    validate: tuple[Whole, ...]
    calibrate: tuple[Whole, ...]
    test: tuple[Whole, ...]

    def __post_init__(self) -> None:
        """Refuse a part without studies."""
        counts = [len(part) for part in (self.train, self.validate, self.calibrate, self.test)]
        if not all(counts):
            raise RecipeError(
                f"Studies: expected some to train, validate, calibrate and test on, got {counts}. Take more studies."
            )


def material(job: Job, data: Path | None) -> Material:
    """Keep and part the studies.

    Args:
        job: where they are kept, and how many are simulated.
        data: a set in RSNA 2024 layout; None simulates.

    Raises:
        RecipeError: a part is empty, or `data` holds no set.
    """
    cache = job.runs / "cache"
    if data is None:
        balanced, natural = (
            keep_simulated(_wanted(profile, seed, counts[profile], job.scale), cache, job.jobs)
            for profile, seed, counts in (
                ("lumbar-balanced", TRAINING_SEED, STUDIES),
                ("lumbar", CALIBRATION_SEED, CALIBRATION_STUDIES),
            )
        )
        return Material(
            train=tuple(item for item in balanced if item.fold != VALIDATION_FOLD),
            validate=tuple(item for item in balanced if item.fold == VALIDATION_FOLD),
            calibrate=tuple(natural[::2]),
            test=tuple(natural[1::2]),
        )
    kept, _ = keep_rsna(rsna.read(data), cache, job.jobs)
    unseen = tuple(item for item in kept if item.fold == CALIBRATION_FOLD)
    return Material(
        train=tuple(item for item in kept if item.fold not in (CALIBRATION_FOLD, JUDGED_FOLD)),
        validate=unseen,
        calibrate=unseen,
        test=tuple(item for item in kept if item.fold == JUDGED_FOLD),
    )


def simulated_training(job: Job) -> list[Whole]:
    """The simulated studies of training, without those that stop it early."""
    wanted = _wanted("lumbar-balanced", TRAINING_SEED, STUDIES["lumbar-balanced"], job.scale)
    kept = keep_simulated(wanted, job.runs / "cache", job.jobs)
    return [item for item in kept if item.fold != VALIDATION_FOLD]


def parts(studies: Sequence[Whole], folds: int) -> list[list[Whole]]:
    """Studies dealt into `folds` parts of about equal size, for cross-validation.

    Raises:
        RecipeError: fewer than two folds, or fewer studies than folds.
    """
    if not 2 <= folds <= len(studies):
        raise RecipeError(
            f"Recipe: expected 2 to {len(studies)} folds for as many studies, got {folds}. Correct --set folds."
        )
    return [list(studies[number::folds]) for number in range(folds)]


def _wanted(profile: str, seed: int, count: int, scale: float) -> Harvest:
    return Harvest(profile=profile, seed=seed, studies=max(LEAST_STUDIES, round(count * scale)))

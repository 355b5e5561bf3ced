"""A simulated site of another look and another reader, for want of a graded real set that may be passed on.

Its bodies and scanners are those of `simulate`, from a seed of its own. What training never shows is what the site
makes of the pictures (`other_look`) and how it grades them (`READER_NOISE`). Both were set by looking at pictures,
before any figure was seen.
"""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from spinalis.models.prepare import InputSpec, normalize
from spinalis.records import Image
from spinalis.simulate.study import simulate_study
from spinalis.train.data.bags import CROP_QUANTUM, cut_bags
from spinalis.train.data.simulated import fingerprint, truth_labels

SITE_SEED = 5050
"""Used for nothing else."""

READER_NOISE = 0.3
"""Standard deviation that the site's reader adds to a score; a grade is one unit wide. An assumption."""

COARSER = 2
"""The site's pixels are so many times as long and as wide. An assumption."""

NOISE = 0.04
"""Noise of the scanner in its own pixels, as a share of a crop's bright signal. An assumption.

Training adds at most as much to pixels of half the size, which is half as much when they are averaged.
"""

BURNT, GAMMA = 0.75, 0.6
"""Above this share of the bright signal all is white, fat and CSF alike; below, mid-tones are lifted by this exponent.

Training changes the exponent between 0.78 and 1.28 and burns nothing out. An assumption.
"""


def keep_studies(folder: Path, crops: InputSpec, count: int, jobs: int) -> list[Path]:
    """Simulate the site's studies and keep their bags; what is already there is not made again.

    Returns:
        One `.npz` per study: `bag_*` in the ordinary look with the exact grades, see `bags.cut_bags`, and
        `read_grades`, in the same form, those of the site's reader.
    """
    target = folder / f"site-{SITE_SEED}-{READER_NOISE}-{fingerprint(crops)}"
    target.mkdir(parents=True, exist_ok=True)
    files = [target / f"{number:05d}.npz" for number in range(count)]
    missing = [(number, file, crops) for number, file in enumerate(files) if not file.exists()]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(_keep, missing):
            pass
    return files


def identity(crops: InputSpec) -> tuple[object, ...]:
    """All that shapes the site."""
    return SITE_SEED, READER_NOISE, COARSER, NOISE, BURNT, GAMMA, crops, fingerprint(crops)


def read_grades(files: Sequence[Path]) -> NDArray[np.int8]:
    """(n, 3), the grades of the site's reader, bag by bag of all studies."""
    parts = []
    for file in files:
        with np.load(file) as arrays:
            parts.append(arrays["read_grades"])
    return np.concatenate(parts)


def other_look(crops: NDArray[np.uint8], mask: NDArray[np.float32], spec: InputSpec) -> NDArray[np.uint8]:
    """Crops as the site would show them, (n, slots, 1, H, W) bytes in and out; places without a crop stay empty.

    The same crops give the same answer.
    """
    made = np.zeros_like(crops)
    for bag, slot in np.argwhere(mask > 0):
        rng = np.random.default_rng((SITE_SEED, int(bag), int(slot)))
        shown = normalize(_shown(crops[bag, slot, 0] / np.float32(CROP_QUANTUM), rng), spec)
        made[bag, slot] = np.clip(shown * CROP_QUANTUM, 0, 255).astype(np.uint8)
    return made


def _shown(crop: Image, rng: np.random.Generator) -> Image:
    """One crop, (H, W): scanned coarsely, with Rician noise, and shown in a hard window."""
    rows, columns = crop.shape
    coarse = cv2.resize(crop, (columns // COARSER, rows // COARSER), interpolation=cv2.INTER_AREA)
    real, imaginary = rng.normal(0.0, NOISE, (2, *coarse.shape))
    noisy = np.hypot(coarse + real, imaginary)
    window = (np.minimum(noisy, BURNT) / BURNT) ** GAMMA
    return np.asarray(cv2.resize(window, (columns, rows), interpolation=cv2.INTER_LINEAR), np.float32)


def _keep(job: tuple[int, Path, InputSpec]) -> None:
    number, file, crops = job
    simulated = simulate_study(SITE_SEED, number, "lumbar", reader_noise=READER_NOISE)
    truth, labels = simulated.truth, truth_labels(simulated)
    read = {place: judgement.read for place, judgement in truth.judgements.items()}
    exact, noisy = (
        cut_bags(simulated.study, labels, truth.levels, grades, crops, np.random.default_rng((SITE_SEED, number)))
        for grades in (truth.grades, read)
    )
    partial = file.with_suffix(".part.npz")
    arrays: dict[str, Any] = {**exact, "read_grades": noisy["bag_grades"]}
    np.savez(partial, **arrays)
    partial.replace(file)

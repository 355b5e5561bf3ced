"""From a model's logits to what is said: probabilities, the grade that is called, the grades not excluded.

What a pack says of itself for each output, all fitted on studies that it was not trained on:

| setting | holds |
| --- | --- |
| `calibration` | temperature and a bias per grade; `level_bias` (5, 3), the level prior as log-ratios |
| `level_prior` | whether the level prior is added; false takes the pictures alone |
| `operating_points` | per level, from which probability "moderate or worse" and "severe" are called; `by` whom |
| `exclusion` | per sensitivity and grade the probability below which the grade is excluded |
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import PackError
from spinalis.models.pack import Manifest
from spinalis.records import FloatArray
from spinalis.vocabulary import SEVERITIES, Severity


def calibrated(
    logits: FloatArray, settings: Mapping[str, Any], levels: NDArray[np.integer] | None = None
) -> FloatArray:
    """Logits to probabilities.

    Args:
        logits: (N, 3).
        settings: `temperature`, `bias`, and with `levels` also `level_bias` (5, 3).
        levels: (N,), index into `LEVELS`: adds the level prior. None leaves it out.

    Returns:
        (N, 3), rows sum to 1.
    """
    scaled = logits / float(settings["temperature"]) + np.asarray(settings["bias"], float)
    if levels is not None:
        scaled = scaled + np.asarray(settings["level_bias"], float)[levels]
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    return np.asarray(np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True), float)


def has_level_prior(manifest: Manifest) -> bool:
    """Does a pack add the level prior? A pack that does not say so was made without."""
    return bool(manifest.settings.get("level_prior", False))


def called(probabilities: FloatArray, level: int, manifest: Manifest, output: str) -> Severity:
    """The grade that is called: by the pack's operating points, or the likeliest where it has none.

    Args:
        probabilities: (3,).
        level: index into `LEVELS`.
        manifest: of the `grade` pack.
        output: `canal`, `foraminal` or `subarticular`.
    """
    points = manifest.settings.get("operating_points")
    if points is None:
        return SEVERITIES[int(probabilities.argmax())]
    return SEVERITIES[int(call(probabilities[None], np.array([level]), points[output])[0])]


def call(probabilities: FloatArray, levels: NDArray[np.integer], points: Mapping[str, Any]) -> NDArray[np.int64]:
    """Grades (N,) called from probabilities (N, 3) at levels (N,), by one output's operating points."""
    abnormal = 1.0 - probabilities[:, 0] >= np.asarray(points["abnormal"], float)[levels]
    severe = probabilities[:, 2] >= np.asarray(points["severe"], float)[levels]
    return np.where(severe, 2, np.where(abnormal, 1, 0)).astype(np.int64)


def not_excluded(
    probabilities: FloatArray, sensitivity: float, manifest: Manifest, output: str
) -> tuple[Severity, ...]:
    """The grades that cannot be excluded: the true one is among them in at least this share of the cases of each grade.

    Args:
        probabilities: (3,).
        sensitivity: one that the pack holds thresholds for.
        manifest: of the `grade` pack.
        output: `canal`, `foraminal` or `subarticular`.

    Raises:
        PackError: the pack has no such thresholds.

    Source: class-conditional split conformal prediction; Vovk et al., Algorithmic Learning in a Random World, 2005.
    """
    found = manifest.setting("exclusion")[output]
    offered = [float(value) for value in found["sensitivity"]]
    if sensitivity not in offered:
        raise PackError(
            f"Pack {manifest.name}: expected a sensitivity among {', '.join(map(str, offered))}, got {sensitivity:g}. "
            "Choose one of these."
        )
    least = found["least"][offered.index(sensitivity)]
    return tuple(grade for grade, p, bound in zip(SEVERITIES, probabilities, least, strict=True) if p >= bound)

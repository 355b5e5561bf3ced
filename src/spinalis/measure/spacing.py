"""Stage 3: millimetres. Today the distance between neighbouring levels; segmentation will add canal and disc."""

from itertools import pairwise

import numpy as np

from spinalis.records import Landmark, Measurement, Notice
from spinalis.vocabulary import LEVELS, NoticeKind

PLAUSIBLE_PITCH_MM = (20.0, 48.0)
"""Distance between neighbouring posterior disc edges. Source: SPIDER, 31.6 ± 2.6 mm; the bounds are
wide on purpose, so that small and large patients pass and a skipped or doubled level does not."""


def measure_spacing(landmarks: tuple[Landmark, ...]) -> tuple[Measurement, ...]:
    """Measure the distance between neighbouring level points, in mm, top to bottom.

    Levels without a position in millimetres, and pairs with a level missing between them, are left out.
    """
    found = []
    for upper, lower in pairwise(landmarks):
        if LEVELS.index(lower.level) - LEVELS.index(upper.level) != 1:
            continue
        if upper.point_lps_mm is not None and lower.point_lps_mm is not None:
            distance = float(np.linalg.norm(np.subtract(lower.point_lps_mm, upper.point_lps_mm)))
            found.append(
                Measurement(
                    name="level spacing",
                    levels=(upper.level, lower.level),
                    value=distance,
                    unit="mm",
                    method="straight line between the posterior disc edges in the midline",
                )
            )
    return tuple(found)


def implausible(measurements: tuple[Measurement, ...]) -> tuple[Notice, ...]:
    """A warning for every spacing outside `PLAUSIBLE_PITCH_MM`."""
    low, high = PLAUSIBLE_PITCH_MM
    return tuple(
        Notice(
            kind=NoticeKind.IMPLAUSIBLE,
            text=f"Levels {item.levels[0]} and {item.levels[1]}: expected {low:.0f}-{high:.0f} mm apart, "
            f"got {item.value:.0f} mm. Check the numbering and the pixel spacing.",
        )
        for item in measurements
        if not low <= item.value <= high
    )

"""Where the packs place the levels and the conditions on simulated studies, as paper 5's Table 2 counts it."""

from collections.abc import Sequence

import numpy as np

from spinalis.evaluate.metrics import Share
from spinalis.evaluate.tables import Table, number, percent
from spinalis.models import Pack, select
from spinalis.records import FloatArray
from spinalis.simulate.study import SimulatedStudy, simulate_study
from spinalis.train.data.whole import CONDITIONS_OF, KEPT_SIZE, Whole
from spinalis.train.data.whole_studies import true_point, whole_of
from spinalis.train.job import CALIBRATION_SEED
from spinalis.train.judge import BENCHMARK, Judged, middle_lps_mm, read_simulated, simulated_levels_table
from spinalis.train.papers import stage1_errors
from spinalis.train.papers.places import Places, no_places, true_places
from spinalis.vocabulary import CONDITIONS, LEVELS

STUDIES = 50
"""The first so many studies of the benchmark set are read."""

OFFSET_STUDIES = 12
"""Studies of another seed from which mean ways are measured: 60 levels each."""

PICTURE = 512
"""Side of the picture in whose pixels paper 5 is read, see `papers/crop_ranges.yaml`."""

NAMES = ("packs", "no skill (mean place in the stack)")


def simulated_tables(packs: tuple[Pack, ...], studies: int) -> list[Table]:
    """Levels in mm, level points in pixels, and the places of the conditions, on the same studies."""
    judged = read_simulated(packs, studies)
    ways, place = mean_ways([simulate_study(CALIBRATION_SEED, number, "lumbar") for number in range(OFFSET_STUDIES)])
    size = select(packs, "localize").manifest.input("images").height
    rows: list[stage1_errors.Miss] = []
    gaps: dict[str, list[FloatArray]] = {name: [] for name in NAMES}
    for item in judged:
        whole = whole_of(item.simulated, item.simulated.study.key)
        for name, points in zip(NAMES, (_found(item), middle_lps_mm(item.simulated) + place), strict=True):
            found = places(whole, points, ways)
            rows += stage1_errors.misses(whole, name, found)
            gaps[name].append(canal_gaps(whole, found))
    title = f"Places on {len(judged)} simulated studies, as paper 5's Table 2"
    return [
        simulated_levels_table(judged),
        _points_table({name: np.concatenate(found) for name, found in gaps.items()}, size),
        stage1_errors.table_2(rows, title),
    ]


def mean_ways(studies: Sequence[SimulatedStudy]) -> tuple[FloatArray, FloatArray]:
    """(5 conditions, 1, 3) mm from a level's point to a condition's, and (5, 3) from the middle of the stack to levels.

    Means over the levels and studies, LPS.
    """
    truth = np.array([[study.truth.levels[level] for level in LEVELS] for study in studies], float)
    points = np.array(
        [[[true_point(study, condition, level) for level in LEVELS] for condition in CONDITIONS] for study in studies]
    )
    ways = (points - truth[:, None]).mean(axis=(0, 2))
    middles = np.array([middle_lps_mm(study) for study in studies])
    return ways[:, None], np.asarray((truth - middles[:, None]).mean(axis=0), float)


def places(study: Whole, levels: FloatArray, ways: FloatArray) -> Places:
    """Drop the levels' points (5, 3), moved by the mean way to each condition, onto the slices of its view.

    NaN where a level was not found or meets no slice.
    """
    found = no_places()
    for view, conditions in CONDITIONS_OF.items():
        for row in [CONDITIONS.index(condition) for condition in conditions if view in study.views]:
            for column, point in enumerate(levels + ways[row]):
                spot = None if np.isnan(point).any() else study.views[view].spot(point)
                if spot is not None:
                    found[view][row, column] = (spot.index, spot.column, spot.row)
    return found


def canal_gaps(study: Whole, found: Places) -> FloatArray:
    """(n, 3) slices, and pixels of the kept picture to the right and down, at the canal on sagittal T2w."""
    view = "sagittal_t2"
    truth = true_places(study)[view][0]
    return np.asarray((found[view][0] - truth)[np.isfinite(truth).all(axis=1)])


def _found(item: Judged) -> FloatArray:
    points = np.full((len(LEVELS), 3), np.nan)
    for mark in item.reading.levels:
        if mark.point_lps_mm is not None:
            points[LEVELS.index(mark.level)] = mark.point_lps_mm
    return points


def _points_table(gaps: dict[str, FloatArray], size: int) -> Table:
    rows = []
    for name, gap in gaps.items():
        aside, slices = np.hypot(gap[:, 1], gap[:, 2]), np.abs(gap[:, 0])
        hits = (aside * PICTURE / KEPT_SIZE <= 5, aside * size / KEPT_SIZE <= 5, slices <= 1)
        known = aside[np.isfinite(aside)]
        rows.append(
            (
                name,
                *(percent(Share(count=int(hit.sum()), total=len(hit))) for hit in hits),
                number(float(np.median(known)) * PICTURE / KEPT_SIZE if len(known) else None, 1),
            )
        )
    return Table(
        title=f"Level points on the same studies of benchmark {BENCHMARK}, sagittal T2w",
        columns=(
            "answers",
            f"within 5 px of {PICTURE}",
            f"within 5 px of {size}, the network's input",
            "slice within one",
            f"median, px of {PICTURE}",
        ),
        rows=tuple(rows),
        notes=(
            "The longer side of the picture is fitted to so many pixels; what was not found counts as far. The points "
            "of one study are not independent, so the 95 % Wilson intervals are too narrow.",
            "Places below are the levels' points moved by the mean way to each condition (canal, foramina, recesses) "
            f"in {OFFSET_STUDIES} simulated studies of another seed.",
        ),
    )

"""How far stage 1 of paper 5 misses the readers' points: kept, drawn from in stage 2, printed as Table 2.

    python -m spinalis.train.papers.stage1_errors runs/multi-stage-mil

Each training study is located by members that did not see it.
"""

import argparse
import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from io import StringIO
from pathlib import Path

import numpy as np

from spinalis.evaluate.metrics import Share
from spinalis.evaluate.tables import Table, number, percent
from spinalis.formats import csv_rows
from spinalis.formats.atomic import write_bytes
from spinalis.records import FloatArray
from spinalis.train.data.whole import CONDITIONS_OF, Whole
from spinalis.train.papers.places import Places, pixel_mm, true_places
from spinalis.vocabulary import CONDITIONS, LEVELS

FILE = "stage1_errors.csv"
USED = "used"
"""The method whose places go on to stage 2."""

NEAR_PX = 5.0
"""A point is near within so many of the paper's pixels. Source: the project's target for key points."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Miss:
    """One place: found minus true. `slices` counts slices; `x_mm`, `y_mm` lie in the picture, right and down.

    All three are None where a method has no answer; `x_mm` and `y_mm` also where it names a slice only.
    """

    study: str
    view: str
    condition: str
    level: str
    method: str
    slices: int | None
    x_mm: float | None
    y_mm: float | None


def misses(study: Whole, method: str, found: Places) -> list[Miss]:
    """Compare places with the readers', each condition in its own view; unlabelled ones are left out.

    Args:
        study: with the readers' points.
        method: what found the places.
        found: places in the views that the method serves.
    """
    truth, rows = true_places(study), []
    for view in found:
        for condition in CONDITIONS_OF[view]:
            for column, level in enumerate(LEVELS):
                true, place = (
                    truth[view][CONDITIONS.index(condition), column],
                    found[view][CONDITIONS.index(condition), column],
                )
                if np.isnan(true).any():
                    continue
                across, down = study.views[view].pixel_mm(int(true[0]))
                gap = place - true
                rows.append(
                    Miss(
                        study=study.name,
                        view=view,
                        condition=condition.value,
                        level=level.value,
                        method=method,
                        slices=None if np.isnan(gap[0]) else round(float(gap[0])),
                        x_mm=None if np.isnan(gap[1]) else round(float(gap[1]) * across, 3),
                        y_mm=None if np.isnan(gap[2]) else round(float(gap[2]) * down, 3),
                    )
                )
    return rows


def write(rows: Sequence[Miss], folder: Path) -> None:
    """Keep the table in the folder of a run, whole or not at all."""
    text = StringIO(newline="")
    table = csv.DictWriter(text, [item.name for item in fields(Miss)], lineterminator="\n")
    table.writeheader()
    table.writerows({key: "" if value is None else value for key, value in asdict(row).items()} for row in rows)
    write_bytes(folder / FILE, text.getvalue().encode())


def read(folder: Path) -> list[Miss]:
    """The table of a run.

    Raises:
        TableError: there is none, or it breaks its layout.
    """
    names = tuple(item.name for item in fields(Miss))
    return [
        Miss(
            **{name: row[name] for name in names[:5]},
            slices=int(row["slices"]) if row["slices"] else None,
            x_mm=float(row["x_mm"]) if row["x_mm"] else None,
            y_mm=float(row["y_mm"]) if row["y_mm"] else None,
        )
        for _, row in csv_rows.read(folder / FILE, names)
    ]


def shifts(rows: Sequence[Miss], view: str, most_slices: int, most_px: float) -> FloatArray:
    """(n, 3) what stage 2 is shifted by: slices, and mm to the right and down; the measured misses, cut off at a limit.

    Args:
        rows: of a run; those `USED` in the view count.
        view: of the places.
        most_slices: larger shifts count as this one. Paper 5: 2.
        most_px: the same in the picture, in the paper's pixels. Paper 5: 10.
    """
    used = [row for row in rows if row.method == USED and row.view == view]
    known = [(row.slices, row.x_mm, row.y_mm) for row in used if None not in (row.slices, row.x_mm, row.y_mm)]
    limits = np.array([most_slices, most_px * pixel_mm(view), most_px * pixel_mm(view)])
    return np.asarray(np.clip(np.array(known, float).reshape(-1, 3), -limits, limits), float)


def table_2(rows: Sequence[Miss], title: str = "Stage 1: slices and points found, against the readers'") -> Table:
    """The paper's Table 2, for every view and method, with the error in the picture beside it."""
    lines = []
    for view, method in dict.fromkeys((row.view, row.method) for row in rows):
        own = [row for row in rows if (row.view, row.method) == (view, method)]
        off = [abs(row.slices) for row in own if row.slices is not None]
        counts = [*(off.count(gap) for gap in range(3)), sum(gap > 2 for gap in off), len(own) - len(off)]
        aside = [float(np.hypot(row.x_mm, row.y_mm)) for row in own if row.x_mm is not None and row.y_mm is not None]
        near = sum(gap <= NEAR_PX * pixel_mm(view) for gap in aside)
        lines.append(
            (
                f"{view}, {method}",
                str(len(own)),
                *(percent(Share(count=count, total=len(own))) for count in counts),
                number(float(np.median(aside)), 1) if aside else number(None),
                percent(Share(count=near, total=len(aside))),
            )
        )
    return Table(
        title=title,
        columns=("places", "n", "± 0", "± 1", "± 2", "> ± 2", "none", "median mm in the picture", "within 5 px"),
        rows=tuple(lines),
        notes=(
            "Paper 5, sagittal T2w: classification 71.08, 27.04, 1.43, 0.44 %; regression 67.48, 30.59, 1.61, 0.31 %.",
            "A pixel is one of a picture resized to 512, see crop_ranges.yaml. 95 % Wilson intervals; the places of "
            "one study are not independent.",
        ),
    )


def main() -> None:
    """Print Table 2 of a run."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("run", type=Path, help="folder of a run of multi-stage-mil")
    sys.stdout.write(table_2(read(parser.parse_args().run)).to_markdown())


if __name__ == "__main__":
    main()

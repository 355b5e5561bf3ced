"""Where paper 5 looks: a place in a view for every condition and level, and the ranges of its crops (its Table 1).

Places are (5, 5, 3) per view: slice, column, row of the kept pictures, by condition and level; NaN where there is none.
The canal has a place in the sagittal T2w and, between both recesses, in the axial view; a foramen in the sagittal T1w
view and, at the recess of its side, in the axial one; a recess in the axial view.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import yaml

from spinalis.evaluate.rsna import GROUPS
from spinalis.models.prepare import resample
from spinalis.records import FloatArray, Image
from spinalis.train.data.whole import BRIGHT, CONDITIONS_OF, Stack, Whole
from spinalis.vocabulary import CONDITIONS, LEVELS, Condition, Side

Places = Mapping[str, FloatArray]

VIEWS_OF_GROUP: Mapping[str, tuple[str, ...]] = {
    "canal": ("sagittal_t2", "axial_t2"),
    "foraminal": ("sagittal_t1", "axial_t2"),
    "subarticular": ("axial_t2",),
}
"""The views of a group's bag, that of the readers' points first. Source: paper 5, Table 1."""

GROUP_OF: Mapping[Condition, str] = {condition: name for name, members in GROUPS for condition in members}

LEFT_RECESS, RIGHT_RECESS = 3, 4
"""Rows of the subarticular conditions among `CONDITIONS`."""

_CANAL, _LEFT_FORAMEN, _RIGHT_FORAMEN = 0, 1, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class CropRange:
    """A line of Table 1: left, right, upper and lower reach, px and mm; `side` None serves both."""

    group: str
    view: str
    px: tuple[float, float, float, float]
    mm: tuple[float, float, float, float]
    side: Side | None = None


@cache
def crop_ranges() -> tuple[CropRange, ...]:
    """Table 1 of paper 5."""
    found = []
    for line in _table()["ranges"]:
        side = Side(line["side"]) if "side" in line else None
        found.append(
            CropRange(group=line["group"], view=line["view"], side=side, px=tuple(line["px"]), mm=tuple(line["mm"]))
        )
    return tuple(found)


def pixel_mm(view: str) -> float:
    """Millimetres of one of the paper's pixels."""
    return float(_table()["pixel_mm"][view])


def range_of(condition: Condition, view: str) -> CropRange:
    """The line of Table 1 for a condition in a view."""
    return next(
        line
        for line in crop_ranges()
        if line.group == GROUP_OF[condition] and line.view == view and line.side in (None, condition.side)
    )


def no_places(views: Iterable[str] = CONDITIONS_OF) -> dict[str, FloatArray]:
    """Places in some views, all of them NaN."""
    return {view: np.full((len(CONDITIONS), len(LEVELS), 3), np.nan) for view in views}


def true_places(study: Whole) -> dict[str, FloatArray]:
    """Where the readers' points lie."""
    found = no_places()
    for view, conditions in CONDITIONS_OF.items():
        for condition in conditions:
            for column, level in enumerate(LEVELS):
                spot = study.spot(view, condition, level)
                if spot is not None:
                    found[view][CONDITIONS.index(condition), column] = (spot.index, spot.column, spot.row)
    share_recesses(found)
    return found


def share_recesses(places: dict[str, FloatArray]) -> None:
    """Give canal and foramina their axial places, from those of the recesses."""
    axial = places["axial_t2"]
    axial[_LEFT_FORAMEN], axial[_RIGHT_FORAMEN] = axial[LEFT_RECESS], axial[RIGHT_RECESS]
    axial[_CANAL] = (axial[LEFT_RECESS] + axial[RIGHT_RECESS]) / 2


def cut(stack: Stack, place: FloatArray, reach: CropRange, size: int, change: FloatArray) -> Image:
    """Cut a crop: (size, size), 0..1.3.

    Args:
        stack: of the view.
        place: (3,) slice, column, row; the slice is rounded and must be in the stack.
        reach: how far the crop reaches; its box is stretched to the square.
        size: pixels of the crop.
        change: (2, 3), crop -> crop: what the augmentation does to it.
    """
    index = round(float(place[0]))
    across, down = stack.pixel_mm(index)
    left, right, upper, lower = reach.mm
    scale_x, scale_y = size * across / (left + right), size * down / (upper + lower)
    box = np.array(
        [
            [scale_x, 0.0, size * left / (left + right) - 0.5 - scale_x * place[1]],
            [0.0, scale_y, size * upper / (upper + lower) - 0.5 - scale_y * place[2]],
            [0.0, 0.0, 1.0],
        ]
    )
    image = np.asarray(stack.pixels[index], np.float32) / BRIGHT
    return resample(image, change @ box, (size, size))


@cache
def _table() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((files(__package__) / "crop_ranges.yaml").read_text())
    return found

"""What every slice of a series shows: regions, discs, cord, and the side of the midline on which it lies."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinalis.records import FloatArray
from spinalis.simulate.anatomy import NAMES, S1, VERTEBRAE, Subject
from spinalis.simulate.scanner import Stack
from spinalis.vocabulary import Level, Plane, Region, Side

DISCS = tuple(f"{NAMES[k - 1]}/{NAMES[k]}" for k in range(2, S1 + 2))
"""From C2/C3 to S1/S2, head to feet."""

FROM_ABOVE = 17
"""The plane of T10/T11: down to here discs are counted from C2, below from the sacrum, as the truth's levels are."""

REGION_OF_VERTEBRA = (*(Region.CERVICAL,) * 7, *(Region.THORACIC,) * 12, *(Region.LUMBAR,) * 6)
"""C1 to S1; the sacrum is read with the lumbar spine."""

LEADING_SHARE = 0.6
"""Share of the vertebrae in view from which on a series is of one region, and not of several. A convention."""

MIDLINE_MM = 2.5
"""A sagittal slice this near to the discs' centres shows the midline: half the width of a lumbar canal's middle third.
A convention."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceTruth:
    """What one slice shows.

    Attributes:
        cord: a reader would say that the cord is in view.
        regions: those with a vertebral body in the slice, head to feet.
        levels: the discs that the slice cuts, as in `DISCS`, head to feet.
        side: of the midline; None for the midline itself and for slices that are not sagittal.
    """

    cord: bool
    regions: tuple[Region, ...]
    levels: tuple[str, ...]
    side: Side | None


def named_discs(subject: Subject) -> dict[int, str]:
    """The name of the disc in each plane, head to feet.

    Where the spine has a vertebra too many, the disc above T11/T12 has no name; where one is missing, no disc is called
    T10/T11.
    """
    last = subject.plane_of_level[Level.L5_S1]
    above = {k: DISCS[k - 2] for k in range(2, min(FROM_ABOVE, last - 7) + 1)}
    return above | {last - 6 + place: name for place, name in enumerate(DISCS[-8:])}


def slice_truths(subject: Subject, stack: Stack, cord: tuple[bool, ...]) -> tuple[SliceTruth, ...]:
    """What every slice of a stack shows of a subject's spine, in the order of the slices."""
    frames, planes = subject.frames, subject.planes
    axes = np.swapaxes(frames[:, 1:], 1, 2)  # columns left, back, head
    sizes = np.stack([planes["half_width"], planes["half_depth"], planes["half_height"]], 1)
    names = named_discs(subject)
    named = list(names)
    discs = _cut(stack, frames[named, 0], axes[named] * sizes[named, None, :])
    bodies = (frames[:-1, 0] + frames[1:, 0]) / 2
    reach = sizes[:-1].copy()
    reach[:, 2] = np.maximum(subject.vertebrae["height"] / 2 - reach[:, 2], 1.0)
    vertebrae = _cut(stack, bodies, axes[:-1] * reach[:, None, :])[:, : min(VERTEBRAE, len(REGION_OF_VERTEBRA))]
    sides = _sides(subject, stack)
    return tuple(
        SliceTruth(
            cord=cord[index],
            regions=tuple(
                region
                for region in (Region.CERVICAL, Region.THORACIC, Region.LUMBAR)
                if any(seen and own is region for seen, own in zip(vertebrae[index], REGION_OF_VERTEBRA, strict=True))
            ),
            levels=tuple(name for name, seen in zip(names.values(), discs[index], strict=True) if seen),
            side=sides[index],
        )
        for index in range(stack.count)
    )


def leading_region(subject: Subject, stack: Stack) -> Region:
    """The region of most vertebrae in the picture, or UNKNOWN where no region has `LEADING_SHARE` of them."""
    bodies = (subject.frames[:-1, 0] + subject.frames[1:, 0])[: len(REGION_OF_VERTEBRA)] / 2
    inside = _inside(stack, bodies)
    found = [region for region, seen in zip(REGION_OF_VERTEBRA, inside, strict=True) if seen]
    for region in set(found):
        if found.count(region) >= LEADING_SHARE * len(found):
            return region
    return Region.UNKNOWN


def _cut(stack: Stack, centres: FloatArray, semi_axes: FloatArray) -> NDArray[np.bool_]:
    """Which of N ellipsoids every slice cuts inside the picture: (slices, N).

    Args:
        stack: the slices.
        centres: (N, 3), LPS mm.
        semi_axes: (N, 3, 3), columns are the half axes, mm.
    """
    normal = stack.axes[2]
    extent = np.linalg.norm(np.einsum("c,nca->na", normal, semi_axes), axis=1) + stack.thickness_mm / 2
    distance = (stack.origins() @ normal)[:, None] - (centres @ normal)[None, :]
    return np.asarray((np.abs(distance) <= extent) & _inside(stack, centres))


def _inside(stack: Stack, points: FloatArray) -> NDArray[np.bool_]:
    offset = (points - stack.centre) @ stack.axes.T
    half = np.array([stack.columns - 1, stack.rows - 1]) * stack.pixel_mm / 2
    return np.asarray(np.all(np.abs(offset[:, :2]) <= half, axis=1))


def _sides(subject: Subject, stack: Stack) -> tuple[Side | None, ...]:
    """By the distance of each slice from the middle of the discs in view."""
    if stack.plane is not Plane.SAGITTAL:
        return (None,) * stack.count
    centres = subject.frames[2 : S1 + 2, 0]
    inside = _inside(stack, centres)
    seen = centres[inside] if inside.any() else centres
    normal = stack.axes[2] * np.sign(stack.axes[2, 0])
    offsets = stack.origins() @ normal - np.median(seen @ normal)
    return tuple(None if abs(offset) <= MIDLINE_MM else Side.LEFT if offset > 0 else Side.RIGHT for offset in offsets)

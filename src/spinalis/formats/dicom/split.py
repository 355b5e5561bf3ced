"""Splits the frames of one series into parts of one shape, orientation and echo, and finds repeated positions."""

from collections import defaultdict
from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from spinalis.formats.dicom.headers import SPLIT_KEYWORDS, Frame
from spinalis.geometry import PARALLEL_COSINE_TOLERANCE, normal_of, position_along
from spinalis.records import FloatArray, SlicePlane

SAME_POSITION_MM = 0.01
"""Slices nearer than this along the normal lie at one position; scanners round to 6 digits."""

ECHO_GAP_MS = 0.3
"""Echo times nearer than this are one echo; in-phase and opposed-phase echoes lie 1.15 ms apart at 3 T."""

STATION_MM = 5.0
"""Repeated slices whose first pixels lie farther apart than this in their plane belong to different stations."""

Divide = Callable[[list[Frame]], list[list[Frame]]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Frames that belong together, and the flags that splitting gave them."""

    frames: list[Frame]
    flags: frozenset[str]


def split(frames: list[Frame]) -> list[Part]:
    """Divide a series; the order of the parts and what is in them do not depend on the order of `frames`."""
    parts = [Part(frames=frames, flags=frozenset())]
    for divide, flags in (
        (_by_shape, {"split"}),
        (_by_orientation, {"split", "not_parallel"}),
        (_by_echo, {"split"}),
        (_by_whatever_tells_repeats_apart, {"split"}),
    ):
        parts = [after for before in parts for after in _divided(before, divide, flags)]
    return sorted(parts, key=lambda part: _rank(part.frames))


def place(frames: list[Frame]) -> tuple[list[int], FloatArray]:
    """Order placed frames along their normal.

    Returns:
        The indices of `frames` by growing position, and those positions in mm; equal where they are within
        `SAME_POSITION_MM` of their predecessor.
    """
    planes = [frame.plane for frame in frames if frame.plane is not None]
    normal = normal_of(min(planes, key=_directions))
    positions = np.array([position_along(plane, normal) for plane in planes])
    order = np.argsort(positions, kind="stable")
    steps = np.diff(positions[order], prepend=-np.inf)
    starts = np.maximum.accumulate(np.where(steps > SAME_POSITION_MM, np.arange(len(order)), 0))
    return order.tolist(), positions[order][starts]


def same_position(frames: list[Frame]) -> list[list[Frame]]:
    """The frames in groups of one position each, ordered along the normal."""
    order, positions = place(frames)
    groups: dict[float, list[Frame]] = defaultdict(list)
    for index, position in zip(order, positions.tolist(), strict=True):
        groups[position].append(frames[index])
    return list(groups.values())


def _divided(part: Part, divide: Divide, flags: set[str]) -> list[Part]:
    pieces = divide(part.frames)
    if len(pieces) == 1:
        return [part]
    return [Part(frames=piece, flags=part.flags | flags) for piece in pieces]


def _by_shape(frames: list[Frame]) -> list[list[Frame]]:
    return _by(frames, lambda frame: (frame.rows, frame.columns, frame.plane is None))


def _by_orientation(frames: list[Frame]) -> list[list[Frame]]:
    if frames[0].plane is None:
        return [frames]
    clusters: list[tuple[SlicePlane, list[Frame]]] = []
    for frame in sorted(frames, key=lambda frame: _directions(_plane(frame))):
        plane = _plane(frame)
        for first, members in clusters:
            if _parallel(first, plane):
                members.append(frame)
                break
        else:
            clusters.append((plane, [frame]))
    return [members for _, members in clusters]


def _by_echo(frames: list[Frame]) -> list[list[Frame]]:
    """By echo number, then by echo time. A frame that lacks one joins the others where they all agree."""
    pieces = _by(frames, lambda frame: frame.echo_number, missing_joins=True)
    times = sorted({frame.header.echo_time_ms for frame in frames if frame.header.echo_time_ms is not None})
    ends = [left for left, right in pairwise(times) if right - left > ECHO_GAP_MS]

    def echo(frame: Frame) -> int | None:
        time = frame.header.echo_time_ms
        return None if time is None else sum(time > end for end in ends)

    return [after for before in pieces for after in _by(before, echo, missing_joins=True)]


def _by_whatever_tells_repeats_apart(frames: list[Frame]) -> list[list[Frame]]:
    """Divide by time, acquisition and the like, only where positions repeat and as far as that lessens it."""
    pieces = [frames]
    for key in _tellers():
        pieces = [after for before in pieces for after in _if_it_helps(before, key)]
    return pieces


def _tellers() -> Iterable[Callable[[Frame], Hashable]]:
    for index in range(len(SPLIT_KEYWORDS)):
        yield lambda frame, index=index: frame.split_by[index]  # type: ignore[misc]
    yield lambda frame: frame.header.image_type
    yield _station


def _if_it_helps(frames: list[Frame], key: Callable[[Frame], Hashable]) -> list[list[Frame]]:
    if frames[0].plane is None:
        return [frames]
    deepest = max(len(group) for group in same_position(frames))
    pieces = _by(frames, key)
    if deepest == 1 or len(pieces) > deepest:
        return [frames]
    return pieces if sum(map(_repeats, pieces)) < _repeats(frames) else [frames]


def _repeats(frames: list[Frame]) -> int:
    return len(frames) - len(same_position(frames))


def _station(frame: Frame) -> Hashable:
    plane = _plane(frame)
    origin = np.asarray(plane.origin_lps_mm)
    along = origin @ np.asarray(plane.along_row), origin @ np.asarray(plane.along_column)
    return round(along[0] / STATION_MM), round(along[1] / STATION_MM)


def _by(frames: list[Frame], key: Callable[[Frame], Hashable], missing_joins: bool = False) -> list[list[Frame]]:
    groups: dict[Hashable, list[Frame]] = defaultdict(list)
    for frame in frames:
        groups[key(frame)].append(frame)
    if missing_joins and None in groups and len(groups) == 2:
        return [frames]
    return list(groups.values())


def _parallel(one: SlicePlane, other: SlicePlane) -> bool:
    rows = float(np.dot(one.along_row, other.along_row))
    columns = float(np.dot(one.along_column, other.along_column))
    return min(rows, columns) > 1 - PARALLEL_COSINE_TOLERANCE


def _directions(plane: SlicePlane) -> tuple[float, ...]:
    return plane.along_row + plane.along_column


def _plane(frame: Frame) -> SlicePlane:
    if frame.plane is None:
        raise AssertionError("only placed frames have an orientation")
    return frame.plane


def _rank(frames: list[Frame]) -> tuple[object, ...]:
    """Parts are named in the order of their first instance, then of echo, place and size."""
    instances = [frame.instance_number for frame in frames if frame.instance_number is not None]
    echoes = [frame.header.echo_time_ms or 0.0 for frame in frames]
    origins = [frame.plane.origin_lps_mm + _directions(frame.plane) for frame in frames if frame.plane is not None]
    return (
        min(instances, default=0),
        min(echoes),
        min(origins, default=()),
        frames[0].rows,
        frames[0].columns,
        min(str(frame.split_by) for frame in frames),
        min(frame.header.image_type for frame in frames),
    )

"""From frames to studies and series: slices in the order of their place, and what was odd about them as flags."""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable

import numpy as np

from spinalis.formats.dicom.headers import Frame
from spinalis.formats.dicom.pixels import FramePixels, read_pixels
from spinalis.formats.dicom.scan import HARMLESS, NO_PIXELS, NOT_DICOM, Reject, Scan
from spinalis.formats.dicom.split import Part, place, same_position, split
from spinalis.geometry import patient_plane
from spinalis.records import Notice, Series, Slice, Study
from spinalis.vocabulary import NoticeKind, Plane

GAP_FACTOR = 1.5
"""A step of more than this many median steps means that a slice is missing."""

SeriesId = tuple[str | None, ...]


def build_studies(scan: Scan, input_name: str) -> tuple[Study, ...]:
    """Build the studies of a scan, in the order of their first file.

    Args:
        scan: frames and rejects of one input.
        input_name: stands in for a missing StudyInstanceUID, together with the folder.

    Returns:
        One study per StudyInstanceUID, or per folder where it is missing. A reject that names none of them counts
        for the studies in its folder, else for the first.
    """
    groups: dict[str, list[Frame]] = defaultdict(list)
    for frame in scan.frames:
        groups[_study_id(frame, input_name)].append(frame)
    in_order = sorted(groups, key=lambda study_id: min(natural(frame.name) for frame in groups[study_id]))
    neighbours: dict[str, list[str]] = defaultdict(list)
    for study_id in in_order:
        for folder in {frame.folder for frame in groups[study_id]}:
            neighbours[folder].append(study_id)
    rejects: dict[str, list[Reject]] = defaultdict(list)
    for reject in scan.rejects:
        known = _study_id(reject, input_name)
        for study_id in [known] if known in groups else neighbours.get(reject.folder, in_order[:1]):
            rejects[study_id].append(reject)
    return tuple(_study(study_id, groups[study_id], rejects[study_id]) for study_id in in_order)


def study_key(identity: str) -> str:
    """The short hash by which a study goes in messages and file names."""
    return hashlib.sha256(identity.encode()).hexdigest()[:10]


def natural(name: str) -> tuple[tuple[str, int], ...]:
    """Sort key that puts `2.dcm` before `10.dcm`."""
    return tuple((text, int(digits[:18] or -1)) for text, digits in re.findall(r"(\D*)(\d*)", name))


def _study_id(item: Frame | Reject, input_name: str) -> str:
    return item.study_uid or f"{input_name}/{item.folder}"


def _series_id(item: Frame | Reject) -> SeriesId:
    """By UID and number: some archives give two series one UID, and tell them apart by their number alone."""
    folder = "" if item.series_uid else item.folder
    return item.series_uid, folder, str(item.series_number)


def _study(study_id: str, frames: list[Frame], rejects: list[Reject]) -> Study:
    groups: dict[SeriesId, list[Frame]] = defaultdict(list)
    for frame in frames:
        groups[_series_id(frame)].append(frame)
    incomplete = {_series_id(reject) for reject in rejects if reject.reason == NO_PIXELS}
    in_order = sorted(groups, key=lambda identity: (_number_rank(groups[identity]), str(identity)))
    used: Counter[str] = Counter()
    series = []
    for identity in in_order:
        unique, dropped = _without_copies(groups[identity])
        extra = {"missing_pixels"} if identity in incomplete else set()
        for part in split(unique):
            number = part.frames[0].series_number
            name = "sx" if number is None else f"s{number}"
            flags = part.flags | extra | ({"duplicates"} if dropped else set())
            series.append(_series(name + _suffix(used[name]), part, flags))
            used[name] += 1
    return Study(
        key=study_key(study_id),
        series=tuple(series),
        warnings=_warnings(rejects),
        instance_uid=frames[0].study_uid,
    )


def _series(key: str, part: Part, flags: frozenset[str]) -> Series:
    if part.frames[0].plane is None:
        frames, noticed = sorted(part.frames, key=_stored_rank), {"no_geometry"}
    else:
        frames, noticed = _in_space(part.frames)
    first = frames[0]
    number = first.series_number
    for frame in frames:
        noticed |= frame.flags
    if len(frames) == 1:
        noticed.add("single_slice")
    return Series(
        key=key,
        number=number,
        header=first.header,
        rows=first.rows,
        columns=first.columns,
        slices=tuple(
            Slice(file=frame.name, instance_number=frame.instance_number, frame=frame.frame, plane=frame.plane)
            for frame in frames
        ),
        load=FramePixels(
            "Series without a number" if number is None else f"Series {number}",
            tuple(frame.pixels for frame in frames),
        ),
        thickness_mm=first.thickness_mm,
        instance_uid=first.series_uid,
        frame_of_reference_uid=first.frame_of_reference_uid,
        flags=tuple(sorted(flags | noticed)),
    )


def _in_space(frames: list[Frame]) -> tuple[list[Frame], set[str]]:
    """Order by position, drop copies at one position, and say what is odd about the positions."""
    flags = set()
    kept: list[Frame] = []
    for group in same_position(frames):
        different = _different_pixels(sorted(group, key=_stored_rank))
        if len(different) < len(group):
            flags.add("duplicates")
        if len(different) > 1:
            flags.add("repeated_positions")
        kept.extend(different)
    _, positions = place(kept)
    steps = np.diff(np.unique(positions))
    if len(steps) > 1 and steps.max() > GAP_FACTOR * np.median(steps):
        flags.add("gap")
    if kept[0].plane is not None and patient_plane(kept[0].plane) is Plane.UNKNOWN:
        flags.add("oblique")
    return kept, flags


def _different_pixels(frames: list[Frame]) -> list[Frame]:
    """The first of each set of frames with identical pixels; only repeated positions are ever decoded for this."""
    if len(frames) == 1:
        return frames
    seen: set[str] = set()
    kept = []
    for frame in frames:
        try:
            digest = hashlib.sha256(read_pixels(frame.pixels).tobytes()).hexdigest()
        except Exception:  # undecodable pixels are no copy of anything; the loader will say so
            digest = f"{frame.name}:{frame.frame}"
        if digest not in seen:
            seen.add(digest)
            kept.append(frame)
    return kept


def _without_copies(frames: list[Frame]) -> tuple[list[Frame], int]:
    """Drop files that are in the input twice. The UID alone does not tell: some anonymizers give all the same."""
    unique: dict[object, Frame] = {}
    for frame in sorted(frames, key=_stored_rank):
        identity = (frame.instance_uid, frame.frame, frame.instance_number, frame.plane, frame.echo_number)
        unique.setdefault(identity if frame.instance_uid else (frame.name, frame.frame), frame)
    return list(unique.values()), len(frames) - len(unique)


def _stored_rank(frame: Frame) -> tuple[object, ...]:
    number = frame.instance_number
    return number is None, number or 0, natural(frame.name), frame.frame or 0


def _number_rank(frames: list[Frame]) -> tuple[bool, int]:
    number = frames[0].series_number
    return number is None, number or 0


def _suffix(count: int) -> str:
    """Nothing, b, c, ..., z, ba, bb, ...: letters that make the keys of parts unique."""
    letters = ""
    while count:
        count, digit = divmod(count, 26)
        letters = chr(ord("a") + digit) + letters
    return letters


def _warnings(rejects: Iterable[Reject]) -> tuple[Notice, ...]:
    counts = Counter((reject.reason, reject.series_number) for reject in rejects)
    return tuple(
        left_out(reason, count, number)
        for (reason, number), count in sorted(counts.items(), key=lambda item: (item[0][1] or 0, item[0][0]))
    )


def left_out(reason: str, count: int, number: int | None = None) -> Notice:
    """How many files were left out, and why."""
    files = f"{count} file" if count == 1 else f"{count} files"
    is_or_are, was_or_were = ("is", "was") if count == 1 else ("are", "were")
    where = "" if number is None else f"Series {number}: "
    kind = NoticeKind.FILES_OF_ANOTHER_KIND if reason in HARMLESS else NoticeKind.FILES_LOST
    if reason == NOT_DICOM:
        return Notice(kind=kind, text=f"{files} {is_or_are} not DICOM and {was_or_were} left out.")
    return Notice(kind=kind, text=f"{where}{files} {reason} {was_or_were} left out.")

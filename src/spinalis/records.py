"""The frozen records that pass between stages.

`Study -> SeriesLabel -> Landmark -> Measurement -> Finding -> Reading`. Millimetres are in the patient's LPS axes
(x grows to the left, y to the back, z to the head); rows, columns and slices count from 0; slices stand in the
order of their position along the slice normal, never in the order of their instance numbers.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from spinalis.vocabulary import Anatomy, Condition, Detail, Level, NoticeKind, Plane, Region, Sequence, Severity

T = TypeVar("T")

FloatArray = NDArray[np.float64]
Image = NDArray[np.float32]
Vector = tuple[float, float, float]
PixelLoader = Callable[[int], Image]
"""Slice index -> (rows, columns) float32 stored values after the rescale slope; raises `UnreadableFileError`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What a header says of a series. Evidence, not truth: any of it may be missing (None) or wrong."""

    modality: str | None = None
    body_part: str | None = None
    description: str | None = None
    protocol: str | None = None
    image_type: tuple[str, ...] = ()
    scanning_sequence: tuple[str, ...] = ()
    sequence_variant: tuple[str, ...] = ()
    echo_time_ms: float | None = None
    repetition_time_ms: float | None = None
    inversion_time_ms: float | None = None
    flip_angle_deg: float | None = None
    field_strength_t: float | None = None
    manufacturer: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SlicePlane:
    """Where a slice lies in the patient.

    `origin` is the centre of the first pixel; `along_row` is the unit direction of growing column index,
    `along_column` that of growing row index; `row_spacing_mm` is the distance between rows.

    Source: DICOM PS3.3 C.7.6.2.1.1.
    """

    origin_lps_mm: Vector
    along_row: Vector
    along_column: Vector
    row_spacing_mm: float
    column_spacing_mm: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Slice:
    """One slice of a series. `file` is relative to the input; `frame` counts from 0 in a multi-frame file."""

    file: str
    instance_number: int | None = None
    frame: int | None = None
    plane: SlicePlane | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Slices of one orientation, echo and shape, ordered along their normal.

    `key` is unique in the study and carries no identifier; `number` is the SeriesNumber (None where missing). A
    series whose positions are unknown has slices without a plane, in the order of instance number or file name.
    Ordered from the patient's right to left, feet to head or front to back, after the plane that they are named by.
    `flags` says what was noticed while reading: see `formats.dicom`.
    """

    key: str
    number: int | None
    header: Header
    rows: int
    columns: int
    slices: tuple[Slice, ...]
    load: PixelLoader = field(repr=False, compare=False)
    thickness_mm: float | None = None
    instance_uid: str | None = field(default=None, repr=False)
    frame_of_reference_uid: str | None = field(default=None, repr=False)
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """A warning: its kind for programs, its sentence for people. It names no patient."""

    kind: NoticeKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Study:
    """All series of one study. `key` is a short hash of the StudyInstanceUID, or of the folder."""

    key: str
    series: tuple[Series, ...]
    warnings: tuple[Notice, ...] = ()
    instance_uid: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement(Generic[T]):
    """A label with its calibrated probability, and where it comes from: `pixels`, `header`, `geometry`, `fusion`."""

    label: T
    probability: float
    source: str = "pixels"


@dataclass(frozen=True, slots=True, kw_only=True)
class SliceLabel:
    """What one slice is, from its pixels alone, but for `cord`, a probability in sight of the neighbours.

    `index` is into `Series.slices`. `novelty` says how unlike the pictures of the training it is, in units of the
    pack's limit: beyond 1 the slice is UNKNOWN; None where the pack does not measure it.
    """

    index: int
    anatomy: Judgement[Anatomy]
    region: Judgement[Region]
    plane: Judgement[Plane]
    sequence: Judgement[Sequence]
    cord: float
    novelty: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Contradiction:
    """Header and pixels of a series are each sure of another answer: what they say of `head`, and what was taken."""

    head: str
    header: str
    pixels: str
    taken: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesLabel:
    """What a series is: the vote of its slices, fused with header and geometry.

    `cord_slices` are indices into `Series.slices`; `flags` are short words such as `header_contradicts_pixels_region`,
    one for each of the `contradictions`. `detail` is the contrast finer than `sequence`, where the header tells it.
    `coverage` holds all regions that are covered, head to feet, `region` among them where it is known.
    `novelty` is the median of that of its slices: beyond 1 the anatomy is UNKNOWN.
    """

    series_key: str
    number: int | None
    anatomy: Judgement[Anatomy]
    region: Judgement[Region]
    plane: Judgement[Plane]
    sequence: Judgement[Sequence]
    cord_slices: tuple[int, ...]
    slices: tuple[SliceLabel, ...]
    flags: tuple[str, ...] = ()
    contradictions: tuple[Contradiction, ...] = ()
    detail: Judgement[Detail] | None = None
    coverage: Judgement[tuple[Region, ...]] | None = None
    novelty: float | None = None

    @property
    def covers(self) -> tuple[Region, ...]:
        """The regions that are covered, head to feet; none where nothing is known of them."""
        return () if self.coverage is None else self.coverage.label


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A point in one series: slice index, and row and column in pixels (fractional, 0 at the first pixel centre)."""

    series_key: str
    slice_index: int
    row: float
    column: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Landmark:
    """The posterior disc edge at the spinal canal of one level, in the midline.

    `point_lps_mm` is None where the series has no geometry. `confidence` is in 0..1. `projections` are the same
    point in the other series in which it lies.
    """

    level: Level
    point_lps_mm: Vector | None
    confidence: float
    location: Location
    projections: tuple[Location, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """A number with its unit, the levels it belongs to, and how it was taken."""

    name: str
    levels: tuple[Level, ...]
    value: float
    unit: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """A crop that was looked at: where, how large (mm, or pixels without geometry), and its attention in 0..1.

    `heat` lies over the crop as it is shown upright, in rows from the top: what each place adds to the logit of the
    grade that was called, against the mean of the other two. None where the pack gives no maps.
    """

    location: Location
    height: float
    width: float
    unit: str
    attention: float
    heat: tuple[tuple[float, ...], ...] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """What an answer was proven on: `on` is `real` or `simulation`; `figures` says with which result."""

    on: str
    figures: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Graded:
    """A severity with calibrated probabilities in the order of `SEVERITIES` (they sum to 1).

    `not_excluded` are the grades that cannot be excluded at the `sensitivity` asked for; None, nothing was asked.
    """

    severity: Severity
    probabilities: tuple[float, float, float]
    evidence: tuple[Evidence, ...]
    proof: Proof
    sensitivity: float | None = None
    not_excluded: tuple[Severity, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NotAssessed:
    """The missing answer as a value: why nothing is said."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One condition at one level: a grade, or the reason why there is none."""

    condition: Condition
    level: Level
    result: Graded | NotAssessed


@dataclass(frozen=True, slots=True, kw_only=True)
class PackInfo:
    """Which model pack had a hand in a reading."""

    name: str
    task: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """All that is known of one study. `timings_s` are (stage, wall seconds) in order.

    `study` keeps its pixel loaders, so that pictures can be drawn; what is written carries no pixels.
    """

    study: Study
    series: tuple[SeriesLabel, ...]
    levels: tuple[Landmark, ...]
    measurements: tuple[Measurement, ...]
    findings: tuple[Finding, ...]
    warnings: tuple[Notice, ...]
    packs: tuple[PackInfo, ...]
    timings_s: tuple[tuple[str, float], ...]

    @property
    def graded(self) -> tuple[Finding, ...]:
        """The findings that carry a grade."""
        return tuple(f for f in self.findings if isinstance(f.result, Graded))

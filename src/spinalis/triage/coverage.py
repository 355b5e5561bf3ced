"""Which regions of the spine a series covers: a whole spine covers all three, whichever of them its slices vote for.

The spine is laid under the pictures in millimetres. Wherever its two borders may lie, below C7 and below T12, the
slices (axial), or square windows cut from the head end to the foot end of tall pictures (sagittal, coronal), each
speak for one region at one place, by the network that labels slices. A lie of the spine is as likely as it agrees with
them and with the usual length of the thoracic spine. It covers the region with most of its length in the pictures, and
all with `COVERED_SHARE` of their length in them. What the header's network says of coverage, from words and from the
size of the field, is added; the region of the series is always among the answer.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from spinalis.geometry import display_matrix, to_patient
from spinalis.models.prepare import InputSpec, fit_matrix, prepare
from spinalis.records import FloatArray, Image, Judgement, Series, SlicePlane
from spinalis.triage.header import COVERAGES, REGIONS
from spinalis.vocabulary import Plane, Region

COVERED_SHARE = 0.5
"""Share of a region's length in view from which on a series covers it. A convention: a lumbar picture that reaches up
to T10 is no thoracic one."""

LENGTHS_MM = (125.0, 280.0, 180.0)
"""Cervical, thoracic and lumbar spine. Source: H. Gray, Anatomy of the Human Body (1918), the vertebral column as a
whole: 12.5, 28 and 18 cm in the male."""

THORACIC_SD_MM = 25.0
"""How far the thoracic length differs between people. An assumption, about a tenth."""

WINDOW_MM, STEP_MM, TALL_MM = 220.0, 60.0, 320.0
"""Side and distance of the windows, and the height of a picture from which on it is cut. About the height of cervical
pictures, and that of lumbar ones. A picture without positions is taken to be as wide as a window."""

WINDOW_SLICES = 3
"""So many slices around the middle of a stack are cut into windows."""

IN_VIEW = 0.5
"""A picture holds spine over at least this share of its height, or a whole spine. A convention."""

DOUBT = 0.05
"""A window is of another region than it seems with at least this chance. Fitted, as `LEAST` below."""

LEAST = 1e-4
"""No coverage is less likely by the pixels. Both fitted, with the weight of a place, on 139 series of 22 simulated
studies (seed 12): half to twice of each left 118 to 123 series right."""

GRID_MM = 10.0
SPREAD = np.linspace(-2.0, 2.0, 9)
"""Thoracic lengths that are tried, in standard deviations."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Seen:
    """What was seen where, in mm from any origin towards the feet.

    `places_mm` (N,); `logs` (N, 3) log-probability of each region; the pictures reach from `top_mm` to `bottom_mm`.
    """

    places_mm: FloatArray
    logs: FloatArray
    top_mm: float
    bottom_mm: float


def look(
    series: Series,
    plane: Plane,
    slices: tuple[list[int], FloatArray],
    spec: InputSpec,
    ask: Callable[[Image], FloatArray],
) -> Seen | None:
    """Look for the regions from head to feet.

    Args:
        series: the series.
        plane: its plane.
        slices: indices of the readable slices, and their log-probabilities of the regions (N, 3).
        spec: of the network's input.
        ask: network inputs (M, C, H, W) -> log-probabilities (M, 3); asked only for tall pictures.

    Returns:
        None without a readable slice, without a plane, and for axial slices without positions.
    """
    indices, logs = slices
    if not indices or plane is Plane.UNKNOWN:
        return None
    if plane is Plane.AXIAL:
        return _along_stack(series, indices, logs)
    frame = _Frame.of(series, series.slices[indices[0]].plane)
    if frame.height_mm <= TALL_MM:
        return Seen(places_mm=np.full(len(logs), frame.height_mm / 2), logs=logs, top_mm=0.0, bottom_mm=frame.height_mm)
    middle = np.linspace(0.4, 0.6, WINDOW_SLICES) * (len(indices) - 1)
    chosen = [indices[place] for place in dict.fromkeys(middle.round().astype(int).tolist())]
    tops = np.linspace(0, frame.height_mm - WINDOW_MM, 1 + int(np.ceil((frame.height_mm - WINDOW_MM) / STEP_MM)))
    windows = [frame.window(series.load(index), top, spec) for index in chosen for top in tops]
    return Seen(
        places_mm=np.tile(tops + WINDOW_MM / 2, len(chosen)),
        logs=ask(np.stack(windows)),
        top_mm=0.0,
        bottom_mm=frame.height_mm,
    )


def cover(
    seen: Seen | None, region: Judgement[Region], said: FloatArray | None
) -> Judgement[tuple[Region, ...]] | None:
    """Judge which regions are covered, in the order from head to feet.

    Args:
        seen: what was seen where; None takes the region alone.
        region: the region of the series, which is always among them where it is known.
        said: (6,), the header's log-ratio of `COVERAGES`; None where it is silent.

    Returns:
        None where nothing was seen and the region is unknown.
    """
    if seen is None:
        if region.label is Region.UNKNOWN:
            return None
        return Judgement(label=(region.label,), probability=region.probability, source=region.source)
    allowed = np.array([region.label in (*regions, Region.UNKNOWN) for regions in COVERAGES])
    logs = np.where(allowed, np.log(by_pixels(seen) + LEAST) + (0.0 if said is None else said), -np.inf)
    shares = np.exp(logs - logs.max())
    best = int(shares.argmax())
    return Judgement(
        label=COVERAGES[best],
        probability=float(shares[best] / shares.sum()),
        source="pixels" if said is None else "fusion",
    )


def by_pixels(seen: Seen) -> FloatArray:
    """Probability of each of `COVERAGES` by what was seen, (6,)."""
    places, means = _by_place(seen)
    neck, loin = _borders(seen)
    state = (places > neck[..., None]).astype(int) + (places > loin[..., None]).astype(int)
    votes = min(len(places), 1.0 + float(np.ptp(places)) / STEP_MM)
    agreed = np.take_along_axis(means[None, None], state[..., None], axis=-1)[..., 0].sum(axis=-1)
    logs = agreed * votes / len(places) - 0.5 * SPREAD**2
    shares, held = _shares(seen, neck, loin)
    logs = np.where(held, logs, -np.inf)
    chances = np.exp(logs - logs.max())
    covered = [chances[np.all(shares == _is(regions), axis=-1)].sum() for regions in COVERAGES]
    return np.asarray(covered / chances.sum(), float)


def _by_place(seen: Seen) -> tuple[FloatArray, FloatArray]:
    """The places, each once (P,), and the mean log-probability there (P, 3), never far from doubt."""
    doubted = np.log((1 - DOUBT) * np.exp(seen.logs) + DOUBT / len(REGIONS))
    places, group = np.unique(seen.places_mm.round(), return_inverse=True)
    return places, np.stack([doubted[group == number].mean(axis=0) for number in range(len(places))])


def _borders(seen: Seen) -> tuple[FloatArray, FloatArray]:
    """Where C7 may end and T12 may end, each (lies, lengths) in mm."""
    ends = np.arange(seen.top_mm - sum(LENGTHS_MM), seen.bottom_mm + 2 * LENGTHS_MM[0], GRID_MM)[:, None]
    lengths = LENGTHS_MM[1] + SPREAD * THORACIC_SD_MM
    return np.repeat(ends, len(SPREAD), axis=1), ends + lengths


def _shares(seen: Seen, neck: FloatArray, loin: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Which regions each lie of the spine covers, (..., 3) of bool, and whether enough of it is in the pictures."""
    first = np.stack([neck - LENGTHS_MM[0], neck, loin], axis=-1)
    last = np.stack([neck, loin, loin + LENGTHS_MM[2]], axis=-1)
    inside = (np.minimum(last, seen.bottom_mm) - np.maximum(first, seen.top_mm)).clip(min=0)
    most = (inside == inside.max(axis=-1, keepdims=True)) & (inside > 0)
    enough = IN_VIEW * min(seen.bottom_mm - seen.top_mm, sum(LENGTHS_MM))
    return (inside >= COVERED_SHARE * (last - first)) | most, inside.sum(axis=-1) >= enough


def _is(regions: tuple[Region, ...]) -> FloatArray:
    return np.asarray([region in regions for region in REGIONS], float)


def _along_stack(series: Series, indices: list[int], logs: FloatArray) -> Seen | None:
    planes = [series.slices[index].plane for index in indices]
    middle = (series.rows - 1) / 2, (series.columns - 1) / 2
    heights = np.array([-to_patient(plane, *middle)[2] for plane in planes if plane is not None])
    if len(heights) < len(planes):
        return None
    half = (series.thickness_mm or 1.0) / 2
    return Seen(places_mm=heights, logs=logs, top_mm=float(heights.min() - half), bottom_mm=float(heights.max() + half))


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Frame:
    """A picture in conventional display: the turn to it (2, 3), its height, and mm per pixel down and across."""

    turn: FloatArray
    height_mm: float
    down_mm: float
    across_mm: float
    columns: int

    @classmethod
    def of(cls, series: Series, plane: SlicePlane | None) -> "_Frame":
        turn = display_matrix(plane, series.rows, series.columns)
        shape = (series.rows, series.columns)
        assumed = WINDOW_MM / min(shape)
        spacing = (assumed, assumed) if plane is None else (plane.row_spacing_mm, plane.column_spacing_mm)
        if not turn[0, 0]:
            shape, spacing = shape[::-1], spacing[::-1]
        return cls(
            turn=turn,
            height_mm=shape[0] * spacing[0],
            down_mm=spacing[0],
            across_mm=spacing[1],
            columns=shape[1],
        )

    def window(self, image: Image, top_mm: float, spec: InputSpec) -> Image:
        """The network's input of the window that begins at `top_mm`, in the middle of the width; (C, H, W)."""
        height = WINDOW_MM / self.down_mm
        width = min(WINDOW_MM / self.across_mm, self.columns)
        cut = np.eye(3)
        cut[:2, 2] = -(self.columns - width) / 2, -top_mm / self.down_mm
        fit = np.vstack([fit_matrix((round(height), round(width)), spec), [0, 0, 1]])
        return prepare(image, (fit @ cut @ np.vstack([self.turn, [0, 0, 1]]))[:2], spec)

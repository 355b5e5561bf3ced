"""The pictures of the report: slices with the levels, and the crops that were looked at.

Every picture is set upright (sagittal: anterior left, head up; axial: the patient's right left, anterior up) with
square millimetres. Its letters are read off the geometry of the slice; without geometry there are none.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from spinalis.errors import UnreadableFileError
from spinalis.geometry import display_matrix, to_pixel
from spinalis.records import Evidence, FloatArray, Graded, Image, Landmark, Reading, Series, SlicePlane
from spinalis.report.sections import LevelPictures, Picture
from spinalis.report.words import RADIOLOGICAL_ORDER, SHORT_NAMES, joined, slice_name
from spinalis.vocabulary import Condition, Level, Side

Canvas = NDArray[np.uint8]
"""(rows, columns, 3), blue green red."""

Color = tuple[int, int, int]
Point = tuple[float, float]

LEVELS_SIDE_PX = 640
OVERVIEW_SIDE_PX = 340
CROP_SIDE_PX = 220
WEBP_QUALITY = 82
HEAT_OPACITY = 0.6

WINDOW_PERCENTILES = (1, 99)

WHITE: Color = (255, 255, 255)
DARK: Color = (20, 16, 12)
AMBER: Color = (64, 190, 255)
FONT = cv2.FONT_HERSHEY_DUPLEX

COLORS: dict[Side | None, Color] = {Side.RIGHT: (110, 170, 255), None: (230, 215, 80), Side.LEFT: (120, 220, 130)}
"""Orange for the patient's right, cyan for the canal, green for the left; told apart by their numbers as well."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """A part of a slice on a canvas. `matrix` (2, 3) maps (column, row) of the slice to (x, y) of the canvas."""

    canvas: Canvas
    matrix: FloatArray
    scale: float
    letters: tuple[str, str, str, str] | None

    def at(self, row: float, column: float) -> Point:
        """Where a pixel of the slice lies on the canvas."""
        x, y = self.matrix @ (column, row, 1.0)
        return float(x), float(y)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """One crop that was looked at, its number in the level's pictures, and the conditions it was looked at for."""

    number: int
    evidence: Evidence
    conditions: tuple[Condition, ...]

    @property
    def side(self) -> Side | None:
        """The patient's side of its conditions; None for the canal and for crops that serve both sides."""
        sides = {condition.side for condition in self.conditions}
        return sides.pop() if len(sides) == 1 else None


class Gallery:
    """Draws the pictures of one reading; slices that cannot be decoded are left out and named in `warnings`."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._series = {series.key: series for series in reading.study.series}
        self._pixels: dict[tuple[str, int], Image | None] = {}
        self.warnings: list[str] = []

    def levels(self) -> Picture | None:
        """The slice most levels were found in, with all level points of its series; None without any."""
        places = [(item.location.series_key, item.location.slice_index) for item in self._reading.levels]
        if not places:
            return None
        key, index = max(places, key=places.count)
        series = self._series[key]
        view = self._view(series, index, LEVELS_SIDE_PX)
        if view is None:
            return None
        shown = [item for item in self._reading.levels if item.location.series_key == key]
        for item in shown:
            _mark_level(view, item, series.slices[index].plane)
        _write_letters(view)
        names = joined([item.level for item in shown])
        where = slice_name(series, index)
        return _encode(
            view,
            caption=f"Levels on {where}. Each point is the posterior disc edge at the canal.",
            alt=f"{_plane_words(view)} from {where} with the points of {names} marked and named.",
        )

    def looked_at(self) -> tuple[LevelPictures, ...]:
        """Per level: an overview of each series with the outlines of its crops, and the crops enlarged."""
        found = []
        for level, looked in self._crops().items():
            by_series: dict[str, list[Looked]] = {}
            for item in looked:
                by_series.setdefault(item.evidence.location.series_key, []).append(item)
            overviews = [
                self._overview(level, series, by_series[key])
                for key, series in self._series.items()
                if key in by_series
            ]
            crops = [self._crop(level, item) for item in looked]
            found.append(
                LevelPictures(
                    level=level,
                    overviews=tuple(item for item in overviews if item),
                    crops=tuple(item for item in crops if item),
                )
            )
        return tuple(item for item in found if item.crops)

    def _crops(self) -> dict[Level, list[Looked]]:
        """For each level and condition the crop of each series with the greatest attention, same crops joined."""
        chosen: dict[Level, dict[Evidence, list[Condition]]] = {}
        for level in Level:
            results = {f.condition: f.result for f in self._reading.findings if f.level is level}
            for condition in RADIOLOGICAL_ORDER:
                result = results.get(condition)
                if isinstance(result, Graded):
                    for evidence in _strongest(result.evidence):
                        chosen.setdefault(level, {}).setdefault(evidence, []).append(condition)
        return {
            level: [Looked(number=n, evidence=e, conditions=tuple(c)) for n, (e, c) in enumerate(crops.items(), 1)]
            for level, crops in chosen.items()
        }

    def _overview(self, level: Level, series: Series, looked: list[Looked]) -> Picture | None:
        index = max(looked, key=lambda item: item.evidence.attention).evidence.location.slice_index
        view = self._view(series, index, OVERVIEW_SIDE_PX)
        if view is None:
            return None
        for item in looked:
            _outline(view, item, here=item.evidence.location.slice_index == index)
        for item in looked:
            _number(view, item)
        _write_letters(view)
        where = slice_name(series, index)
        return _encode(
            view,
            caption=_capital(where),
            alt=f"{_plane_words(view)} from {where} with {len(looked)} crops outlined for {level}.",
        )

    def _crop(self, level: Level, looked: Looked) -> Picture | None:
        evidence = looked.evidence
        series = self._series[evidence.location.series_key]
        view = self._view(series, evidence.location.slice_index, CROP_SIDE_PX, evidence)
        if view is None:
            return None
        warm = None if evidence.heat is None else heated(view.canvas, evidence.heat)
        _write_letters(view)
        if warm is not None:
            view = replace(view, canvas=np.hstack([view.canvas, warm]))
        _frame(view, COLORS[looked.side])
        names = joined([SHORT_NAMES[condition] for condition in looked.conditions])
        where = slice_name(series, evidence.location.slice_index)
        beside = " Beside it, where the model found its answer." if evidence.heat is not None else ""
        return _encode(
            view,
            caption=f"{looked.number}. {names}, attention {evidence.attention:.2f}. {_capital(where)}{beside}",
            alt=f"{_plane_words(view)}, crop of {evidence.height:.0f} by {evidence.width:.0f} {evidence.unit} "
            f"at {level}, looked at for {names.lower()}.",
        )

    def _view(self, series: Series, index: int, side_px: int, crop: Evidence | None = None) -> View | None:
        if (series.key, index) not in self._pixels:
            try:
                self._pixels[series.key, index] = _windowed(series.load(index))
            except UnreadableFileError as error:
                self.warnings.append(f"A picture is missing. {error}")
                self._pixels[series.key, index] = None
        pixels = self._pixels[series.key, index]
        return None if pixels is None else view_of(pixels, series.slices[index].plane, side_px, crop)


def view_of(pixels: Image, plane: SlicePlane | None, side_px: int, crop: Evidence | None = None) -> View:
    """Set a slice, or a crop of it, upright with square millimetres.

    Args:
        pixels: (rows, columns), 0..255.
        plane: where the slice lies; None takes the pixels as upright and square.
        side_px: length of the longer side of the canvas.
        crop: centre and size of the part to show; None shows the whole slice.

    Returns:
        The view; parts of a crop outside the slice are black.
    """
    rows, columns = pixels.shape
    turn = display_matrix(plane, rows, columns)
    spacing = np.array([plane.column_spacing_mm, plane.row_spacing_mm] if plane else [1.0, 1.0])
    spacing = np.abs(turn[:, :2]) @ spacing
    if crop is None:
        centre, extent = np.array([(columns - 1) / 2, (rows - 1) / 2]), np.abs(turn[:, :2]) @ (columns, rows) * spacing
    else:
        centre = np.array([crop.location.column, crop.location.row])
        extent = np.array([crop.width, crop.height]) * (spacing if crop.unit != "mm" else 1.0)
    scale = side_px / float(extent.max())
    size = np.maximum(1, np.round(extent * scale).astype(int))
    linear = np.diag(spacing * scale) @ turn[:, :2]
    matrix = np.hstack([linear, ((size - 1) / 2 - linear @ centre)[:, None]])
    shrink = float(spacing.min()) * scale
    smooth = cv2.GaussianBlur(pixels, (0, 0), 0.4 / shrink) if shrink < 0.75 else pixels
    border = cv2.BORDER_REPLICATE if crop is None else cv2.BORDER_CONSTANT
    canvas_size = (int(size[0]), int(size[1]))
    grey = cv2.warpAffine(smooth, matrix, canvas_size, flags=cv2.INTER_CUBIC, borderMode=border)
    canvas = cv2.cvtColor(np.clip(grey, 0, 255).astype(np.uint8), cv2.COLOR_GRAY2BGR)
    return View(canvas=np.asarray(canvas, np.uint8), matrix=matrix, scale=scale, letters=_letters(plane, turn))


def heated(canvas: Canvas, heat: tuple[tuple[float, ...], ...]) -> Canvas:
    """A crop under what speaks for the grade: the warmer, the more; what speaks against it stays grey.

    Args:
        canvas: (rows, columns, 3).
        heat: rows from the top, see `Evidence`; scaled by its own largest value.
    """
    height, width = canvas.shape[:2]
    wide = cv2.resize(np.maximum(np.asarray(heat, np.float32), 0.0), (width, height), interpolation=cv2.INTER_CUBIC)
    share = np.clip(wide / max(float(wide.max()), 1e-6), 0.0, 1.0)
    colors = cv2.applyColorMap((share * 255).astype(np.uint8), cv2.COLORMAP_INFERNO)
    weight = HEAT_OPACITY * share[..., None]
    return np.asarray(canvas * (1 - weight) + colors * weight, np.uint8)


def _letters(plane: SlicePlane | None, turn: FloatArray) -> tuple[str, str, str, str] | None:
    """Letters for left, right, top and bottom of the canvas, from the geometry alone."""
    if plane is None:
        return None
    axes = np.array([plane.along_row, plane.along_column])
    right, down = turn[:, :2] @ axes
    return _letter(-right), _letter(right), _letter(-down), _letter(down)


def _letter(direction: FloatArray) -> str:
    axis = int(np.argmax(np.abs(direction)))
    return ("RL", "AP", "FH")[axis][int(direction[axis] > 0)]


def _windowed(image: Image) -> Image:
    finite = image[np.isfinite(image)]
    low, high = np.percentile(finite, WINDOW_PERCENTILES) if finite.size else (0.0, 1.0)
    filled = np.nan_to_num(image, nan=low, posinf=high, neginf=low)
    return np.asarray(np.clip((filled - low) / max(high - low, 1e-6), 0, 1) * 255, np.float32)


def _strongest(evidence: tuple[Evidence, ...]) -> list[Evidence]:
    best: dict[str, Evidence] = {}
    for item in evidence:
        key = item.location.series_key
        if key not in best or item.attention > best[key].attention:
            best[key] = item
    return list(best.values())


def _mark_level(view: View, landmark: Landmark, plane: SlicePlane | None) -> None:
    row, column = landmark.location.row, landmark.location.column
    if plane is not None and landmark.point_lps_mm is not None:
        row, column, _ = to_pixel(plane, landmark.point_lps_mm)
    x, y = (round(value) for value in view.at(row, column))
    edge = view.canvas.shape[1] - 76
    cv2.line(view.canvas, (x + 9, y), (edge - 6, y), DARK, 3, cv2.LINE_AA)
    cv2.line(view.canvas, (x + 9, y), (edge - 6, y), AMBER, 1, cv2.LINE_AA)
    cv2.circle(view.canvas, (x, y), 6, DARK, -1, cv2.LINE_AA)
    cv2.circle(view.canvas, (x, y), 4, AMBER, -1, cv2.LINE_AA)
    _write(view.canvas, landmark.level, (edge, y + 6), AMBER, 0.6)


def _corners(view: View, evidence: Evidence) -> tuple[tuple[int, int], tuple[int, int]]:
    """Upper left and lower right corner of a crop on the canvas, (x, y)."""
    x, y = view.at(evidence.location.row, evidence.location.column)
    pixels = view.scale if evidence.unit == "mm" else float(np.abs(view.matrix[0, :2]).max())
    half_width, half_height = evidence.width * pixels / 2, evidence.height * pixels / 2
    return (round(x - half_width), round(y - half_height)), (round(x + half_width), round(y + half_height))


def _outline(view: View, looked: Looked, *, here: bool) -> None:
    low, high = _corners(view, looked.evidence)
    cv2.rectangle(view.canvas, low, high, COLORS[looked.side], 2 if here else 1, cv2.LINE_AA)


def _number(view: View, looked: Looked) -> None:
    # Numbers stand on the side of the patient they belong to, so that crops in one place stay readable.
    (left, top), (right, _) = _corners(view, looked.evidence)
    spot = {Side.RIGHT: left - 2, None: (left + right) // 2 - 5, Side.LEFT: right - 9}[looked.side]
    _write(view.canvas, str(looked.number), (spot, top - 6), COLORS[looked.side], 0.5)


def _frame(view: View, color: Color) -> None:
    height, width = view.canvas.shape[:2]
    cv2.rectangle(view.canvas, (1, 1), (width - 2, height - 2), color, 3)


def _write_letters(view: View) -> None:
    if view.letters is None:
        return
    height, width = view.canvas.shape[:2]
    spots = ((6, height // 2), (width - 20, height // 2), (width // 2 - 7, 20), (width // 2 - 7, height - 8))
    for letter, spot in zip(view.letters, spots, strict=True):
        _write(view.canvas, letter, spot, WHITE, 0.6)


def _write(canvas: Canvas, text: str, spot: tuple[int, int], color: Color, size: float) -> None:
    cv2.putText(canvas, text, spot, FONT, size, DARK, 3, cv2.LINE_AA)
    cv2.putText(canvas, text, spot, FONT, size, color, 1, cv2.LINE_AA)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _plane_words(view: View) -> str:
    if view.letters is None:
        return "Slice of unknown orientation"
    kinds = {("R", "A"): "Axial slice", ("A", "H"): "Sagittal slice", ("R", "H"): "Coronal slice"}
    return kinds.get((view.letters[0], view.letters[2]), "Oblique slice")


def _encode(view: View, *, caption: str, alt: str) -> Picture:
    _, data = cv2.imencode(".webp", view.canvas, [cv2.IMWRITE_WEBP_QUALITY, WEBP_QUALITY])
    height, width = view.canvas.shape[:2]
    return Picture(data=data.tobytes(), media_type="image/webp", width=width, height=height, caption=caption, alt=alt)

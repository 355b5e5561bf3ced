"""The kinds of picture in which simulated and real ones are set side by side."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinalis.formats import read_studies
from spinalis.geometry import display_matrix, patient_plane, to_pixel
from spinalis.models.prepare import InputSpec, apply_matrix, crop_matrix, resample
from spinalis.records import FloatArray, Image
from spinalis.simulate import SimulatedSeries, SimulatedStudy, simulate_study
from spinalis.simulate.sequence import Contrast
from spinalis.train.data import resynthesized, slabs, spider
from spinalis.train.data.real_slice import shown
from spinalis.vocabulary import LEVELS, Level, Plane, Sequence

CROP_MM, CROP_PIXELS = 50.0, 128
"""Side of a crop around one level. Source: the crops of the public RSNA 2024 solutions, about 50 mm."""

PITCH_MM = 31.6
"""Mean distance between neighbouring posterior disc edges in SPIDER; gives pictures without millimetres a scale."""

VIEW_BACK_MM = 5.0
"""The middle of a crop lies behind the level's point by this, as in `grade.crops`."""

SKIPPED_SHARE = 0.25
"""Share of a real stack left out at either end, where little is in view."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """A picture in conventional display, and whose it is.

    `points` is (5, 2): (x, y) in pixels of the levels L1/L2 to L5/S1; None where unknown or not in view.
    """

    image: Image
    patient: str
    points: FloatArray | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Category:
    """What both halves of a sheet show.

    `profile`, `plane`, `sequence` choose simulated series. A sagittal slice is the one nearest to `offset_mm` beside
    the midline. With `crop`, pictures are cut to `CROP_MM` around a level. `real` names the real pictures:
    `spider:T2w`, `slabs:8.0` (mm beside the midline), `volume:PATH`, `redrawn:T1w` (a contrast of `resynthesized`, to
    be judged beside simulated ones), or nothing.
    """

    name: str
    title: str
    profile: str
    plane: Plane
    sequence: Sequence
    offset_mm: float = 0.0
    crop: bool = False
    real: tuple[str, ...] = ()


_SAGITTAL, _AXIAL = Plane.SAGITTAL, Plane.AXIAL


def _lumbar(
    name: str, title: str, sequence: Sequence, offset_mm: float, real: tuple[str, ...], crop: bool = False
) -> Category:
    return Category(
        name=name,
        title=title,
        profile="lumbar",
        plane=_SAGITTAL,
        sequence=sequence,
        offset_mm=offset_mm,
        crop=crop,
        real=real,
    )


def _cervical(name: str, title: str, plane: Plane, sequence: Sequence, real: tuple[str, ...]) -> Category:
    return Category(name=name, title=title, profile="cervical", plane=plane, sequence=sequence, real=real)


CATEGORIES: tuple[Category, ...] = (
    _lumbar("lumbar-t2w", "Lumbar, mid-sagittal T2w", Sequence.T2W, 0.0, ("spider:T2w",)),
    _lumbar("lumbar-t1w", "Lumbar, mid-sagittal T1w", Sequence.T1W, 0.0, ("spider:T1w",)),
    _lumbar("lumbar-space", "Lumbar, mid-sagittal T2w SPACE", Sequence.T2W, 0.0, ("slabs:0.0",)),
    _lumbar("lumbar-space-side", "Lumbar T2w SPACE, 8 mm beside the midline", Sequence.T2W, 8.0, ("slabs:8.0",)),
    _lumbar("canal-t2w", "Canal, 50 mm, sagittal T2w", Sequence.T2W, 0.0, ("spider:T2w",), crop=True),
    _lumbar("canal-t1w", "Canal, 50 mm, sagittal T1w", Sequence.T1W, 0.0, ("spider:T1w",), crop=True),
    _lumbar("recess-space", "Entry of the foramen, 50 mm, T2w SPACE", Sequence.T2W, 9.0, ("slabs:9.0",), crop=True),
    _lumbar("foramen-t1w", "Foramen, 50 mm, sagittal T1w", Sequence.T1W, 16.0, (), crop=True),
    _cervical(
        "cervical-axial-t2w",
        "Neck, axial T2w",
        _AXIAL,
        Sequence.T2W,
        ("volume:nifti/sct_tutorial_cervical_ax_t2.nii.gz",),
    ),
    _cervical(
        "cervical-axial-other",
        "Neck, axial (real: T2* and MT; simulated: T2w)",
        _AXIAL,
        Sequence.T2W,
        ("volume:nifti/sct_testing_cervical_ax_t2star.nii.gz", "volume:nifti/sct_testing_cervical_ax_mt1.nii.gz"),
    ),
    _cervical(
        "cervical-sagittal-t1w",
        "Neck, sagittal T1w",
        _SAGITTAL,
        Sequence.T1W,
        ("volume:nifti/sct_testing_cervical_t1.nii.gz",),
    ),
    _cervical(
        "cervical-sagittal-t2w",
        "Neck, sagittal T2w",
        _SAGITTAL,
        Sequence.T2W,
        ("volume:nifti/sct_testing_cervical_t2.nii.gz",),
    ),
    _lumbar("redrawn-t1w", "Lumbar T1w, real anatomy redrawn from SPACE", Sequence.T1W, 0.0, ("redrawn:T1w",)),
    _lumbar("redrawn-t2w", "Lumbar T2w, real anatomy redrawn from SPACE", Sequence.T2W, 0.0, ("redrawn:T2w",)),
    _lumbar("redrawn-stir", "Lumbar STIR, real anatomy redrawn from SPACE", Sequence.STIR, 0.0, ("redrawn:STIR",)),
    Category(
        name="thoracic-t2w",
        title="Thoracic and thoracolumbar, sagittal T2w",
        profile="thoracic",
        plane=_SAGITTAL,
        sequence=Sequence.T2W,
        real=(
            "volume:nifti/sct_tutorial_thoracolumbar_sag_t2.nii.gz",
            "volume:nifti/tptbox_thoracic_t2_crop.nii.gz",
        ),
    ),
    Category(
        name="other-sagittal",
        title="Other anatomy, sagittal T1w (real: brains; simulated: any part)",
        profile="other",
        plane=_SAGITTAL,
        sequence=Sequence.T1W,
        real=("volume:dicom/brain_sag_t1_mprage", "volume:dicom/brain_sag_t1_flash"),
    ),
    Category(
        name="other-axial",
        title="Other anatomy, axial T2w (real: abdomen; simulated: any part)",
        profile="other",
        plane=_AXIAL,
        sequence=Sequence.T2W,
        real=("volume:nifti/totalsegmentator_abdomen_mr.nii.gz",),
    ),
)
"""Every sheet. Volumes are one patient each, so they serve the eye and not the classifier."""


def real_pictures(category: Category, root: Path, subset: str | None = None) -> Iterator[Shown]:
    """The real pictures of a category, patient by patient; of SPIDER only those of `subset` where it is given."""
    for source in category.real:
        kind, _, what = source.partition(":")
        if kind == "volume":
            yield from _volume(root / what, category.plane)
        elif kind == "redrawn":
            yield from _redrawn(root, Contrast(what))
        else:
            found = _spider(root, what, subset) if kind == "spider" else _slab(root, float(what), subset)
            yield from (_cropped(item, category) for item in found if item.points is not None or not category.crop)


def _spider(root: Path, contrast: str, subset: str | None) -> Iterator[Shown]:
    for item in spider.read(root):
        named = "T2w-SPACE" if item.space else item.sequence.value
        if named == contrast and subset in (None, item.subset):
            image = item.load()
            size = np.array(image.shape[::-1], float)
            points = None if item.points is None else item.points * size - 0.5
            yield Shown(image=image, patient=item.patient, points=points)


def _slab(root: Path, beside_mm: float, subset: str | None) -> Iterator[Shown]:
    """The slice of each slab nearest to `beside_mm` on either side of the midline, 2.5 mm off at most."""
    patients: dict[str, list[slabs.SlabSlice]] = {}
    for item in slabs.read(root):
        if subset in (None, item.subset) and abs(abs(item.midline_mm) - beside_mm) < 2.5:
            patients.setdefault(item.patient, []).append(item)
    for found in patients.values():
        for sign in (-1, 1):
            beside = [item for item in found if item.midline_mm * sign > 0]
            if beside:
                best = min(beside, key=lambda item: abs(abs(item.midline_mm) - beside_mm))
                yield Shown(image=best.load(), patient=best.patient, points=slabs.level_points(best.load_mask()))


def _redrawn(root: Path, contrast: Contrast) -> Iterator[Shown]:
    for item in resynthesized.read(root, seed=1, contrasts=(contrast,), within_mm=0.5 * slabs.SLICE_MM):
        yield Shown(image=item.image, patient=item.patient, points=item.points)


def _volume(path: Path, plane: Plane) -> Iterator[Shown]:
    for study in read_studies(path):
        for series in study.series:
            slices = [shown(series, index) for index in range(len(series.slices))]
            native = series.slices[len(slices) // 2].plane
            if native is not None and patient_plane(native) is Plane.SAGITTAL and plane is Plane.AXIAL:
                slices = axial_from(slices)
            count = len(slices)
            for image in slices[int(SKIPPED_SHARE * count) : max(1, round((1 - SKIPPED_SHARE) * count))]:
                if image.std() > 0:
                    yield Shown(image=image, patient=path.name.split(".")[0])


def axial_from(sagittal: list[Image]) -> list[Image]:
    """The axial slices, head to feet, of a volume with cubic voxels given as sagittal ones, right to left."""
    return list(np.stack(sagittal).transpose(1, 2, 0))


def simulated_pictures(
    categories: Iterable[Category], wanted: int, seed: int, most_studies: int = 40
) -> Mapping[str, list[Shown]]:
    """One picture per study and category, until each has `wanted`; each study is simulated once for all of them.

    Returns:
        Category name -> pictures; fewer than `wanted` where `most_studies` of its profile show no more.
    """
    found: dict[str, list[Shown]] = {category.name: [] for category in categories}
    for profile in dict.fromkeys(category.profile for category in categories):
        mine = [category for category in categories if category.profile == profile]
        for number in range(most_studies):
            missing = [category for category in mine if len(found[category.name]) < wanted]
            if not missing:
                break
            study = simulate_study(seed, number, profile)
            rng = np.random.default_rng((seed, number, 3))
            for category in missing:
                found[category.name] += _simulated(study, category, f"{seed}/{number}/{profile}", rng)[:1]
    return found


def _simulated(study: SimulatedStudy, category: Category, key: str, rng: np.random.Generator) -> list[Shown]:
    pictures = []
    for item in study.series:
        if item.plane is not category.plane or item.sequence is not category.sequence:
            continue
        levels = study.truth.levels if category.profile == "lumbar" else {}
        index = _index(item, levels, category, rng)
        points = np.array([_point(item, index, levels[level]) for level in LEVELS]) if levels else None
        pictures.append(_cropped(Shown(image=shown(item.series, index), patient=key, points=points), category))
    return pictures


def _index(
    item: SimulatedSeries,
    levels: Mapping[Level, tuple[float, float, float]],
    category: Category,
    rng: np.random.Generator,
) -> int:
    count = len(item.series.slices)
    if category.plane is not Plane.SAGITTAL:
        return int(rng.integers(int(SKIPPED_SHARE * count), max(1, round((1 - SKIPPED_SHARE) * count))))
    if not levels:
        return count // 2
    misses = []
    for one in item.series.slices:
        if one.plane is None:
            raise ValueError("Simulated series: expected slices with positions, got none.")
        misses.append(abs(to_pixel(one.plane, levels[Level.L3_L4])[2] - category.offset_mm))
    return int(np.argmin(misses))


def _point(item: SimulatedSeries, index: int, point: tuple[float, float, float]) -> FloatArray:
    plane = item.series.slices[index].plane
    if plane is None:
        raise ValueError("Simulated series: expected slices with positions, got none.")
    row, column, _ = to_pixel(plane, point)
    turn = display_matrix(plane, item.series.rows, item.series.columns)
    return np.asarray(apply_matrix(turn, np.array([[column, row]]))[0])


def mm_per_pixel(points: FloatArray) -> float:
    """Size of a pixel, from the mean pitch of the level points (5, 2)."""
    return PITCH_MM / float(np.linalg.norm(np.diff(points, axis=0), axis=1).mean())


def _cropped(picture: Shown, category: Category) -> Shown:
    """Cut around one level, chosen by the patient's name, so that every level has its turn."""
    if not category.crop or picture.points is None:
        return picture
    level = sum(picture.patient.encode()) % len(LEVELS)
    x, y = picture.points[level]
    mm = mm_per_pixel(picture.points)
    spec = InputSpec(height=CROP_PIXELS, width=CROP_PIXELS, spacing_mm=CROP_MM / CROP_PIXELS)
    matrix = crop_matrix((float(y), float(x) + VIEW_BACK_MM / mm), (mm, mm), spec)
    return Shown(image=resample(picture.image, matrix, (CROP_PIXELS, CROP_PIXELS)), patient=picture.patient)


def stretched(
    image: Image, percentiles: tuple[float, float] = (1.0, 99.3)
) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """Bytes from the given percentiles of a picture."""
    low, high = np.percentile(image, percentiles)
    return np.asarray(np.clip((image - low) / max(float(high - low), 1e-6) * 255, 0, 255), np.uint8)

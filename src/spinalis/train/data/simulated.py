"""Simulated studies, harvested once into small arrays for every task and kept on disk."""

from collections.abc import Iterable, Mapping
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from hashlib import sha256
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis import simulate
from spinalis.geometry import display_matrix, to_pixel
from spinalis.grade.crops import SLOTS
from spinalis.localize.decode import CHANNELS
from spinalis.localize.levels import input_matrix, middle_slices
from spinalis.models.prepare import InputSpec, apply_matrix, fit_matrix, resample, stretched
from spinalis.records import Image, Judgement, SeriesLabel, Vector
from spinalis.simulate.study import SimulatedSeries, SimulatedStudy, simulate_study
from spinalis.train.data.bags import JITTER_MM, LAYOUT, cut_bags
from spinalis.triage.header import ANATOMIES, PLANES, REGIONS, SEQUENCES
from spinalis.vocabulary import Anatomy, Plane

TRIAGE_SIZE, LEVEL_SIZE = 192, 224
"""Pixels of the kept pictures, a little more than the networks see."""

SLICES_PER_SERIES = 4
"""Drawn of every series; those on either side of a border of the cord are kept besides, as they are hardest to tell."""

VOLUME_SHAPE = (16, 64, 64)
"""Slices, rows and columns of the kept volumes: about the slices of a sagittal series, a third of `TRIAGE_SIZE`."""

FEWEST_SLICES = 3
"""A series with fewer makes no volume."""

WORDS = ("part", "region", "plane", "sequence", "contrast", "cord")
CORD, NO_CORD = "cord", "no cord"
"""What is known of a slice in words, `part` and `contrast` finer than anatomy and sequence."""
MIDLINE_MM = 7.0
"""A sagittal slice shows a level's point when it passes within this of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Harvest:
    """How many studies of a profile to simulate, from which seed.

    `whole` keeps every slice of every series and leaves out levels and crops: for judging votes.
    """

    profile: str
    seed: int
    studies: int
    whole: bool = False


def harvest(wanted: Harvest, folder: Path, crops: InputSpec, jobs: int) -> list[Path]:
    """Simulate and keep what training needs of every study; what is already there is not made again.

    Returns:
        One `.npz` per study: `triage_*`, `volume_*`, and for lumbar profiles `level_*` and `bag_*`, see `_arrays`.
    """
    target = folder / f"{wanted.profile}-{wanted.seed}-{fingerprint(crops)}{'-whole' * wanted.whole}"
    target.mkdir(parents=True, exist_ok=True)
    files = [target / f"{number:05d}.npz" for number in range(wanted.studies)]
    missing = [(wanted, number, file, crops) for number, file in enumerate(files) if not file.exists()]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(_keep, missing, chunksize=4):
            pass
    return files


def fingerprint(crops: InputSpec) -> str:
    """A short hash of all that shapes a harvest beside profile and seed: the simulator's sources, crops and sizes."""
    sizes = (TRIAGE_SIZE, LEVEL_SIZE, VOLUME_SHAPE, SLICES_PER_SERIES, FEWEST_SLICES)
    settings = (crops, SLOTS, sizes, MIDLINE_MM, JITTER_MM, LAYOUT)
    digest = sha256(repr(settings).encode())
    for source in sorted(Path(simulate.__file__).parent.glob("*.py")):
        digest.update(source.read_bytes())
    return digest.hexdigest()[:8]


def _keep(job: tuple[Harvest, int, Path, InputSpec]) -> None:
    wanted, number, file, crops = job
    study = simulate_study(wanted.seed, number, wanted.profile)
    rng = np.random.default_rng((wanted.seed, number, 7))
    partial = file.with_suffix(".part.npz")
    arrays: dict[str, Any] = dict(_arrays(study, rng, crops, wanted.whole))
    np.savez(partial, **arrays)
    partial.replace(file)


def _arrays(
    simulated: SimulatedStudy, rng: np.random.Generator, crops: InputSpec, whole: bool
) -> dict[str, NDArray[Any]]:
    """Everything that is kept of one study.

    triage_images (n, S, S) bytes, triage_labels (n, 5) class indices (-1 unknown; cord last); triage_series (n,) the
    series of each slice; triage_words (n, 6) by `WORDS`; triage_pictures (n, S, S) the slices as a PNG export has
    them, see `prepare.stretched`;
    volume_images (k, *VOLUME_SHAPE) bytes, volume_words (k, 3) contrast, part, manufacturer;
    level_images (m, S, S), level_points (m, 8, 2) input pixels, level_seen (m, 8);
    bag_*: see `bags.cut_bags`.
    """
    arrays = {**slice_arrays(simulated, rng, whole=whole), **_volumes(simulated)}
    truth = simulated.truth
    if truth.grades and not whole:
        arrays |= _levels(simulated, rng)
        arrays |= cut_bags(simulated.study, truth_labels(simulated), truth.levels, truth.grades, crops, rng)
    return arrays


def to_bytes(image: Image) -> NDArray[np.uint8]:
    """Scale a picture to bytes by its 99.5th percentile, with a quarter of headroom."""
    low, high = np.percentile(image, (0.5, 99.5))
    return np.asarray(np.clip((image - low) / max(float(high - low), 1e-6) * 200.0, 0, 255), np.uint8)


def fitted(image: Image, turn: NDArray[np.float64], size: int) -> NDArray[np.uint8]:
    """A picture in conventional display, its longer side fitted to `size`; (size, size) bytes."""
    return to_bytes(fit_picture(image, turn, size))


def fit_picture(image: Image, turn: NDArray[np.float64], size: int) -> Image:
    """A picture in conventional display, its longer side fitted to `size`; (size, size), 0 outside of it."""
    shape = image.shape if turn[0, 0] else image.shape[::-1]
    spec = InputSpec(height=size, width=size)
    fit = np.vstack([fit_matrix((shape[0], shape[1]), spec), [0, 0, 1]])
    matrix = (fit @ np.vstack([turn, [0, 0, 1]]))[:2]
    return resample(image, matrix, (size, size))


def class_of(words: Iterable[object], word: object) -> int:
    """Index of a word among the classes, or -1 where it is none of them."""
    listed = list(words)
    return listed.index(word) if word in listed else -1


def slice_arrays(simulated: SimulatedStudy, rng: np.random.Generator, *, whole: bool) -> dict[str, NDArray[Any]]:
    """The `triage_*` arrays of a study, see `_arrays`: some slices of every series, or `whole` series."""
    images, pictures, labels, words, series = [], [], [], [], []
    for place, item in enumerate(simulated.series):
        count = len(item.series.slices)
        drawn = range(count) if whole else rng.choice(count, min(SLICES_PER_SERIES, count), replace=False)
        for index in sorted({*map(int, drawn), *map(int, np.flatnonzero(at_edge(np.array(item.cord))))}):
            turn = display_matrix(item.series.slices[index].plane, item.series.rows, item.series.columns)
            image = item.series.load(index)
            images.append(fitted(image, turn, TRIAGE_SIZE))
            pictures.append(fit_picture(stretched(image), turn, TRIAGE_SIZE).round().astype(np.uint8))
            labels.append(_classes(item, index))
            words.append(_words(item, index))
            series.append(place)
    return {
        "triage_images": np.stack(images),
        "triage_labels": np.array(labels, np.int8),
        "triage_series": np.array(series, np.int16),
        "triage_words": np.array(words),
        "triage_pictures": np.stack(pictures),
    }


def at_edge(cord: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Which slices stand on either side of a border of the cord; (N,), as is `cord`."""
    changes = cord[1:] != cord[:-1]
    return np.asarray(np.concatenate([changes, [False]]) | np.concatenate([[False], changes]), np.bool_)


def _classes(item: SimulatedSeries, index: int) -> list[int]:
    return [
        class_of(ANATOMIES, item.anatomy),
        class_of(REGIONS, item.region),
        class_of(PLANES, item.plane),
        class_of(SEQUENCES, item.sequence),
        int(item.cord[index]) if item.anatomy is Anatomy.MR_SPINE else -1,
    ]


def _words(item: SimulatedSeries, index: int) -> tuple[str, ...]:
    cord = CORD if item.cord[index] else NO_CORD
    return item.part, item.region.value, item.plane.value, item.sequence.value, item.contrast.value, cord


def _volumes(simulated: SimulatedStudy) -> dict[str, NDArray[Any]]:
    """Every series as a volume in conventional display, slices evenly spread over it."""
    depth, rows, columns = VOLUME_SHAPE
    volumes, words = [], []
    for item in simulated.series:
        count = len(item.series.slices)
        if count < FEWEST_SLICES:
            continue
        turn = display_matrix(item.series.slices[0].plane, item.series.rows, item.series.columns)
        chosen = np.linspace(0, count - 1, depth).round().astype(int)
        small = {int(index): fit_picture(item.series.load(int(index)), turn, rows) for index in np.unique(chosen)}
        volumes.append(to_bytes(np.stack([small[int(index)] for index in chosen])))
        words.append((item.contrast.value, item.part, item.series.header.manufacturer or ""))
    empty = np.zeros((0, depth, rows, columns), np.uint8)
    return {
        "volume_images": np.stack(volumes) if volumes else empty,
        "volume_words": np.array(words, np.str_).reshape(-1, 3),
    }


def _levels(simulated: SimulatedStudy, rng: np.random.Generator) -> dict[str, NDArray[Any]]:
    truth = simulated.truth
    named = {**{level.value: point for level, point in truth.levels.items()}, **truth.landmarks}
    spec = InputSpec(height=LEVEL_SIZE, width=LEVEL_SIZE)
    images, points, seen = [], [], []
    for item in simulated.series:
        if item.plane is not Plane.SAGITTAL:
            continue
        for index in _chosen(item, named, rng):
            matrix = input_matrix(item.series, int(index), spec)
            images.append(to_bytes(resample(item.series.load(int(index)), matrix, (LEVEL_SIZE, LEVEL_SIZE))))
            placed = [_place(item, int(index), named.get(name)) for name in CHANNELS]
            points.append(apply_matrix(matrix, np.array([place[:2] for place in placed])))
            seen.append([place[2] <= MIDLINE_MM for place in placed])
    return {
        "level_images": np.stack(images),
        "level_points": np.array(points, np.float32),
        "level_seen": np.array(seen),
    }


def _chosen(item: SimulatedSeries, named: Mapping[str, Vector], rng: np.random.Generator) -> list[int]:
    """Slices near the middle of a series: one at random, the others of those that show a level, as far as there are."""
    near = [int(index) for index in rng.permutation(middle_slices(item.series))]
    shown = [i for i in near if any(_place(item, i, point)[2] <= MIDLINE_MM for point in named.values())]
    return sorted({*near[:1], *shown[: SLICES_PER_SERIES - 1]})


def _place(item: SimulatedSeries, index: int, point: Vector | None) -> tuple[float, float, float]:
    plane = item.series.slices[index].plane
    if point is None or plane is None:
        return 0.0, 0.0, float("inf")
    row, column, distance = to_pixel(plane, point)
    inside = 0 <= row < item.series.rows and 0 <= column < item.series.columns
    return column, row, distance if inside else float("inf")


def truth_labels(simulated: SimulatedStudy) -> tuple[SeriesLabel, ...]:
    """The labels that a faultless triage would give."""
    return tuple(
        SeriesLabel(
            series_key=item.series.key,
            number=item.series.number,
            anatomy=Judgement(label=item.anatomy, probability=1.0),
            region=Judgement(label=item.region, probability=1.0),
            plane=Judgement(label=item.plane, probability=1.0),
            sequence=Judgement(label=item.sequence, probability=1.0),
            cord_slices=tuple(index for index, cord in enumerate(item.cord) if cord),
            slices=(),
        )
        for item in simulated.series
    )

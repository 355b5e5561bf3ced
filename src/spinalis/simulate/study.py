"""Whole studies: series with headers, and the truth beside them.

A study is a pure function of seed, number and profile. numba (the extra `simulate`) is imported when a study is
made, not when this file is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import SimulationError
from spinalis.records import FloatArray, Image, Series, Slice, Study
from spinalis.simulate.anatomy import Subject, sample_subject
from spinalis.simulate.disease import forced, sample_disease
from spinalis.simulate.elsewhere import ELSEWHERE, SHARES
from spinalis.simulate.grades import judge
from spinalis.simulate.junction import Junction
from spinalis.simulate.pathology import shape
from spinalis.simulate.protocols import (
    axial_stacks,
    coronal_stack,
    header,
    other_stack,
    sagittal_stack,
)
from spinalis.simulate.scanner import SAMPLE_OFFSETS, Stack, distances_to, sample_artefacts, scan
from spinalis.simulate.sequence import Contrast, Protocol, sample_protocol, signal_table
from spinalis.simulate.tissue import sample_tissues
from spinalis.simulate.truth import Truth, measures_of, truth_document, truth_of
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

if TYPE_CHECKING:
    from spinalis.simulate.coordinates import Body

PROFILES = ("lumbar", "lumbar-balanced", "cervical", "thoracic", "other")
CORD_VISIBLE_MM2 = {Plane.AXIAL: 14.0, Plane.SAGITTAL: 60.0, Plane.CORONAL: 60.0}
"""Area of cord in a slice from which on a reader would say that it is in view. Fitted."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedSeries:
    """One series, its pixels (slices, rows, columns), and what is true of it; `cord` is per slice."""

    series: Series
    anatomy: Anatomy
    region: Region
    plane: Plane
    sequence: Sequence
    cord: tuple[bool, ...]
    pixels: NDArray[np.uint16] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedStudy:
    """A study as if it had been read from disk, with its truth."""

    study: Study
    series: tuple[SimulatedSeries, ...]
    truth: Truth


def simulate_study(  # noqa: PLR0913
    seed: int,
    number: int,
    profile: str = "lumbar",
    *,
    severity_boost: float = 0.0,
    disease: Mapping[str, Any] | None = None,
    reader_noise: float = 0.0,
    junction: Junction | str | None = None,
) -> SimulatedStudy:
    """Make one study; the same arguments give the same study in every process.

    Args:
        seed: the seed of the set.
        number: the number of the study in the set, from 0.
        profile: `lumbar` (grades as frequent as in the RSNA 2024 set), `lumbar-balanced` (moderate and severe
            frequent, for training), `cervical`, `thoracic`, or `other` (an anatomy of `elsewhere`).
        severity_boost: added to the standard normal score of every finding; 0 keeps the profile's frequencies.
        disease: parts of the drawn disease to replace, see `disease.forced`; lumbar profiles only.
        reader_noise: standard deviation that a reader adds to every score, kept beside the exact grades; see `grades`.
        junction: forces the lumbosacral junction; another kind makes another study from there on.

    Raises:
        SimulationError: an unknown profile or junction, a negative seed or number, or numba is not installed.
    """
    check(seed, number, profile)
    rng = np.random.default_rng([seed, number, PROFILES.index(profile)])
    key = sha256(f"{seed}/{number}/{profile}".encode()).hexdigest()[:12]
    body, subject = sample_body(rng, junction)
    if profile == "other":
        series = _acquire_other(rng, subject, body)
        records = tuple(one.series for one in series)
        return SimulatedStudy(study=Study(key=key, series=records), series=series, truth=Truth())
    region = {"cervical": Region.CERVICAL, "thoracic": Region.THORACIC}.get(profile, Region.LUMBAR)
    measures = measures_of(body)
    truth = truth_of(subject, body, measures, {})
    if region is Region.LUMBAR:
        drawn = sample_disease(rng, subject.age, profile == "lumbar-balanced", severity_boost)
        drawn = forced(drawn, disease or {})
        shape(rng, subject, measures, drawn)
        reader = np.random.default_rng([seed, number, PROFILES.index(profile), 1])
        truth = truth_of(subject, body, measures, judge(measures, reader, reader_noise), drawn)
    series = _acquire(rng, subject, body, region)
    return SimulatedStudy(study=Study(key=key, series=tuple(one.series for one in series)), series=series, truth=truth)


def iterate_studies(seed: int, start: int, count: int, profile: str = "lumbar") -> Iterator[SimulatedStudy]:
    """Studies `start` to `start + count - 1`, one at a time."""
    for number in range(start, start + count):
        yield simulate_study(seed, number, profile)


def check(seed: int, number: int, profile: str) -> None:
    """Refuse what cannot be simulated.

    Raises:
        SimulationError: an unknown profile, a negative seed or number, or numba is not installed.
    """
    if profile not in PROFILES:
        raise SimulationError(f"Profile: expected one of {', '.join(PROFILES)}, got {profile!r}. Choose one of these.")
    if seed < 0 or number < 0:
        raise SimulationError(
            f"Study: expected seed and number >= 0, got seed {seed} and number {number}. Count from 0."
        )
    try:
        import numba  # noqa: F401, PLC0415
    except ImportError as error:
        raise SimulationError(
            "Simulator: expected numba to be installed, got none. Install the extra: pip install 'spinalis[simulate]'."
        ) from error


def sample_body(rng: np.random.Generator, junction: Junction | str | None = None) -> tuple["Body", Subject]:
    """Draw a subject; the body shares its arrays, so what is carved into one is seen in the other."""
    from spinalis.simulate.coordinates import Body  # noqa: PLC0415

    subject = sample_subject(rng, junction)
    return Body(*subject.arrays), subject


def _acquire(rng: np.random.Generator, subject: Subject, body: "Body", region: Region) -> tuple[SimulatedSeries, ...]:
    """Draw the study's protocol and scan it: sagittal T1w and T2w (or STIR), axial T2w, at times more."""
    field_t = float(rng.choice((1.5, 1.5, 3.0)))
    vendor = int(rng.integers(0, 3))
    stir = rng.random()
    sagittal = [Sequence.T1W, *([Sequence.STIR] if stir < 0.12 else [Sequence.T2W])]
    if 0.12 <= stir < 0.35:
        sagittal.append(Sequence.STIR)
    axial = [Sequence.T2W, *([Sequence.T1W] if rng.random() < 0.25 else [])]
    plan: list[tuple[Stack, list[Sequence]]] = [(sagittal_stack(rng, subject, region), sagittal)]
    plan += [(stack, axial) for stack in axial_stacks(rng, subject, region)]
    if rng.random() < 0.3:
        plan.insert(0, (coronal_stack(rng, subject, region), [Sequence.T2W if rng.random() < 0.7 else Sequence.T1W]))
    tissues = sample_tissues(rng, field_t, subject.age)
    contrasts = {Sequence.T1W: Contrast.T1W, Sequence.T2W: Contrast.T2W, Sequence.STIR: Contrast.STIR}
    if rng.random() < 0.08:
        contrasts[Sequence.T2W] = Contrast.T2W_FS
    protocols = {sequence: sample_protocol(rng, contrast, field_t) for sequence, contrast in contrasts.items()}
    series: list[SimulatedSeries] = []
    for stack, sequences in plan:
        labels, texture = render_labels(body, stack)
        cord = _cord(labels, stack)
        for sequence in sequences:
            protocol = protocols[sequence]
            water, fat = signal_table(protocol, tissues)
            tables = (water, fat, tissues.texture)
            pixels = expose(rng, (labels, texture), tables, stack, distances_to(stack, subject))
            record = make_series(rng, stack, pixels, protocol, (region, vendor, len(series) + 2))
            series.append(
                SimulatedSeries(
                    series=record,
                    anatomy=Anatomy.MR_SPINE,
                    region=region,
                    plane=stack.plane,
                    sequence=sequence,
                    cord=cord,
                    pixels=pixels,
                )
            )
    return tuple(series)


def _acquire_other(rng: np.random.Generator, subject: Subject, body: "Body") -> tuple[SimulatedSeries, ...]:
    """Two to four series of one anatomy of `elsewhere`, in any plane."""
    from spinalis.simulate.other import part_labels  # noqa: PLC0415

    kind = int(rng.choice(len(ELSEWHERE), p=SHARES))
    shown = ELSEWHERE[kind]
    size = float(rng.normal(1, 0.07))
    vendor, field_t = int(rng.integers(0, 3)), float(rng.choice((1.5, 3.0)))
    tissues = sample_tissues(rng, field_t, subject.age)
    series: list[SimulatedSeries] = []
    for _ in range(int(rng.integers(2, 5))):
        stack = other_stack(rng, subject, kind)
        anatomy = part_labels(shown, subject.noise, size, stack) if shown.parts else render_labels(body, stack)
        contrast = (Contrast.T1W, Contrast.T2W, Contrast.PD, Contrast.STIR)[int(rng.choice(4, p=(0.3, 0.4, 0.2, 0.1)))]
        protocol = sample_protocol(rng, contrast, field_t)
        tables = (*signal_table(protocol, tissues), tissues.texture)
        away = np.zeros((stack.rows, stack.columns))
        distances = (away - 100.0, away) if shown.still else distances_to(stack, subject)
        pixels = expose(rng, anatomy, tables, stack, distances)
        series.append(
            SimulatedSeries(
                series=make_series(rng, stack, pixels, protocol, (Region.UNKNOWN, vendor, len(series) + 2)),
                anatomy=Anatomy.OTHER,
                region=Region.UNKNOWN,
                plane=stack.plane,
                sequence=protocol.sequence,
                cord=(False,) * stack.count,
                pixels=pixels,
            )
        )
    return tuple(series)


def render_labels(body: "Body", stack: Stack) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The labels of a stack, (S, rows, columns, samples), and its texture, (S, rows, columns)."""
    from spinalis.simulate.render import SAMPLES, render_slices  # noqa: PLC0415

    shape = (stack.count, stack.rows, stack.columns)
    labels = np.empty((*shape, SAMPLES), np.uint8)
    texture = np.empty(shape, np.float32)
    render_slices(body, stack.kernel_planes(), SAMPLE_OFFSETS, labels, texture)
    return labels, texture


def _cord(labels: NDArray[np.uint8], stack: Stack) -> tuple[bool, ...]:
    from spinalis.simulate.render import cord_pixels  # noqa: PLC0415

    found = np.zeros(stack.count, np.int64)
    cord_pixels(labels, found)
    enough = CORD_VISIBLE_MM2[stack.plane] / stack.pixel_mm**2
    return tuple(bool(count >= enough) for count in found)


def expose(
    rng: np.random.Generator,
    anatomy: tuple[NDArray[np.uint8], NDArray[np.float32]],
    tables: tuple[FloatArray, FloatArray, FloatArray],
    stack: Stack,
    distances: tuple[FloatArray, FloatArray],
) -> NDArray[np.uint16]:
    """Scan a rendered stack: `tables` are signal of water, of fat, and strength of texture by label."""
    from spinalis.simulate.render import shade  # noqa: PLC0415

    images = np.empty((2, *anatomy[1].shape), np.float32)
    shade(*anatomy, *tables, images)
    pixels = scan(rng, images, stack, sample_artefacts(rng, stack), distances)
    pixels.flags.writeable = False
    return pixels


def make_series(
    rng: np.random.Generator,
    stack: Stack,
    pixels: NDArray[np.uint16],
    protocol: Protocol,
    place: tuple[Region, int, int],
) -> Series:
    """The record of a series: `place` is its region, its vendor and its number in the study."""
    region, vendor, number = place
    order = range(1, stack.count + 1)
    numbers = list(reversed(order)) if rng.random() < 0.4 else list(order)

    def load(index: int) -> Image:
        return np.asarray(pixels[index], np.float32)

    return Series(
        key=f"{number:03d}",
        number=number,
        header=header(rng, protocol, stack.plane, region, vendor),
        rows=stack.rows,
        columns=stack.columns,
        slices=tuple(
            Slice(file=f"{number:03d}/{instance:04d}.dcm", instance_number=instance, plane=plane)
            for instance, plane in zip(numbers, stack.slice_planes(), strict=True)
        ),
        load=load,
        thickness_mm=stack.thickness_mm,
    )


def study_document(made: SimulatedStudy) -> dict[str, Any]:
    """The truth of a study and of its series as plain JSON values, schema `spinalis-truth/1`."""
    return {
        "schema": "spinalis-truth/1",
        **truth_document(made.truth),
        "series": [
            {
                "number": one.series.number,
                "anatomy": one.anatomy.value,
                "region": one.region.value,
                "plane": one.plane.value,
                "sequence": one.sequence.value,
                "cord": one.cord,
            }
            for one in made.series
        ],
    }

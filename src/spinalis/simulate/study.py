"""Whole studies: series with headers, and the truth beside them.

A study is a pure function of seed, number and profile. numba (the extra `simulate`) is imported when a study is
made, not when this file is.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import SimulationError
from spinalis.formats.dicom.form import FileForm
from spinalis.records import FloatArray, Header, Image, Series, Slice, Study
from spinalis.simulate.anatomy import Subject, sample_subject
from spinalis.simulate.coverage import DISCS, SliceTruth, slice_truths
from spinalis.simulate.dialects import Acquired, Site, file_form, sample_site, write_header
from spinalis.simulate.disease import forced, sample_disease
from spinalis.simulate.elsewhere import ELSEWHERE, SHARES
from spinalis.simulate.flow import darken
from spinalis.simulate.grades import judge
from spinalis.simulate.junction import Junction
from spinalis.simulate.metal import bend
from spinalis.simulate.pathology import shape
from spinalis.simulate.practice import draw_field, plan_study, plan_whole_spine
from spinalis.simulate.protocols import other_stack
from spinalis.simulate.scanner import (
    SAMPLE_OFFSETS,
    Artefacts,
    Stack,
    distances_to,
    measured,
    sample_artefacts,
    scan,
    within,
)
from spinalis.simulate.sequence import DIXON, Contrast, Protocol, sample_protocol, signal_table
from spinalis.simulate.tissue import TissueTable, sample_tissues
from spinalis.simulate.truth import Truth, measures_of, truth_document, truth_of
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

if TYPE_CHECKING:
    from spinalis.simulate.coordinates import Body

PROFILES = ("lumbar", "lumbar-balanced", "cervical", "thoracic", "whole", "other")
REGION_OF_PROFILE = {
    "lumbar": Region.LUMBAR,
    "lumbar-balanced": Region.LUMBAR,
    "cervical": Region.CERVICAL,
    "thoracic": Region.THORACIC,
    "whole": None,
}
CORD_VISIBLE_MM2 = {Plane.AXIAL: 14.0, Plane.SAGITTAL: 60.0, Plane.CORONAL: 60.0}
"""Area of cord in a slice from which on a reader would say that it is in view. Fitted."""

SLAB_MM, SLAB_SLICE_MM = 15.0, 1.5
"""A single slice thicker than this is a slab, rendered in slices of about this thickness."""

BACKWARDS = 0.4
"""Series whose instance numbers run against the order of their positions. An assumption."""

OTHER_CONTRASTS = (Contrast.T1W, Contrast.T2W, Contrast.PD, Contrast.STIR, Contrast.GRE, Contrast.DWI)
OTHER_SHARES = (0.3, 0.38, 0.14, 0.1, 0.05, 0.03)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedSeries:
    """One series, its pixels (slices, rows, columns), and what is true of it.

    Attributes:
        series: as if it had been read from disk; parallel slices only, so the blocks of an axial series and the planes
            of a localizer are a series each, and `form.group` says which the scanner has put into one.
        region: UNKNOWN in other anatomy and where several regions share the picture; `slices` has them all.
        contrast: finer than `sequence`.
        part: what was scanned, `SPINE` or a word of `elsewhere`; never missing or wrong, as a header's may be.
        slices: what each slice shows.
        stack: where the slices lie.
        form: how its files look.
    """

    series: Series
    anatomy: Anatomy
    region: Region
    plane: Plane
    sequence: Sequence
    contrast: Contrast
    part: str
    slices: tuple[SliceTruth, ...]
    stack: Stack
    form: FileForm
    pixels: NDArray[np.uint16] = field(repr=False)

    @property
    def cord(self) -> tuple[bool, ...]:
        """Per slice, whether the cord is in view."""
        return tuple(item.cord for item in self.slices)

    @property
    def levels(self) -> tuple[str, ...]:
        """The discs in view of the series, head to feet."""
        seen = {name for item in self.slices for name in item.levels}
        return tuple(name for name in DISCS if name in seen)

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions in view of the series."""
        seen = {region for item in self.slices for region in item.regions}
        return tuple(region for region in Region if region in seen)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class SimulatedStudy:
    """A study as if it had been read from disk, with its truth; `body` is the spine that was scanned, if it is one."""

    study: Study
    series: tuple[SimulatedSeries, ...]
    truth: Truth
    body: "Body | None" = field(default=None, repr=False)


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
            frequent, for training), `cervical`, `thoracic`, `whole` (sagittal, in one picture or in stations), or
            `other` (an anatomy of `elsewhere`).
        severity_boost: added to the standard normal score of every finding; 0 keeps the profile's frequencies.
        disease: parts of the drawn disease to replace, see `disease.forced`; lumbar profiles only.
        reader_noise: standard deviation that a reader adds to every score, kept beside the exact grades; see `grades`.
        junction: forces the lumbosacral junction or thirteenth ribs; another kind makes another study from there on.

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
    region = REGION_OF_PROFILE[profile]
    measures = measures_of(body)
    truth = truth_of(subject, body, measures, {})
    if region is Region.LUMBAR:
        drawn = sample_disease(rng, subject.age, profile == "lumbar-balanced", severity_boost)
        drawn = forced(drawn, disease or {})
        shape(rng, subject, measures, drawn)
        reader = np.random.default_rng([seed, number, PROFILES.index(profile), 1])
        truth = truth_of(subject, body, measures, judge(measures, reader, reader_noise), drawn)
    series = _acquire(rng, subject, body, region)
    records = tuple(one.series for one in series)
    return SimulatedStudy(study=Study(key=key, series=records), series=series, truth=truth, body=body)


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


def _acquire(
    rng: np.random.Generator, subject: Subject, body: "Body", region: Region | None
) -> tuple[SimulatedSeries, ...]:
    """Draw the study's site and protocols and scan what is planned for a region, or (None) for the whole spine."""
    field_t = draw_field(rng)
    site = sample_site(rng)
    plan = plan_study(rng, subject, region) if region else plan_whole_spine(rng, subject)
    tissues = sample_tissues(rng, field_t, subject.age)
    protocols: dict[Contrast, Protocol] = {}
    dixon = int(rng.integers(0, 2**32))
    found: list[SimulatedSeries] = []
    number = 1
    for planned in plan:
        folded = int(rng.integers(0, 2**32))  # all blocks of a series alike, and below as well
        rendered = [
            (stack, render_labels(body, thin_slices(measured(np.random.default_rng(folded), stack))))
            for stack in planned.stacks
        ]
        truths = [slice_truths(subject, stack, _cord(within(labels, stack), stack)) for stack, (labels, _) in rendered]
        for contrast in planned.contrasts:
            number += 1
            if contrast not in protocols:
                # The four Dixon images are one measurement: the same draws give the same times.
                source = np.random.default_rng(dixon) if contrast in DIXON else rng
                protocols[contrast] = sample_protocol(source, contrast, field_t)
            protocol = protocols[contrast]
            suffered = int(rng.integers(0, 2**32))
            pixels = [
                expose(
                    rng,
                    anatomy,
                    (protocol, tissues),
                    stack,
                    distances_to(stack, subject, anatomy[1].shape),
                    sample_artefacts(np.random.default_rng(suffered), stack, protocol),
                )
                for stack, anatomy in rendered
            ]
            acquired = Acquired(
                stack=planned.stacks[0],
                protocol=protocol,
                region=planned.region,
                localizer=len({stack.plane for stack in planned.stacks}) > 1,
            )
            found += _series_of(rng, site, acquired, planned.stacks, pixels, truths, number)
    return tuple(found)


def _series_of(  # noqa: PLR0913, PLR0917  what was planned, what was scanned, what is true of it
    rng: np.random.Generator,
    site: Site,
    acquired: Acquired,
    stacks: tuple[Stack, ...],
    pixels: list[NDArray[np.uint16]],
    truths: list[tuple[SliceTruth, ...]],
    number: int,
) -> list[SimulatedSeries]:
    """The records of one acquisition: a series per stack, all in one series of the scanner."""
    header = write_header(rng, site, acquired)
    form = file_form(rng, site, acquired, f"{number:03d}")
    backwards = rng.random() < BACKWARDS
    total = sum(stack.count for stack in stacks)
    found, done = [], 0
    for place, stack in enumerate(stacks):
        numbers = range(done + 1, done + stack.count + 1)
        done += stack.count
        key = f"{number:03d}" + ("" if len(stacks) == 1 else chr(ord("a") + place))
        found.append(
            SimulatedSeries(
                series=make_series(
                    stack,
                    pixels[place],
                    header,
                    (number, key),
                    tuple(total + 1 - item if backwards else item for item in numbers),
                ),
                anatomy=Anatomy.MR_SPINE if acquired.other is None else Anatomy.OTHER,
                region=acquired.region,
                plane=stack.plane,
                sequence=acquired.protocol.sequence,
                contrast=acquired.protocol.contrast,
                part="SPINE" if acquired.other is None else ELSEWHERE[acquired.other].word,
                slices=truths[place],
                stack=stack,
                form=form,
                pixels=pixels[place],
            )
        )
    return found


def _acquire_other(rng: np.random.Generator, subject: Subject, body: "Body") -> tuple[SimulatedSeries, ...]:
    """Two to four series of one anatomy of `elsewhere`, in any plane."""
    from spinalis.simulate.other import part_labels  # noqa: PLC0415

    kind = int(rng.choice(len(ELSEWHERE), p=SHARES))
    shown = ELSEWHERE[kind]
    size = float(rng.normal(1, 0.07))
    site, field_t = sample_site(rng), draw_field(rng)
    tissues = sample_tissues(rng, field_t, subject.age)
    found: list[SimulatedSeries] = []
    for place in range(int(rng.integers(2, 5))):
        stack = other_stack(rng, subject, kind)
        anatomy = part_labels(shown, subject.noise, size, stack) if shown.parts else render_labels(body, stack)
        contrast = OTHER_CONTRASTS[int(rng.choice(len(OTHER_CONTRASTS), p=OTHER_SHARES))]
        protocol = sample_protocol(rng, contrast, field_t)
        away = np.zeros((stack.rows, stack.columns))
        distances = (away - 100.0, away) if shown.still else distances_to(stack, subject)
        pixels = expose(rng, anatomy, (protocol, tissues), stack, distances)
        truths = (SliceTruth(cord=False, regions=(), levels=(), side=None),) * stack.count
        acquired = Acquired(stack=stack, protocol=protocol, region=Region.UNKNOWN, other=kind)
        found += _series_of(rng, site, acquired, (stack,), [pixels], [truths], place + 2)
    return tuple(found)


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

    found = np.zeros(len(labels), np.int64)
    cord_pixels(labels, found)
    enough = CORD_VISIBLE_MM2[stack.plane] / stack.pixel_mm**2
    seen = tuple(bool(count >= enough) for count in found)
    return seen if len(seen) == stack.count else (any(seen),)


def thin_slices(stack: Stack) -> Stack:
    """A slab as the thin slices that fill it; any other stack as it is. Few sub-samples do not fill a thick slab."""
    if stack.count > 1 or stack.thickness_mm <= SLAB_MM:
        return stack
    count = int(np.ceil(stack.thickness_mm / SLAB_SLICE_MM))
    step = stack.thickness_mm / count
    return replace(stack, count=count, thickness_mm=step, spacing_mm=step)


def expose(
    rng: np.random.Generator,
    anatomy: tuple[NDArray[np.uint8], NDArray[np.float32]],
    physics: tuple[Protocol, TissueTable],
    stack: Stack,
    distances: tuple[FloatArray, FloatArray],
    artefacts: Artefacts | None = None,
) -> NDArray[np.uint16]:
    """Scan labels and texture as `render_labels` gives them: of the stack, or of the larger one that was `measured`.

    A slab that was rendered in `thin_slices` is their mean. `artefacts` are drawn where none are given.
    """
    from spinalis.simulate.render import shade  # noqa: PLC0415

    protocol, tissues = physics
    labels, texture = anatomy
    images = np.empty((2, *texture.shape), np.float32)
    shade(labels, texture, *signal_table(protocol, tissues), tissues.texture, images)
    artefacts = artefacts or sample_artefacts(rng, stack, protocol)
    wide = replace(thin_slices(stack), rows=texture.shape[1], columns=texture.shape[2])
    darken(rng, images, labels, wide, artefacts)
    bend(images, labels, wide, protocol, artefacts)
    if images.shape[1] != stack.count:
        images = images.mean(axis=1, keepdims=True)
    pixels = scan(rng, images, stack, artefacts, distances)
    pixels.flags.writeable = False
    return pixels


def make_series(
    stack: Stack,
    pixels: NDArray[np.uint16],
    header: Header,
    name: tuple[int, str],
    instances: tuple[int, ...],
) -> Series:
    """The record of a series: `name` is its number and its key, `instances` the instance numbers of its slices."""
    number, key = name

    def load(index: int) -> Image:
        return np.asarray(pixels[index], np.float32)

    return Series(
        key=key,
        number=number,
        header=header,
        rows=stack.rows,
        columns=stack.columns,
        slices=tuple(
            Slice(file=f"{number:03d}/{instance:04d}.dcm", instance_number=instance, plane=plane)
            for instance, plane in zip(instances, stack.slice_planes(), strict=True)
        ),
        load=load,
        thickness_mm=stack.thickness_mm,
    )


def study_document(made: SimulatedStudy) -> dict[str, Any]:
    """The truth of a study as plain JSON values; `number` and `key` find a series in its files and in memory."""
    return {
        "schema": "spinalis-truth/2",
        **truth_document(made.truth),
        "series": [_series_document(one) for one in made.series],
    }


def _series_document(one: SimulatedSeries) -> dict[str, Any]:
    return {
        "number": one.series.number,
        "key": one.series.key,
        "anatomy": one.anatomy.value,
        "region": one.region.value,
        "regions": [region.value for region in one.regions],
        "plane": one.plane.value,
        "sequence": one.sequence.value,
        "contrast": one.contrast.value,
        "levels": one.levels,
        "slices": [
            {
                "instance": item.instance_number,
                "cord": true.cord,
                "regions": [region.value for region in true.regions],
                "levels": true.levels,
                "side": true.side.value if true.side else None,
            }
            for item, true in zip(one.series.slices, one.slices, strict=True)
        ],
    }

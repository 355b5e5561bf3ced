"""Studies without pixels: headers and geometry alone, at a hundredth of the cost of a scan.

The series are those that `study.simulate_study` draws from the same priors; the draws themselves differ, as nothing is
scanned in between.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from spinalis.errors import UnreadableFileError
from spinalis.records import FloatArray, Header, Image, Series, Slice
from spinalis.simulate.anatomy import Subject, sample_subject
from spinalis.simulate.coverage import REGION_OF_VERTEBRA
from spinalis.simulate.dialects import Acquired, Site, sample_site, write_header
from spinalis.simulate.elsewhere import ELSEWHERE, SHARES
from spinalis.simulate.practice import draw_field, plan_study, plan_whole_spine
from spinalis.simulate.protocols import other_stack
from spinalis.simulate.scanner import Stack
from spinalis.simulate.sequence import Contrast, sample_protocol
from spinalis.simulate.study import OTHER_CONTRASTS, OTHER_SHARES, PROFILES, REGION_OF_PROFILE
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

COVERED_SHARE = 0.5
"""Share of a region's vertebrae in view from which on a series covers it. A convention: a lumbar picture that reaches
up to T10 is no thoracic one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderSeries:
    """One series without pixels, and what is true of it; `region` and `part` as in `study.SimulatedSeries`.

    `covered` are the regions that the series is of, see `covered_regions`; `language` is that of its words.
    """

    series: Series
    anatomy: Anatomy
    region: Region
    covered: tuple[Region, ...]
    plane: Plane
    sequence: Sequence
    contrast: Contrast
    part: str
    localizer: bool
    language: str


def sample_headers(rng: np.random.Generator, subject: Subject, profile: str) -> tuple[HeaderSeries, ...]:
    """Draw a site and a study of a profile on a subject, and write its headers."""
    site, field_t = sample_site(rng), draw_field(rng)
    if profile == "other":
        return tuple(_other(rng, subject, site, field_t))
    region = REGION_OF_PROFILE[profile]
    plan = plan_study(rng, subject, region) if region else plan_whole_spine(rng, subject)
    found: list[HeaderSeries] = []
    for planned in plan:
        localizer = len({stack.plane for stack in planned.stacks}) > 1
        for contrast in planned.contrasts:
            protocol = sample_protocol(rng, contrast, field_t)
            acquired = Acquired(stack=planned.stacks[0], protocol=protocol, region=planned.region, localizer=localizer)
            header = write_header(rng, site, acquired)
            found += [
                HeaderSeries(
                    series=unscanned(stack, header, f"{len(found)}-{place}"),
                    anatomy=Anatomy.MR_SPINE,
                    region=planned.region,
                    covered=covered_regions(subject.frames, stack, planned.region),
                    plane=stack.plane,
                    sequence=protocol.sequence,
                    contrast=protocol.contrast,
                    part="SPINE",
                    localizer=localizer,
                    language=site.language,
                )
                for place, stack in enumerate(planned.stacks)
            ]
    return tuple(found)


def header_series(seed: int, subjects: int, visits: int, profile: str) -> Iterator[HeaderSeries]:
    """The series of `visits` studies of each of `subjects` bodies; the same arguments give the same series."""
    for number in range(subjects):
        rng = np.random.default_rng([seed, number, PROFILES.index(profile), 2])
        subject = sample_subject(rng)
        for _ in range(visits):
            yield from sample_headers(rng, subject, profile)


def unscanned(stack: Stack, header: Header, key: str) -> Series:
    """The record of a series whose pixels cannot be read."""

    def load(index: int) -> Image:
        raise UnreadableFileError(f"Slice {index}: expected pixels, got a header alone. Simulate the whole study.")

    return Series(
        key=key,
        number=None,
        header=header,
        rows=stack.rows,
        columns=stack.columns,
        slices=tuple(Slice(file=f"{place}", plane=plane) for place, plane in enumerate(stack.slice_planes())),
        load=load,
        thickness_mm=stack.thickness_mm,
    )


def covered_regions(frames: FloatArray, stack: Stack, leading: Region) -> tuple[Region, ...]:
    """The regions that a series is of, head to feet: what it was planned for, and all with `COVERED_SHARE` in view.

    `frames` are those of `anatomy.Subject`.
    """
    bodies = (frames[:-1, 0] + frames[1:, 0])[: len(REGION_OF_VERTEBRA)] / 2
    offset = np.abs((bodies - stack.centre) @ stack.axes.T)
    size = np.array([stack.columns * stack.pixel_mm, stack.rows * stack.pixel_mm, stack.count * stack.spacing_mm])
    inside = np.all(offset <= size / 2, axis=1)
    found = [region for region, seen in zip(REGION_OF_VERTEBRA, inside, strict=True) if seen]
    return tuple(
        region
        for region in (Region.CERVICAL, Region.THORACIC, Region.LUMBAR)
        if region is leading or found.count(region) >= COVERED_SHARE * REGION_OF_VERTEBRA.count(region)
    )


def _other(rng: np.random.Generator, subject: Subject, site: Site, field_t: float) -> Iterator[HeaderSeries]:
    kind = int(rng.choice(len(ELSEWHERE), p=SHARES))
    for place in range(int(rng.integers(2, 5))):
        stack = other_stack(rng, subject, kind)
        contrast = OTHER_CONTRASTS[int(rng.choice(len(OTHER_CONTRASTS), p=OTHER_SHARES))]
        protocol = sample_protocol(rng, contrast, field_t)
        acquired = Acquired(stack=stack, protocol=protocol, region=Region.UNKNOWN, other=kind)
        yield HeaderSeries(
            series=unscanned(stack, write_header(rng, site, acquired), str(place)),
            anatomy=Anatomy.OTHER,
            region=Region.UNKNOWN,
            covered=(),
            plane=stack.plane,
            sequence=protocol.sequence,
            contrast=protocol.contrast,
            part=ELSEWHERE[kind].word,
            localizer=False,
            language=site.language,
        )

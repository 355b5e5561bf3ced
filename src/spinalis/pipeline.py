"""The order of the stages."""

import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from spinalis.grade import grade_study
from spinalis.localize import Localization, find_levels
from spinalis.measure import implausible, measure_spacing
from spinalis.models import Pack, select
from spinalis.records import Finding, Image, NotAssessed, Notice, PixelLoader, Reading, Series, SeriesLabel, Study
from spinalis.triage import label_series
from spinalis.vocabulary import CONDITIONS, LEVELS, Anatomy, NoticeKind, Region

Progress = Callable[[str, float], None]
"""Told the stage and the share of it that is done, 0..1."""

REMEMBERED_BYTES = 256 * 2**20
"""Decoded slices are kept up to this size: every stage, and the report, asks for some of them again."""


def triage_study(study: Study, packs: tuple[Pack, ...], progress: Progress | None = None) -> tuple[SeriesLabel, ...]:
    """Label every series of a study, in the study's order.

    Args:
        study: the study.
        packs: one for `triage`, and at most one for `header`; without it headers are not asked.
        progress: told how far it is.

    Raises:
        PackError: there is no triage pack, more than one of a kind, or one cannot be run.
    """
    pack = select(packs, "triage")
    header_pack = select(packs, "header") if any(item.manifest.task == "header" for item in packs) else None
    labels = []
    for done, series in enumerate(study.series, start=1):
        labels.append(label_series(series, pack, header_pack))
        if progress:
            progress("triage", done / len(study.series))
    return tuple(labels)


def read_study(
    study: Study, packs: tuple[Pack, ...], progress: Progress | None = None, *, sensitivity: float | None = None
) -> Reading:
    """Read a study: triage, localize, measure, grade.

    Args:
        study: the study, its pixels not yet decoded.
        packs: one pack each for `triage`, `localize` and `grade`, and for `header` where headers are to be asked.
        progress: told how far each stage is.
        sensitivity: also say which grades are not excluded at this sensitivity, such as 0.95.

    Returns:
        The reading. A study without a lumbar spine is read as far as it goes; its findings say why they are missing.

    Raises:
        PackError: a pack is missing, cannot be run, or does not offer this sensitivity.
    """
    clock = [("start", time.perf_counter())]

    def done(stage: str) -> None:
        clock.append((stage, time.perf_counter()))
        if progress:
            progress(stage, 1.0)

    study = remembering(study)
    labels = triage_study(study, packs, progress)
    done("triage")
    refusal = _refusal(labels)
    localization = Localization(landmarks=())
    if refusal is None:
        localization = find_levels(study, labels, select(packs, "localize"))
    done("localize")
    labels = with_levels(labels, localization)
    measurements = measure_spacing(localization.landmarks)
    done("measure")
    if refusal is None:
        findings = grade_study(study, labels, localization.landmarks, select(packs, "grade"), sensitivity)
    else:
        findings = _refused(refusal)
    done("grade")
    warnings = [*study.warnings, *contradicted(labels), *localization.warnings, *implausible(measurements)]
    if refusal is not None:
        text = f"Study: expected an MR study of the lumbar spine, but {refusal}. Nothing was graded."
        warnings.append(Notice(kind=NoticeKind.REFUSED, text=text))
    return Reading(
        study=study,
        series=labels,
        levels=localization.landmarks,
        measurements=measurements,
        findings=findings,
        warnings=tuple(warnings),
        packs=tuple(pack.info for pack in packs),
        timings_s=tuple((clock[i][0], clock[i][1] - clock[i - 1][1]) for i in range(1, len(clock))),
    )


def remembering(study: Study) -> Study:
    """The same study, its slices decoded once: the last ones, up to `REMEMBERED_BYTES`, stay in memory, read-only."""
    size = sum(4 * series.rows * series.columns * len(series.slices) for series in study.series)
    share = min(1.0, REMEMBERED_BYTES / max(1, size))
    return replace(study, series=tuple(_remembering(series, share) for series in study.series))


def _remembering(series: Series, share: float) -> Series:
    load: PixelLoader = series.load

    @lru_cache(maxsize=max(1, int(share * len(series.slices))))
    def kept(index: int) -> Image:
        image = load(index).view()
        image.flags.writeable = False
        return image

    return replace(series, load=kept)


def contradicted(labels: tuple[SeriesLabel, ...]) -> tuple[Notice, ...]:
    """A warning for every series whose header and pixels are each sure of another answer; what was taken is said."""
    return tuple(
        Notice(
            kind=NoticeKind.CONTRADICTION,
            text=f"{'Series without number' if label.number is None else f'Series {label.number}'}: {found.head} is "
            f"{found.header} by the header and {found.pixels} by the pixels; {found.taken} was taken. Look at it.",
        )
        for label in labels
        for found in label.contradictions
    )


def _refusal(labels: tuple[SeriesLabel, ...]) -> str | None:
    """Why a study is not read, or None."""
    spines = [label for label in labels if label.anatomy.label is Anatomy.MR_SPINE]
    if not spines:
        return "no series shows an MR image of the spine"
    shown = {region for label in spines for region in (label.region.label, *label.covers)}
    if not shown & {Region.LUMBAR, Region.UNKNOWN}:
        regions = sorted(region.value for region in shown)
        return f"the series show the {' and '.join(regions)} spine only"
    return None


def with_levels(labels: tuple[SeriesLabel, ...], found: Localization) -> tuple[SeriesLabel, ...]:
    """The same labels; series in which most of the lumbar levels lie cover the lumbar spine, whatever was seen before.

    Levels whose numbering is in doubt tell nothing.
    """
    if any(notice.kind is NoticeKind.NUMBERING_DOUBT for notice in found.warnings):
        return labels
    counts = Counter(place.series_key for mark in found.landmarks for place in (mark.location, *mark.projections))
    return tuple(_covering_lumbar(label) if counts[label.series_key] > len(LEVELS) / 2 else label for label in labels)


def _covering_lumbar(label: SeriesLabel) -> SeriesLabel:
    if label.coverage is None or Region.LUMBAR in label.covers:
        return label
    from_head = tuple(region for region in Region if region is not Region.UNKNOWN)
    regions = from_head[from_head.index(label.covers[0]) :]
    return replace(label, coverage=replace(label.coverage, label=regions, source="fusion"))


def _refused(reason: str) -> tuple[Finding, ...]:
    return tuple(
        Finding(condition=condition, level=level, result=NotAssessed(reason=reason))
        for condition in CONDITIONS
        for level in LEVELS
    )

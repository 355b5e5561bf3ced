"""Judge packs on the open real images of patients kept out of training: levels, triage, whole readings."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from spinalis.evaluate import levels as level_measures
from spinalis.evaluate.tables import Table, number, percent, share_of_most_frequent, share_right
from spinalis.formats import read_studies
from spinalis.localize import locate
from spinalis.models import Pack, select
from spinalis.pipeline import read_study
from spinalis.records import FloatArray, SeriesLabel, SliceLabel
from spinalis.train.data import open_images, spider
from spinalis.train.data.real_slice import VALIDATION, Labels, picture
from spinalis.triage import label_series
from spinalis.vocabulary import LEVELS
from spinalis.vocabulary import Sequence as Contrast

HEADS = ("anatomy", "region", "plane", "sequence")
CONTRASTS = "T1w against T2w"


@dataclass(frozen=True, slots=True, kw_only=True)
class RealLevels:
    """Levels on real slices of one contrast, beside the answer without a look."""

    sequence: Contrast
    found: level_measures.LevelAgreement
    no_skill: level_measures.LevelAgreement


def located(items: Sequence[spider.MidSagittal], pack: Pack) -> FloatArray:
    """(N, 5, 2) points found on real slices, (x, y) in pixels; NaN where no chain was seen."""
    points = np.full((len(items), len(LEVELS), 2), np.nan)
    for row, item in enumerate(items):
        for column, mark in enumerate(locate(picture(item.load()), pack)):
            points[row, column] = (mark.location.column, mark.location.row)
    return points


def real_levels(root: Path, pack: Pack, subset: str = "validation") -> tuple[RealLevels, ...]:
    """Judge the localizer on the SPIDER patients of a subset; the no-skill answer is the training patients' mean."""
    items = [item for item in spider.read(root) if item.points is not None]
    training = np.stack([item.points for item in items if item.subset == "training" and item.points is not None])
    mean = level_measures.mean_position(training)
    found = []
    for sequence in (Contrast.T2W, Contrast.T1W):
        chosen = [item for item in items if item.subset == subset and item.sequence is sequence]
        sizes = np.array([item.load().shape[::-1] for item in chosen], float)[:, None]
        truth = np.stack([item.points for item in chosen if item.points is not None]) * sizes - 0.5
        found.append(
            RealLevels(
                sequence=sequence,
                found=level_measures.judge(located(chosen, pack), truth),
                no_skill=level_measures.judge(mean * sizes - 0.5, truth),
            )
        )
    return tuple(found)


def levels_table(found: Sequence[RealLevels], title: str = "Levels on real patients: SPIDER, validation") -> Table:
    """One row per contrast, and its no-skill row."""
    rows = []
    for item in found:
        for name, result in ((item.sequence.value, item.found), ("no skill (mean position)", item.no_skill)):
            rows.append(
                (
                    name,
                    percent(result.all_right),
                    percent(result.shifted_one),
                    percent(result.shifted_more),
                    number(result.median_percent, 1),
                )
            )
    return Table(
        title=title,
        columns=("slices", "all five right", "one level off", "further off", "median error, % of pitch"),
        rows=tuple(rows),
        notes=(
            "Real mid-sagittal slices of patients not used in training; error along the spine, right below half the "
            "pitch; 95 % Wilson intervals. About 5 % of patients have a transitional junction where readers disagree.",
        ),
    )


def triage_table(root: Path, pack: Pack) -> Table:
    """Every head on single real slices, from pixels alone, by source; held-out patients and sources only."""
    hits: dict[tuple[str, str], list[tuple[bool, str]]] = {}
    for item in open_images.read(root, "validation"):
        label = label_series(picture(item.image), pack)
        for head in HEADS:
            truth = getattr(item.labels, head)
            if truth is not None and label.slices:
                right = getattr(label.slices[0], head).label is truth
                hits.setdefault((item.source, head), []).append((right, str(truth)))
    sources = list(dict.fromkeys(source for source, _ in hits))
    rows = []
    for source in sources:
        cells = [share_right(hits.get((source, head), [])) for head in HEADS]
        rows.append((source, *cells))
    pooled = {head: [hit for (_, name), found in hits.items() if name == head for hit in found] for head in HEADS}
    rows.append(("all, pooled by slice", *[share_right(pooled[head]) for head in HEADS]))
    rows.append(("no skill (most frequent class)", *[share_of_most_frequent(pooled[head]) for head in HEADS]))
    return Table(
        title="Triage of single real slices, from pixels alone",
        columns=("source (held out)", *HEADS),
        rows=tuple(rows),
        notes=(
            "Slices of one series are not independent, so the intervals are too narrow; SPIDER patients are of the "
            "validation subset, every other source is one subject that was never trained on.",
        ),
    )


def series_table(root: Path, packs: tuple[Pack, ...]) -> Table:
    """The same slices by the vote of their series, and with what geometry and header add."""
    triage, header = select(packs, "triage"), select(packs, "header")
    hits: dict[str, dict[str, list[tuple[bool, str]]]] = {}
    for item in open_images.read_series(root, VALIDATION):
        bare, whole = label_series(item.pixels, triage), label_series(item.series, triage, header)
        for index, labels in enumerate(item.labels):
            said: dict[str, SliceLabel | SeriesLabel] = {
                "each slice alone": bare.slices[index],
                "vote of the series": bare,
                "vote, geometry, header": whole,
            }
            for name, found in said.items():
                _count(hits.setdefault(name, {head: [] for head in (*HEADS, CONTRASTS)}), found, labels)
    columns = (*HEADS, CONTRASTS)
    rows = [(name, *(share_right(found[head]) for head in columns)) for name, found in hits.items()]
    some = next(iter(hits.values()))
    rows.append(("no skill (most frequent class)", *(share_of_most_frequent(some[head]) for head in columns)))
    return Table(
        title="Triage of the same real slices, by the vote of their series",
        columns=("answer", *columns),
        rows=tuple(rows),
        notes=(
            "Counted by slice: each has the answer of its series. The SPIDER mid-sagittal pictures are series of one "
            "slice without geometry or header; NIfTI files have a geometry, the two DICOM series a header as well.",
            f"{CONTRASTS}: slices that truly are one of the two.",
        ),
    )


def _count(hits: dict[str, list[tuple[bool, str]]], found: SliceLabel | SeriesLabel, labels: Labels) -> None:
    for head in HEADS:
        truth = getattr(labels, head)
        if truth is not None:
            right = getattr(found, head).label is truth
            hits[head].append((right, str(truth)))
            if truth in (Contrast.T1W, Contrast.T2W):
                hits[CONTRASTS].append((right, str(truth)))


def dicom_table(root: Path, packs: tuple[Pack, ...]) -> Table:
    """What a whole reading says of every real DICOM series at hand."""
    rows = []
    for folder in sorted({file.parent for file in (root / "dicom").rglob("*.dcm")}):
        for study in read_studies(folder):
            reading = read_study(study, packs)
            for label in reading.series:
                confidence = [mark.confidence for mark in reading.levels]
                levels = f"{len(confidence)}, mean confidence {np.mean(confidence):.2f}" if confidence else "none"
                rows.append(
                    (
                        str(folder.relative_to(root / "dicom")),
                        *[f"{found.label} {found.probability:.2f}" for found in (label.anatomy, label.region)],
                        *[str(found.label) for found in (label.plane, label.sequence)],
                        levels,
                        "read" if reading.graded else "refused",
                    )
                )
    return Table(
        title="Whole readings of the real DICOM series",
        columns=("series", "anatomy", "region", "plane", "sequence", "levels", "answer"),
        rows=tuple(rows),
        notes=(
            "The MPRAGE brain and both SPIDER patients took part in training; the FLASH brain and the chest CT did "
            "not. Refused: exit code 4, with the reason in the report.",
        ),
    )

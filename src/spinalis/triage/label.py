"""Stage 1: what is each slice, and what is each series?"""

from enum import StrEnum
from typing import TypeVar

import numpy as np

from spinalis.errors import UnreadableFileError
from spinalis.geometry import display_matrix, patient_plane
from spinalis.models import Pack
from spinalis.models.prepare import InputSpec, fit_matrix, prepare
from spinalis.records import FloatArray, Image, Judgement, Series, SeriesLabel, SliceLabel
from spinalis.triage.header import ANATOMIES, REGIONS, SEQUENCES, anatomy_odds, region_odds, sequence_odds
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

PLANES = (Plane.SAGITTAL, Plane.AXIAL, Plane.CORONAL)
HEADS = ("anatomy", "region", "plane", "sequence", "cord")
"""Outputs of the triage pack; each gives logits, `cord` a single one."""

BATCH = 16
CORD_THRESHOLD = 0.5
CONFLICT = 0.8
"""Header and pixels contradict each other where both are surer than this of different answers."""

VOTE_WEIGHT = 0.25
"""Neighbouring slices err together: the mean log-probability of a series counts as about this share of its slices."""

MOST_VOTES = 6.0
"""Cap on the independent votes of one series."""

Word = TypeVar("Word", bound=StrEnum)


def label_series(series: Series, pack: Pack) -> SeriesLabel:
    """Label every slice from its pixels, vote, and fuse the vote with header and geometry.

    Args:
        series: the series.
        pack: the `triage` pack.

    Returns:
        The label. Slices that cannot be decoded are left out of `slices` and flagged `unreadable_slices`; a series
        without any readable slice is UNKNOWN in everything that header and geometry do not say.
    """
    indices, logits = _run(series, pack)
    temperatures = pack.manifest.setting("temperature")
    logs = {name: _log_softmax(logits[name] / temperatures.get(name, 1.0)) for name in HEADS[:4]}
    cord = 1.0 / (1.0 + np.exp(-logits["cord"][:, 0] / temperatures.get("cord", 1.0)))
    flags = [] if len(indices) == len(series.slices) else ["unreadable_slices"]

    anatomy, conflict_a = _fuse(ANATOMIES, logs["anatomy"], anatomy_odds(series.header), Anatomy.UNKNOWN)
    region, conflict_r = _fuse(REGIONS, logs["region"], region_odds(series.header), Region.UNKNOWN)
    sequence, conflict_s = _fuse(SEQUENCES, logs["sequence"], sequence_odds(series.header), Sequence.UNKNOWN)
    if series.header.modality not in (None, "MR"):
        anatomy = Judgement(label=Anatomy.OTHER, probability=1.0, source="header")
        sequence = Judgement(label=Sequence.UNKNOWN, probability=1.0, source="header")
        flags.append(f"modality_{series.header.modality.lower()}")
    plane = _plane(series, logs["plane"])
    contradicted = {"anatomy": conflict_a, "region": conflict_r, "sequence": conflict_s}
    flags += [f"header_contradicts_pixels_{name}" for name, found in contradicted.items() if found]
    if anatomy.label is not Anatomy.MR_SPINE:
        region = Judgement(label=Region.UNKNOWN, probability=anatomy.probability, source=anatomy.source)
    spine = anatomy.label is Anatomy.MR_SPINE
    return SeriesLabel(
        series_key=series.key,
        number=series.number,
        anatomy=anatomy,
        region=region,
        plane=plane,
        sequence=sequence,
        cord_slices=tuple(i for i, p in zip(indices, cord, strict=True) if spine and p > CORD_THRESHOLD),
        slices=tuple(_slice_label(index, logs, float(cord[row]), row) for row, index in enumerate(indices)),
        flags=(*series.flags, *flags),
    )


def slice_input(image: Image, series: Series, index: int, spec: InputSpec) -> Image:
    """A slice as the triage network sees it: conventional display, longer side fitted; (C, H, W)."""
    turn = display_matrix(series.slices[index].plane, *image.shape)
    shape = image.shape if turn[0, 0] else image.shape[::-1]
    fit = np.vstack([fit_matrix((shape[0], shape[1]), spec), [0, 0, 1]])
    return prepare(image, (fit @ np.vstack([turn, [0, 0, 1]]))[:2], spec)


def _run(series: Series, pack: Pack) -> tuple[list[int], dict[str, FloatArray]]:
    spec = pack.manifest.input("images")
    indices: list[int] = []
    parts: dict[str, list[FloatArray]] = {name: [] for name in HEADS}
    batch: list[Image] = []
    for index in range(len(series.slices)):
        try:
            batch.append(slice_input(series.load(index), series, index, spec))
            indices.append(index)
        except UnreadableFileError:
            pass  # counted by the caller: fewer indices than slices
        if len(batch) == BATCH or (batch and index == len(series.slices) - 1):
            for name, values in pack.run(images=np.stack(batch)).items():
                parts[name].append(np.asarray(values, float))
            batch = []
    sizes = {name: len(pack.manifest.labels.get(name, ("cord",))) for name in HEADS}
    return indices, {
        name: np.concatenate(found) if found else np.zeros((0, sizes[name])) for name, found in parts.items()
    }


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max(axis=1, keepdims=True) if logits.size else logits
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), float)


def _vote(logs: FloatArray) -> FloatArray | None:
    """Log-probability of the series from its slices' (N, classes); None without a slice."""
    if not len(logs):
        return None
    votes = min(MOST_VOTES, max(1.0, VOTE_WEIGHT * len(logs)))
    total = logs.clip(min=np.log(1e-3)).mean(axis=0) * votes
    return np.asarray(total - np.log(np.exp(total).sum()), float)


def _fuse(
    words: tuple[Word, ...], logs: FloatArray, header: FloatArray | None, unknown: Word
) -> tuple[Judgement[Word], bool]:
    pixels = _vote(logs)
    sources = [vote for vote in (pixels, header) if vote is not None]
    if not sources:
        return Judgement(label=unknown, probability=0.0, source="none"), False
    total = np.sum(sources, axis=0)
    probabilities = np.exp(total) / np.exp(total).sum()
    best = int(probabilities.argmax())
    conflict = pixels is not None and header is not None and _contradict(pixels, header)
    source = "fusion" if len(sources) == 2 else "pixels" if pixels is not None else "header"
    return Judgement(label=words[best], probability=float(probabilities[best]), source=source), conflict


def _contradict(first: FloatArray, second: FloatArray) -> bool:
    sure = min(float(np.exp(first).max()), float(np.exp(second).max())) > CONFLICT
    return sure and int(first.argmax()) != int(second.argmax())


def _plane(series: Series, logs: FloatArray) -> Judgement[Plane]:
    planes = [item.plane for item in series.slices if item.plane is not None]
    if planes:
        named = patient_plane(planes[len(planes) // 2])
        return Judgement(label=named, probability=float(named is not Plane.UNKNOWN), source="geometry")
    return _fuse(PLANES, logs, None, Plane.UNKNOWN)[0]


def _slice_label(index: int, logs: dict[str, FloatArray], cord: float, row: int) -> SliceLabel:
    return SliceLabel(
        index=index,
        anatomy=_top(ANATOMIES, logs["anatomy"][row]),
        region=_top(REGIONS, logs["region"][row]),
        plane=_top(PLANES, logs["plane"][row]),
        sequence=_top(SEQUENCES, logs["sequence"][row]),
        cord=cord,
    )


def _top(words: tuple[Word, ...], logs: FloatArray) -> Judgement[Word]:
    best = int(logs.argmax())
    return Judgement(label=words[best], probability=float(np.exp(logs[best])))

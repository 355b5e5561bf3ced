"""Stage 1: what is each slice, and what is each series?"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import numpy as np

from spinalis.errors import UnreadableFileError
from spinalis.geometry import display_matrix, patient_plane
from spinalis.models import Pack
from spinalis.models.prepare import InputSpec, fit_matrix, is_blank, prepare
from spinalis.records import Contradiction, FloatArray, Image, Judgement, Series, SeriesLabel, SliceLabel
from spinalis.triage.cord import with_neighbours
from spinalis.triage.coverage import cover, look
from spinalis.triage.fuse import agreement, fuse, vote
from spinalis.triage.header import ANATOMIES, PLANES, REGIONS, SEQUENCES, coverage_ratio, read_header
from spinalis.triage.kinds import detail, kinds
from spinalis.triage.unknown import DISTANCE, UNLIKE, UNSURE, Novelty, novelty, withheld
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

HEADS = ("anatomy", "region", "plane", "sequence", "cord")
"""Outputs of the triage pack; each gives logits, `cord` a single one. It may give `unknown.DISTANCE` besides."""

BATCH = 4
"""Slices that are answered at once: on one core more are not faster, and each takes 1.5 MB."""
CORD_THRESHOLD = 0.5
UNASKED = Judgement(label=Anatomy.UNKNOWN, probability=0.0, source="none")
"""The anatomy of what is unlike the training."""

Word = TypeVar("Word", bound=StrEnum)


def label_series(series: Series, pack: Pack, header_pack: Pack | None = None) -> SeriesLabel:
    """Label every slice from its pixels, vote, and fuse the vote with header and geometry.

    Args:
        series: the series.
        pack: the `triage` pack.
        header_pack: the `header` pack; None does not ask the header, but for its modality.

    Returns:
        The label. Slices that cannot be decoded are left out of `slices` and flagged `unreadable_slices`, blank ones
        `blank_slices`; a series without any other is UNKNOWN in everything that header and geometry do not say. So is
        one unlike the training, and its anatomy is UNKNOWN whatever the header says.

    Raises:
        PackError: a pack cannot be run, or does not belong to this version.
    """
    indices, logits, lost = _run(series, pack)
    temperatures = pack.manifest.setting("temperature")
    logs = {name: _log_softmax(logits[name] / temperatures.get(name, 1.0)) for name in HEADS[:4]}
    new = novelty(logits.get(DISTANCE), pack.manifest.settings.get("novelty_limit"))
    header = None if header_pack is None else read_header(series, header_pack)
    votes = {name: vote(new.believed(logs[name])) for name in HEADS[:4]}
    agreed = {} if header is None else agreement(votes, header)
    contradictions: list[Contradiction] = []
    flags = [UNLIKE] if new.unlike else []

    def judged(head: str, words: tuple[Word, ...], unknown: Word) -> Judgement[Word]:
        found, clash = fuse(head, words, votes[head], header, agreed)
        contradictions.extend([clash] if clash else [])
        if found is None:
            return Judgement(label=unknown, probability=0.0, source="none")
        kept = withheld(found, unknown)
        flags.extend([] if kept is found else [f"{UNSURE}{head}"])
        return kept

    anatomy = judged("anatomy", ANATOMIES, Anatomy.UNKNOWN)
    if new.unlike:
        anatomy = UNASKED
    region = judged("region", REGIONS, Region.UNKNOWN)
    plane = _plane(series) or judged("plane", PLANES, Plane.UNKNOWN)
    cord = with_neighbours(_cord(logits, temperatures), indices, series, plane.label)
    sequence = judged("sequence", SEQUENCES, Sequence.UNKNOWN)
    flags += [kind for kind in kinds(series, header) if kind not in series.flags]
    flags += sorted(lost)
    if series.header.modality not in (None, "MR"):
        anatomy = Judgement(label=Anatomy.OTHER, probability=1.0, source="header")
        sequence = Judgement(label=Sequence.UNKNOWN, probability=1.0, source="header")
        flags.append(f"modality_{series.header.modality.lower()}")
    spine = anatomy.label is Anatomy.MR_SPINE
    if not spine:
        region = Judgement(label=Region.UNKNOWN, probability=anatomy.probability, source=anatomy.source)

    def ask(images: Image) -> FloatArray:
        return _log_softmax(np.asarray(pack.run(images=images)["region"], float) / temperatures.get("region", 1.0))

    spec = pack.manifest.input("images")
    seen = look(series, plane.label, (indices, logs["region"]), spec, ask) if spine else None
    return SeriesLabel(
        series_key=series.key,
        number=series.number,
        anatomy=anatomy,
        region=region,
        plane=plane,
        sequence=sequence,
        detail=detail(sequence, header),
        coverage=cover(seen, region, coverage_ratio(series, header, header_pack)),
        cord_slices=tuple(i for i, p in zip(indices, cord, strict=True) if spine and p > CORD_THRESHOLD),
        slices=tuple(_slice_label(index, logs, float(cord[row]), new, row) for row, index in enumerate(indices)),
        flags=(*series.flags, *flags, *(f"header_contradicts_pixels_{found.head}" for found in contradictions)),
        contradictions=tuple(contradictions),
        novelty=new.series,
    )


def cord_log_odds(series: Series, pack: Pack) -> tuple[list[int], FloatArray]:
    """The readable slices of a series, and the calibrated log-odds of cord in each of them alone, (N,).

    Raises:
        PackError: the pack cannot be run.
    """
    indices, logits, _ = _run(series, pack)
    return indices, _cord(logits, pack.manifest.setting("temperature"))


def _cord(logits: Mapping[str, FloatArray], temperatures: Mapping[str, float]) -> FloatArray:
    return logits["cord"][:, 0] / temperatures.get("cord", 1.0)


def slice_input(image: Image, series: Series, index: int, spec: InputSpec) -> Image:
    """A slice as the triage network sees it: conventional display, longer side fitted; (C, H, W)."""
    turn = display_matrix(series.slices[index].plane, *image.shape)
    shape = image.shape if turn[0, 0] else image.shape[::-1]
    fit = np.vstack([fit_matrix((shape[0], shape[1]), spec), [0, 0, 1]])
    return prepare(image, (fit @ np.vstack([turn, [0, 0, 1]]))[:2], spec)


def _run(series: Series, pack: Pack) -> tuple[list[int], dict[str, FloatArray], set[str]]:
    """The slices that were asked, their logits, and as flags why others were not."""
    spec = pack.manifest.input("images")
    indices: list[int] = []
    parts: dict[str, list[FloatArray]] = {name: [] for name in HEADS}
    batch: list[Image] = []
    lost: set[str] = set()
    for index in range(len(series.slices)):
        try:
            image = series.load(index)
            if is_blank(image):
                lost.add("blank_slices")
            else:
                batch.append(slice_input(image, series, index, spec))
                indices.append(index)
        except UnreadableFileError:
            lost.add("unreadable_slices")
        if len(batch) == BATCH or (batch and index == len(series.slices) - 1):
            for name, values in pack.run(images=np.stack(batch)).items():
                parts.setdefault(name, []).append(np.asarray(values, float))
            batch = []
    sizes = {name: len(pack.manifest.labels.get(name, ("cord",))) for name in HEADS}
    logits = {name: np.concatenate(found) if found else np.zeros((0, sizes[name])) for name, found in parts.items()}
    return indices, logits, lost


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max(axis=1, keepdims=True) if logits.size else logits
    return np.asarray(shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True)), float)


def _plane(series: Series) -> Judgement[Plane] | None:
    """The plane by geometry; None where no slice has any."""
    planes = [item.plane for item in series.slices if item.plane is not None]
    if not planes:
        return None
    named = patient_plane(planes[len(planes) // 2])
    return Judgement(label=named, probability=float(named is not Plane.UNKNOWN), source="geometry")


def _slice_label(index: int, logs: dict[str, FloatArray], cord: float, new: Novelty, row: int) -> SliceLabel:
    found = new.of(row)
    anatomy = _top(ANATOMIES, logs["anatomy"][row])
    return SliceLabel(
        index=index,
        anatomy=anatomy if found is None or found <= 1.0 else UNASKED,
        region=_top(REGIONS, logs["region"][row]),
        plane=_top(PLANES, logs["plane"][row]),
        sequence=_top(SEQUENCES, logs["sequence"][row]),
        cord=cord,
        novelty=found,
    )


def _top(words: tuple[Word, ...], logs: FloatArray) -> Judgement[Word]:
    best = int(logs.argmax())
    return Judgement(label=words[best], probability=float(np.exp(logs[best])))

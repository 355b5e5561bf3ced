"""Slices for the nodes of a hierarchy: pictures as a PNG export has them, and what is known of each in words."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinalis.models.prepare import stretched
from spinalis.train.data.real_slice import Labels, RealSlice
from spinalis.train.data.simulated import CORD, NO_CORD, TRIAGE_SIZE, WORDS, fit_picture
from spinalis.triage.hierarchy import Facts, Hierarchy
from spinalis.vocabulary import Anatomy


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class NodeSlice:
    """A picture (S, S) of bytes, its facts, and the series and patient that it is of."""

    picture: NDArray[np.uint8]
    facts: Facts
    series: str
    patient: str


def simulated(files: Sequence[Path], hierarchy: Hierarchy, node: str) -> Iterator[NodeSlice]:
    """The slices of harvested studies that come to a node when every answer before it is right."""
    for file in files:
        with np.load(file) as arrays:
            facts = [known(dict(zip(WORDS, map(str, row), strict=True))) for row in arrays["triage_words"]]
            chosen = [place for place, item in enumerate(facts) if node in hierarchy.path(item)]
            if not chosen:
                continue
            pictures, series = arrays["triage_pictures"], arrays["triage_series"]
            patient = f"{file.parent.name}/{file.stem}"
            for place in chosen:
                # A copy: a view would keep the pictures of the whole study in memory.
                picture, number = pictures[place].copy(), f"{patient}/{series[place]}"
                yield NodeSlice(picture=picture, facts=facts[place], series=number, patient=patient)


def real(items: Iterable[RealSlice], hierarchy: Hierarchy, node: str) -> Iterator[NodeSlice]:
    """The real slices that come to a node; those without any contrast are left out.

    A series is what has source, patient and sequence in common: the readers of single slices know no more.
    """
    for item in items:
        facts = facts_of(item.labels)
        if node not in hierarchy.path(facts):
            continue
        image = item.image
        if image.std() > 0:
            picture = fit_picture(stretched(image), np.eye(2, 3), TRIAGE_SIZE).round().astype(np.uint8)
            series = f"{item.source}/{item.patient}/{facts.get('sequence', '')}"
            yield NodeSlice(picture=picture, facts=facts, series=series, patient=item.patient)


def facts_of(labels: Labels) -> dict[str, str]:
    """What the labels of a real slice say, in the words of a hierarchy."""
    part = labels.part
    if part is None and labels.anatomy is not None:
        part = "SPINE" if labels.anatomy is Anatomy.MR_SPINE else "ELSEWHERE"
    found = {
        "part": part,
        "region": labels.region,
        "plane": labels.plane,
        "sequence": labels.sequence,
        "cord": None if labels.cord is None else CORD if labels.cord else NO_CORD,
    }
    return known({fact: str(word) for fact, word in found.items() if word is not None})


def known(facts: dict[str, str]) -> dict[str, str]:
    """Facts without those whose word is `unknown` or empty."""
    return {fact: word for fact, word in facts.items() if word not in {"", "unknown"}}

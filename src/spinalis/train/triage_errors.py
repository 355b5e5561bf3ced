"""What chains answered wrongly, as a page with tables and pictures."""

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined
from numpy.typing import NDArray

from spinalis.evaluate.triage import fault
from spinalis.evaluate.triage_tables import Chain, Judged
from spinalis.formats.atomic import write_bytes

MOST_PICTURES = 48
"""Of each chain and test set: the surest errors of every kind first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One kind of error."""

    truth: str
    answer: str
    count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """One slice, a PNG in base64, and how sure the network was of its wrong answer."""

    png: str
    node: str
    truth: str
    answer: str
    probability: str
    patient: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """The errors of one chain in one test set."""

    backbone: str
    title: str
    wrong: int
    total: int
    rows: tuple[Row, ...]
    pictures: tuple[Picture, ...]


def page(judged: Judged, one: Chain, pictures: NDArray[np.uint8]) -> Page:
    """Gather the errors of a chain.

    Args:
        judged: the test set, N slices.
        one: the chain.
        pictures: (N, S, S) bytes.
    """
    decisions = judged.decisions(one)
    first = fault(judged.slices, judged.chain, decisions)
    kinds: dict[tuple[str, str, str], list[tuple[float, int]]] = {}
    for node in judged.chain:
        for index in map(int, np.flatnonzero(first == node.name)):
            answer = int(decisions[node.name][index])
            truth = node.names[int(judged.slices.truth[node.name][index])]
            sure = float(one.probabilities[node.name][index, answer])
            kinds.setdefault((node.name, truth, node.names[answer]), []).append((sure, index))
    counts = Counter({kind: len(found) for kind, found in kinds.items()}).most_common()
    shown = [
        _picture(kind, sure, pictures[index], str(judged.slices.patients[index]))
        for kind, sure, index in _spread(kinds, [kind for kind, _ in counts])
    ]
    return Page(
        backbone=one.backbone,
        title=judged.title,
        wrong=int((first != "").sum()),
        total=len(first),
        rows=tuple(Row(truth=f"{node}: {truth}", answer=answer, count=n) for (node, truth, answer), n in counts),
        pictures=tuple(shown),
    )


def write(file: Path, pages: Sequence[Page]) -> None:
    """Write the page.

    Raises:
        OutputError: the file cannot be written.
    """
    shelf = Environment(loader=PackageLoader("spinalis.train", "."), autoescape=True, undefined=StrictUndefined)
    write_bytes(file, shelf.get_template("triage_errors.html.j2").render(pages=pages).encode())


def _spread(
    kinds: dict[tuple[str, str, str], list[tuple[float, int]]], order: list[tuple[str, str, str]]
) -> list[tuple[tuple[str, str, str], float, int]]:
    """The surest of each kind, then the second surest of each, and so on."""
    ranked = {kind: sorted(kinds[kind], reverse=True) for kind in order}
    rounds = [
        (kind, *ranked[kind][place])
        for place in range(max(map(len, ranked.values()), default=0))
        for kind in order
        if place < len(ranked[kind])
    ]
    return rounds[:MOST_PICTURES]


def _picture(kind: tuple[str, str, str], sure: float, pixels: NDArray[np.uint8], patient: str) -> Picture:
    written, png = cv2.imencode(".png", pixels)
    if not written:
        raise ValueError("Picture: expected bytes that PNG can hold, got others.")
    node, truth, answer = kind
    return Picture(
        png=base64.b64encode(png.tobytes()).decode(),
        node=node,
        truth=truth,
        answer=answer,
        probability=f"{sure:.2f}",
        patient=patient,
    )

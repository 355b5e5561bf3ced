from dataclasses import replace

import numpy as np
import pytest

from spinalis.simulate.anatomy import sample_subject
from spinalis.simulate.coordinates import Body
from spinalis.simulate.elsewhere import ELSEWHERE, SHARES, Elsewhere
from spinalis.simulate.other import part_labels, part_tissue
from spinalis.simulate.protocols import other_stack
from spinalis.simulate.scanner import Stack
from spinalis.simulate.study import render_labels
from spinalis.simulate.tissue import Tissue

BY_WORD = {anatomy.word: anatomy for anatomy in ELSEWHERE}
OF_PARTS = [anatomy for anatomy in ELSEWHERE if anatomy.parts]
SHOWN = {
    "BRAIN": {Tissue.BRAIN_GREY, Tissue.BRAIN_WHITE},
    "ABDOMEN": {Tissue.LIVER, Tissue.KIDNEY, Tissue.BOWEL},
    "PELVIS": {Tissue.MARROW, Tissue.FLUID, Tissue.MUSCLE},
    "HEART": {Tissue.LUNG, Tissue.MUSCLE, Tissue.FLOW_VOID},
    "PROSTATE": {Tissue.FLUID, Tissue.MUSCLE, Tissue.BOWEL},
}


def test_every_anatomy_has_a_share_and_either_parts_or_a_place() -> None:
    assert len(SHARES) == len(ELSEWHERE) == len(BY_WORD)
    assert sum(SHARES) == pytest.approx(1)
    assert all(bool(anatomy.parts) != (anatomy.place is not None) for anatomy in ELSEWHERE)


@pytest.mark.parametrize(
    ("word", "point", "tissue"),
    [
        ("KNEE", (0, -5, 100), Tissue.MARROW),
        ("KNEE", (0, -46, 26), Tissue.MARROW),
        ("KNEE", (36, 3, 0), Tissue.LIGAMENT),
        ("KNEE", (-36, 3, 0), Tissue.LIGAMENT),
        ("SHOULDER", (3, 0, 0), Tissue.MARROW),
        ("SHOULDER", (-150, 0, -100), Tissue.LUNG),
        ("ANKLE", (0, 20, -33), Tissue.MARROW),
        ("WRIST", (11, 0, 60), Tissue.MARROW),
        ("BREAST", (-80, 44, 0), Tissue.LUNG),
        ("PHANTOM", (30, 0, 0), Tissue.FAT),
    ],
)
def test_parts_lie_where_the_table_says(word: str, point: tuple[float, float, float], tissue: Tissue) -> None:
    noise = np.ones((64, 64, 64), np.float32)
    assert part_tissue(BY_WORD[word].table(), noise, *point) == tissue


@pytest.mark.parametrize("anatomy", OF_PARTS, ids=lambda anatomy: anatomy.word)
def test_the_first_thing_met_from_outside_is_the_rim(anatomy: Elsewhere) -> None:
    noise = np.ones((64, 64, 64), np.float32)
    first = Tissue.FLUID if anatomy.word == "PHANTOM" else Tissue.SKIN
    for x, y in ((1, 0.3), (-1, 0.2), (0.1, 1), (0.2, -1)):
        ray = (part_tissue(anatomy.table(), noise, x * far, y * far, -5.0) for far in np.arange(260, 0, -0.4))
        assert next(label for label in ray if label != Tissue.AIR) == first


@pytest.mark.parametrize("kind", range(len(ELSEWHERE)), ids=[anatomy.word for anatomy in ELSEWHERE])
def test_slices_show_the_anatomy_and_are_the_same_twice(kind: int) -> None:
    anatomy = ELSEWHERE[kind]
    subject = sample_subject(np.random.default_rng(2))
    for seed in range(3):
        stack = other_stack(np.random.default_rng(seed), subject, kind)
        small = shrunk(stack)
        made = [
            part_labels(anatomy, subject.noise, 1.0, small)
            if anatomy.parts
            else render_labels(Body(*subject.arrays), small)
            for _ in range(2)
        ]
        np.testing.assert_array_equal(made[0][0], made[1][0])
        labels = made[0][0]
        assert stack.plane in anatomy.planes
        assert (labels != Tissue.AIR).mean() > 0.1
        assert np.isin(labels, list(SHOWN.get(anatomy.word, {Tissue.MARROW, Tissue.LUNG, Tissue.FLUID}))).any()


def shrunk(stack: Stack) -> Stack:
    """The same field in 40 x 40 pixels."""
    return replace(stack, rows=40, columns=40, pixel_mm=stack.pixel_mm * stack.rows / 40)

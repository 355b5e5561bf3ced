"""Lesions laid over the healthy anatomy, and vertebrae slipped on each other: shapes as numbers, compiled.

A lesion belongs to a plane and is written in its coordinates: `u` to the left, `v` to the back of the centre of the
disc, `q` above it. What it may replace is its `form`.
"""

# A compiled decision is a chain of early returns over plain numbers; splitting it hides the order of the tissues.
# mypy: disable-error-code="no-any-return"
# ruff: noqa: PLR0913, PLR0917

from enum import IntEnum

from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import Body, noise_at
from spinalis.simulate.kernel import NOTHING, healthy_tissue, near_capsule
from spinalis.simulate.tissue import Tissue


class Form(IntEnum):
    """What a lesion may replace."""

    MARROW = 0
    """Only marrow: Modic changes, haemangioma, oedema."""
    BONE = 1
    """The vertebral body with its end-plates: Schmorl's nodes, sunken end-plates."""
    CANAL = 2
    """All that is soft in the canal: extruded disc, cysts."""
    BEHIND = 3
    """Bone and ligaments behind the canal: laminectomy, gap of the pars."""
    DEVICE = 4
    """Everything: screws, rods, cages."""


MARROW_ONLY, BONE, CANAL, BEHIND = int(Form.MARROW), int(Form.BONE), int(Form.CANAL), int(Form.BEHIND)
MARROW, CORTEX, PEDICLE = int(Tissue.MARROW), int(Tissue.CORTEX), int(Tissue.PEDICLE)
MODIC_1, MODIC_2, SCLEROSIS = int(Tissue.MODIC_1), int(Tissue.MODIC_2), int(Tissue.SCLEROSIS)
HAEMANGIOMA, OEDEMA, BODY_VEIN = int(Tissue.HAEMANGIOMA), int(Tissue.OEDEMA), int(Tissue.BODY_VEIN)
EPIDURAL_FAT, CSF, ROOTLET, ROOT = (
    *(int(Tissue.EPIDURAL_FAT), int(Tissue.CSF)),
    *(int(Tissue.ROOTLET), int(Tissue.ROOT)),
)
LIGAMENT, FLAVUM, FIBROUS, SLOW_BLOOD = (
    *(int(Tissue.LIGAMENT), int(Tissue.FLAVUM)),
    *(int(Tissue.FIBROUS), int(Tissue.SLOW_BLOOD)),
)
JOINT, INTERSPINOUS, FAT, SCAR = int(Tissue.JOINT), int(Tissue.INTERSPINOUS), int(Tissue.FAT), int(Tissue.SCAR)


@compiled
def replaceable(form: int, label: int) -> bool:
    """May a lesion of this form take the place of the label?"""
    if form == MARROW_ONLY:
        return label == MARROW
    if form == BONE:
        return label in (MARROW, CORTEX, BODY_VEIN, MODIC_1, MODIC_2, SCLEROSIS, HAEMANGIOMA, OEDEMA)
    if form == CANAL:
        return label in (EPIDURAL_FAT, CSF, ROOTLET, ROOT, LIGAMENT, FLAVUM, FIBROUS, SLOW_BLOOD, BODY_VEIN)
    if form == BEHIND:
        return label in (PEDICLE, CORTEX, LIGAMENT, INTERSPINOUS, FLAVUM, JOINT, FAT, NOTHING)
    return True


@compiled
def overlaid(body: Body, k: int, u: float, v: float, q: float, label: int) -> int:
    """The label at a place beside plane `k` once its lesions are laid over it.

    An ellipsoid where `to_u`, `to_v`, `to_q` are 0, otherwise a rod from its centre to there of radius `radius_u`.
    """
    plane = body.planes[k]
    for n in range(int(plane.first_lesion), int(plane.end_lesion)):
        lesion = body.lesions[n]
        if not replaceable(int(lesion.form), label):
            continue
        if lesion.to_u != 0 or lesion.to_v != 0 or lesion.to_q != 0:
            end = (lesion.to_u, lesion.to_v, lesion.to_q)
            if near_capsule((lesion.u, lesion.v, lesion.q), end, (u, v, q)) < lesion.radius_u:
                label = int(lesion.label)
            continue
        a, b, c = (u - lesion.u) / lesion.radius_u, (v - lesion.v) / lesion.radius_v, (q - lesion.q) / lesion.radius_q
        e = a * a + b * b + c * c
        if e > 4:
            continue
        if lesion.rough > 0:
            e += lesion.rough * noise_at(body.noise, u / 2.2 + 7 * n, v / 2.2, q / 2.2)
        if e < 1:
            thin = (1 - e) * 0.5 * min(lesion.radius_u, lesion.radius_v, lesion.radius_q)
            label = int(lesion.rim) if lesion.rim >= 0 and thin < 0.8 else int(lesion.label)
    return label


@compiled
def slipped(body: Body, i: int, t: float, up: float, down: float) -> float:
    """What a slip adds to `v`: the frames of a slipped plane lie half way, its two vertebrae before and behind it.

    Within the disc the shift runs from one to the other.
    """
    lower, upper = body.planes[i + 1], body.planes[i]
    shift = 0.0
    if lower.slip != 0:
        shift += 0.5 * lower.slip * (1 - t * t * (3 - 2 * t)) * min(1.0, down / lower.half_height)
    if upper.slip != 0:
        shift -= 0.5 * upper.slip * t * t * (3 - 2 * t) * min(1.0, up / upper.half_height)
    return shift


@compiled
def spine_tissue(body: Body, i: int, t: float, u: float, v: float, up: float, down: float) -> int:
    """The tissue at a place of vertebra `i`, disease included; NOTHING where the rest of the body decides.

    Args:
        body: the subject.
        i: the vertebra.
        t: 0 at the plane below it, 1 at the plane above.
        u: mm to the left.
        v: mm to the back of the centre of the body.
        up: distance to the plane above, mm.
        down: distance to the plane below, mm.
    """
    lower, upper = body.planes[i + 1], body.planes[i]
    if lower.slip != 0 or upper.slip != 0:
        v += slipped(body, i, t, up, down)
    label = healthy_tissue(body, i, t, u, v, up, down)
    if lower.end_lesion > lower.first_lesion:
        label = overlaid(body, i + 1, u, v, down, label)
    if upper.end_lesion > upper.first_lesion:
        label = overlaid(body, i, u, v, -up, label)
    return label

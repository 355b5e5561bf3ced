"""Kinds of torture: bodies that few people have."""

from spinalis.simulate.disease import Lesion, LesionKind
from spinalis.simulate.junction import Junction
from spinalis.simulate.torture.draft import Draft, Patient, another_patient
from spinalis.vocabulary import Level


def four_lumbar_vertebrae(draft: Draft) -> None:
    """L5 belongs to the sacrum: levels are counted from the last well-formed disc, or their numbering is doubted."""
    another_patient(draft, Patient(junction=Junction.SACRALIZED))


def six_lumbar_vertebrae(draft: Draft) -> None:
    """S1 is free of the sacrum: levels are counted from the last well-formed disc, or their numbering is doubted."""
    another_patient(draft, Patient(junction=Junction.LUMBARIZED))


def scoliosis(draft: Draft) -> None:
    """The lumbar spine bends to the side by 15 degrees or more: no sagittal slice shows all of its midline."""
    another_patient(draft, Patient(bent_deg=15.0))


def spondylolisthesis(draft: Draft) -> None:
    """L4 has slipped by 9 mm on L5."""
    slip = Lesion(kind=LesionKind.SLIP, place=Level.L4_L5.value, size_mm=9.0)
    another_patient(draft, Patient(lesions=(slip,)))


KINDS = (
    four_lumbar_vertebrae,
    six_lumbar_vertebrae,
    scoliosis,
    spondylolisthesis,
)

"""The open real images that carry triage labels: SPIDER slices and slabs, small NIfTI volumes, scanner DICOM.

Layout and licences: `docs/data.md`. Each source outside SPIDER is one subject, so it is either trained on or judged
on, whole.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np

from spinalis.formats import read_studies
from spinalis.geometry import display_matrix, patient_plane
from spinalis.models.prepare import resample
from spinalis.records import Image, Series
from spinalis.train.data import spider
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

ENVIRONMENT = "SPINALIS_REAL_DATA"


@dataclass(frozen=True, slots=True, kw_only=True)
class Labels:
    """What is known of a slice; None where nothing is."""

    anatomy: Anatomy
    region: Region | None = None
    plane: Plane | None = None
    sequence: Sequence | None = None
    cord: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RealSlice:
    """One slice with its labels. `patient` is unique over all sources; `subset` is `training` or `validation`."""

    image: Image
    labels: Labels
    source: str
    patient: str
    subset: str


_SPINE = Anatomy.MR_SPINE
_VOLUMES: tuple[tuple[str, str, Labels], ...] = (
    (
        "nifti/sct_testing_cervical_t1.nii.gz",
        "training",
        Labels(anatomy=_SPINE, region=Region.CERVICAL, sequence=Sequence.T1W),
    ),
    (
        "nifti/sct_testing_cervical_t2.nii.gz",
        "training",
        Labels(anatomy=_SPINE, region=Region.CERVICAL, sequence=Sequence.T2W),
    ),
    (
        "nifti/sct_testing_cervical_ax_t2star.nii.gz",
        "training",
        Labels(anatomy=_SPINE, region=Region.CERVICAL, sequence=Sequence.OTHER, cord=True),
    ),
    (
        "nifti/tptbox_thoracic_t2_crop.nii.gz",
        "training",
        Labels(anatomy=_SPINE, region=Region.THORACIC, sequence=Sequence.T2W),
    ),
    ("nifti/sct_tutorial_thoracolumbar_sag_t2.nii.gz", "training", Labels(anatomy=_SPINE, sequence=Sequence.T2W)),
    ("nifti/totalsegmentator_abdomen_mr.nii.gz", "training", Labels(anatomy=Anatomy.OTHER)),
    ("nifti/totalsegmentator_torso_ct.nii.gz", "training", Labels(anatomy=Anatomy.OTHER)),
    ("dicom/brain_sag_t1_mprage", "training", Labels(anatomy=Anatomy.OTHER, sequence=Sequence.T1W)),
    ("dicom/brain_sag_t1_flash", "validation", Labels(anatomy=Anatomy.OTHER, sequence=Sequence.T1W)),
    ("dicom/torso_ct", "validation", Labels(anatomy=Anatomy.OTHER)),
    (
        "nifti/sct_tutorial_cervical_ax_t2.nii.gz",
        "validation",
        Labels(anatomy=_SPINE, region=Region.CERVICAL, sequence=Sequence.T2W, cord=True),
    ),
    (
        "nifti/sct_tutorial_cervical_ax_mt1.nii.gz",
        "validation",
        Labels(anatomy=_SPINE, region=Region.CERVICAL, sequence=Sequence.OTHER, cord=True),
    ),
)


def find_root(given: Path | None = None) -> Path | None:
    """Where the open images are: as given, else the environment variable, else `../shared/data`; None where nowhere."""
    named = os.environ.get(ENVIRONMENT)
    choices = [given] if given else [Path(named)] if named else [Path("../shared/data")]
    return next((root for root in choices if (root / spider.FOLDER / "manifest.csv").is_file()), None)


def read(root: Path, subset: str) -> Iterator[RealSlice]:
    """All labelled slices of a subset, in conventional display."""
    subsets = {}
    for item in spider.read(root):
        subsets[item.patient] = item.subset
        if item.subset == subset:
            yield RealSlice(
                image=item.load(),
                labels=_lumbar(item.sequence),
                source=spider.FOLDER,
                patient=f"spider-{item.patient}",
                subset=subset,
            )
    for folder in sorted((root / "spider_t2space_slabs").iterdir()):
        if subsets.get(folder.name) == subset:
            for file in sorted(folder.glob("[0-9][0-9][0-9].png")):
                image = np.asarray(cv2.imread(str(file), cv2.IMREAD_GRAYSCALE), np.float32)
                yield RealSlice(
                    image=image,
                    labels=_lumbar(Sequence.T2W),
                    source="spider_t2space_slabs",
                    patient=f"spider-{folder.name}",
                    subset=subset,
                )
    for name, chosen, labels in _VOLUMES:
        if chosen == subset:
            yield from _volume(root / name, subset, labels)


def _lumbar(sequence: Sequence) -> Labels:
    return Labels(anatomy=_SPINE, region=Region.LUMBAR, plane=Plane.SAGITTAL, sequence=sequence)


def _volume(path: Path, subset: str, labels: Labels) -> Iterator[RealSlice]:
    for study in read_studies(path):
        for series in study.series:
            for index in range(len(series.slices)):
                image = shown(series, index)
                if image.std() > 0:
                    yield RealSlice(
                        image=image,
                        labels=_with_plane(labels, series, index),
                        source=path.name.split(".")[0],
                        patient=path.name.split("_")[0] + path.name.split("_")[1],
                        subset=subset,
                    )


def _with_plane(labels: Labels, series: Series, index: int) -> Labels:
    plane = series.slices[index].plane
    return replace(labels, plane=patient_plane(plane) if plane else None)


def shown(series: Series, index: int) -> Image:
    """A slice in conventional display, its own pixels."""
    image = series.load(index)
    turn = display_matrix(series.slices[index].plane, *image.shape)
    shape = image.shape if turn[0, 0] else image.shape[::-1]
    return resample(image, turn, (shape[0], shape[1]))

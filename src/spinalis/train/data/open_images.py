"""The open real images that carry triage labels: SPIDER slices and slabs, small NIfTI volumes, scanner DICOM.

Layout and licences: `docs/data.md`. Each source outside SPIDER is one subject, so it is either trained on or judged
on, whole.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from pathlib import Path

from spinalis.errors import RecipeError
from spinalis.records import Series
from spinalis.train.data import spider
from spinalis.train.data.real_slice import Labels, RealSlice, pictures, series_of, shown, slices_of, with_plane
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

ENVIRONMENT = "SPINALIS_REAL_DATA"
_SLABS = "spider_t2space_slabs"
_PICTURES = (spider.FOLDER, _SLABS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Volume:
    path: str
    patient: str
    subset: str
    labels: Labels


_SPINE = Anatomy.MR_SPINE


def _volume(path: str, patient: str, subset: str, labels: Labels) -> _Volume:
    return _Volume(path=path, patient=patient, subset=subset, labels=labels)


_CERVICAL_T1W = Labels(anatomy=_SPINE, region=Region.CERVICAL, sequence=Sequence.T1W)
_CERVICAL_T2W = Labels(anatomy=_SPINE, region=Region.CERVICAL, sequence=Sequence.T2W)
_CERVICAL_OTHER = Labels(anatomy=_SPINE, region=Region.CERVICAL, sequence=Sequence.OTHER, cord=True)
_THORACIC_T2W = Labels(anatomy=_SPINE, region=Region.THORACIC, sequence=Sequence.T2W)
_ABDOMEN = Labels(anatomy=Anatomy.OTHER, part="ABDOMEN")
_CT = Labels(anatomy=Anatomy.OTHER, part="CT")
_BRAIN_T1W = Labels(anatomy=Anatomy.OTHER, sequence=Sequence.T1W, part="BRAIN")

_VOLUMES = (
    _volume("nifti/sct_testing_cervical_t1.nii.gz", "sct-testing", "training", _CERVICAL_T1W),
    _volume("nifti/sct_testing_cervical_t2.nii.gz", "sct-testing", "training", _CERVICAL_T2W),
    _volume("nifti/sct_testing_cervical_ax_t2star.nii.gz", "sct-testing", "training", _CERVICAL_OTHER),
    _volume("nifti/tptbox_thoracic_t2_crop.nii.gz", "tptbox", "training", _THORACIC_T2W),
    _volume("nifti/totalsegmentator_abdomen_mr.nii.gz", "totalsegmentator-mr", "training", _ABDOMEN),
    _volume("nifti/totalsegmentator_torso_ct.nii.gz", "totalsegmentator-ct", "training", _CT),
    _volume("dicom/brain_sag_t1_mprage", "brain-mprage", "training", _BRAIN_T1W),
    _volume("dicom/brain_sag_t1_flash", "brain-flash", "validation", _BRAIN_T1W),
    _volume("dicom/torso_ct", "torso-ct", "validation", _CT),
    _volume(
        "nifti/sct_tutorial_cervical_ax_t2.nii.gz", "sct-tutorial", "validation", replace(_CERVICAL_T2W, cord=True)
    ),
    _volume("nifti/sct_tutorial_cervical_ax_mt1.nii.gz", "sct-tutorial", "validation", _CERVICAL_OTHER),
    _volume(
        "nifti/sct_tutorial_thoracolumbar_sag_t2.nii.gz",
        "sct-tutorial",
        "validation",
        Labels(anatomy=_SPINE, sequence=Sequence.T2W),
    ),
)
"""A subject is trained on or judged on, never both. The thoracolumbar volume shows two regions, so it names none."""


def find_root(given: Path | None = None) -> Path | None:
    """Where the open images are: as given, else as the environment says, else `../shared/data`.

    Returns:
        The folder, or None where nothing is said and the usual place holds none.

    Raises:
        RecipeError: a folder is named, and the images are not in it.
    """
    named = given or (Path(os.environ[ENVIRONMENT]) if os.environ.get(ENVIRONMENT) else None)
    root = named or Path("../shared/data")
    if (root / spider.FOLDER / "manifest.csv").is_file():
        return root
    if named is not None:
        raise RecipeError(
            f"Real images: expected {spider.FOLDER}/manifest.csv in {named}, got none. "
            f"Correct --data or {ENVIRONMENT}, or leave both out to train on simulation alone."
        )
    return None


def read(root: Path, subset: str) -> Iterator[RealSlice]:
    """All labelled slices of a subset, in conventional display."""
    subsets = {}
    for item in spider.read(root):
        subsets[item.patient] = item.subset
        if item.subset == subset:
            yield RealSlice(
                load=item.load,
                labels=_lumbar(item.sequence),
                source=spider.FOLDER,
                patient=f"spider-{item.patient}",
                subset=subset,
            )
    for folder in sorted((root / _SLABS).iterdir()):
        if subsets.get(folder.name) == subset:
            for file in sorted(folder.glob("[0-9][0-9][0-9].png")):
                yield RealSlice(
                    load=partial(spider.load_png, file),
                    labels=_lumbar(Sequence.T2W),
                    source=_SLABS,
                    patient=f"spider-{folder.name}",
                    subset=subset,
                )
    for volume in _VOLUMES:
        if volume.subset == subset:
            yield from _slices_of(volume, root)


@dataclass(frozen=True, slots=True, kw_only=True)
class RealSeries:
    """A series as it is read, the same as mere `pixels` in conventional display, and the labels of each slice."""

    series: Series
    pixels: Series
    labels: tuple[Labels, ...]
    source: str
    patient: str


def read_series(root: Path, subset: str) -> Iterator[RealSeries]:
    """What `read` yields, in series: a mid-sagittal picture is one of its own, a slab or a volume is one.

    Slices without any contrast are left out of both series.
    """
    single = [item for item in read(root, subset) if item.source in _PICTURES]
    for _, group in groupby(enumerate(single), lambda pair: _series_key(*pair)):
        items = [item for _, item in group]
        series = pictures([item.load for item in items], items[0].patient)
        labels = tuple(item.labels for item in items)
        yield RealSeries(series=series, pixels=series, labels=labels, source=items[0].source, patient=items[0].patient)
    for volume in _VOLUMES:
        for series in series_of(root / volume.path) if volume.subset == subset else ():
            yield _seen(volume, series)


def _series_key(number: int, item: RealSlice) -> str:
    return item.patient if item.source == _SLABS else str(number)


def _seen(volume: _Volume, whole: Series) -> RealSeries:
    places = [index for index in range(len(whole.slices)) if whole.load(index).std() > 0]
    series = replace(
        whole, slices=tuple(whole.slices[place] for place in places), load=lambda index: whole.load(places[index])
    )
    count = range(len(places))
    return RealSeries(
        series=series,
        pixels=pictures([partial(shown, series, index) for index in count], volume.patient),
        labels=tuple(with_plane(volume.labels, series, index) for index in count),
        source=_source_of(volume),
        patient=volume.patient,
    )


def _lumbar(sequence: Sequence) -> Labels:
    return Labels(anatomy=_SPINE, region=Region.LUMBAR, plane=Plane.SAGITTAL, sequence=sequence)


def _source_of(volume: _Volume) -> str:
    return Path(volume.path).name.split(".")[0]


def _slices_of(volume: _Volume, root: Path) -> Iterator[RealSlice]:
    slices = slices_of(
        root / volume.path,
        volume.labels,
        source=_source_of(volume),
        patient=volume.patient,
        subset=volume.subset,
    )
    return (item for item in slices if item.image.std() > 0)

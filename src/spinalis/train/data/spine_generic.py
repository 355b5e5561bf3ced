"""Spine Generic: cervical spines of volunteers in BIDS, with the cord labelled slice by slice.

Layout, from spine-generic/data-multi-subject: `sub-<name>/anat/sub-<name>_<entities>_<T1w|T2w|T2star|MTS>.nii.gz`,
`sub-<name>/dwi/..._dwi.nii.gz`; masks of the cord below `derivatives/labels`, in the same folders, with
`_label-SC_seg` (newer releases) or `_seg-manual` (older ones) behind the name of the picture. Volumes come by
git-annex: what is not fetched is a link that leads nowhere.

A slice shows the cord where its mask does. A slice without it is free of cord where the slices lie side by side
(sagittal, coronal); along the body (axial) the mask may just have ended, so beyond its ends nothing is known. Without a
mask nothing is known either.

Assumed: all volumes are cervical spine, also the sides of the T1w volumes, which show the head; MTS is T1w where it is
the one without pulse and with the large flip angle (`acq-T1w`, `flip-2`), else `other`, as are T2star and diffusion,
of which the first volume (b = 0) is read.

Split by a hash of the subject. Source: Cohen-Adad J et al., Open-access quantitative MRI data of the spinal cord and
reproducibility across participants, sites and manufacturers, Sci Data 2021.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

from spinalis.errors import RecipeError
from spinalis.geometry import patient_plane
from spinalis.records import Series
from spinalis.train.data.real_slice import Labels, RealSlice, found, named, series_of, shown, subset_of, with_plane
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

TITLE, SOURCE = "Spine Generic", "spine-generic"
VOLUME = ".nii.gz"
MASKS = "derivatives/labels"
MASK_ENDINGS = ("_label-SC_seg", "_seg-manual")

SEQUENCES: Mapping[str, Sequence] = {
    "T1w": Sequence.T1W,
    "T2w": Sequence.T2W,
    "T2star": Sequence.OTHER,
    "MTS": Sequence.OTHER,
    "dwi": Sequence.OTHER,
}
"""Last part of a name -> contrast."""

T1W_MTS = ("acq-T1w", "flip-2")
"""Parts of the name of the MTS volume that is T1w, in older and in newer releases."""


def read(root: Path) -> Iterator[RealSlice]:
    """All slices, subject by subject.

    Raises:
        RecipeError: there is no subject, a volume is not fetched, damaged or of an unknown contrast, or a mask does
            not fit its volume.
    """
    for subject in found(root, "sub-*/", TITLE, layout="sub-<name>/anat"):
        patient = f"{SOURCE}-{subject.name.removeprefix('sub-')}"
        for file in found(subject, f"**/*{VOLUME}", f"{TITLE}, {subject.name}", layout="volumes"):
            yield from _volume(root, file, patient)


def _volume(root: Path, file: Path, patient: str) -> Iterator[RealSlice]:
    labels = Labels(anatomy=Anatomy.MR_SPINE, region=Region.CERVICAL, sequence=_sequence(file))
    (series,) = series_of(_fetched(file))
    cord = _cord(root, file, series)
    for index in range(len(series.slices)):
        yield RealSlice(
            load=partial(shown, series, index),
            labels=replace(with_plane(labels, series, index), cord=cord[index]),
            source=SOURCE,
            patient=patient,
            subset=subset_of(patient),
        )


def _sequence(file: Path) -> Sequence:
    *parts, contrast = file.name.removesuffix(VOLUME).split("_")
    if contrast not in SEQUENCES:
        raise RecipeError(
            f"{named(file)}: expected a contrast of {', '.join(SEQUENCES)}, got {contrast}. Leave the file out."
        )
    return Sequence.T1W if contrast == "MTS" and set(parts) & set(T1W_MTS) else SEQUENCES[contrast]


def _cord(root: Path, file: Path, series: Series) -> list[bool | None]:
    """Whether each slice shows the cord; None where nothing is known."""
    stem = root / MASKS / file.relative_to(root).parent / file.name.removesuffix(VOLUME)
    masks = [path for ending in MASK_ENDINGS if (path := Path(f"{stem}{ending}{VOLUME}")).is_symlink() or path.exists()]
    if not masks:
        return [None] * len(series.slices)
    (mask,) = series_of(_fetched(masks[0]))
    if (mask.rows, mask.columns, len(mask.slices)) != (series.rows, series.columns, len(series.slices)):
        raise RecipeError(
            f"{named(masks[0])}: expected {len(series.slices)} slices of {series.rows} x {series.columns} as in the "
            f"volume, got {len(mask.slices)} of {mask.rows} x {mask.columns}. Fetch both again."
        )
    seen = [bool((mask.load(index) > 0).any()) for index in range(len(mask.slices))]
    plane = series.slices[0].plane
    if plane is not None and patient_plane(plane) in (Plane.SAGITTAL, Plane.CORONAL):
        return list(seen)
    inside = range(seen.index(True), len(seen) - seen[::-1].index(True)) if any(seen) else range(0)
    return [seen[index] if index in inside else None for index in range(len(seen))]


def _fetched(file: Path) -> Path:
    if not file.is_file():
        raise RecipeError(f"{named(file)}: expected a volume, got a link that leads nowhere. Run: git annex get.")
    return file

"""fastMRI knee, brain and prostate: reconstructions beside their raw data, all of them not spine.

Layout, as public code reads it (facebookresearch/fastMRI, cai2r/fastMRI_prostate, microsoft/fastmri-plus): one `.h5`
file per scan, in any folder, with `reconstruction_rss` (slice, row, column), the attributes `acquisition` and
`patient_id`, and `ismrmrd_header`, which is not needed here. Knee: `file1000001.h5`, `CORPD_FBK` or `CORPDFS_FBK`;
brain: `file_brain_AXT2_200_2000019.h5`, the acquisition in its name; prostate: `file_prostate_AXT2_001.h5`.

fastMRI+ says that knees and brains are stored upside down; they are turned here. Assumed: prostates are not, and left
and right are as stored. Diffusion of the prostate (`file_prostate_AXDIFF_*`) comes without a reconstruction and is
left out, and the masked files of the test folders have none either: give the training and validation folders.

The set is split anew by a hash of `patient_id`, since a patient may stand in several of its parts.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path

import numpy as np

from spinalis.errors import RecipeError
from spinalis.records import Image
from spinalis.train.data import hdf5
from spinalis.train.data.real_slice import Labels, RealSlice, found, named, subset_of
from spinalis.vocabulary import Anatomy, Plane, Sequence

TITLE = "fastMRI"
IMAGES = "reconstruction_rss"
AXES = "slice, row, column"

PROSTATE, DIFFUSION = "file_prostate", "file_prostate_AXDIFF"
"""How the names of the files begin."""

SEQUENCES: Mapping[str, Sequence] = {
    "CORPD_FBK": Sequence.OTHER,
    "CORPDFS_FBK": Sequence.OTHER,
    "AXT1": Sequence.T1W,
    "AXT1PRE": Sequence.T1W,
    "AXT1POST": Sequence.T1W,
    "AXT2": Sequence.T2W,
    "AXFLAIR": Sequence.OTHER,
}
"""Acquisition -> contrast: proton density and FLAIR are `other`. The first two are coronal knees, the rest axial."""


def read(root: Path) -> Iterator[RealSlice]:
    """All slices, file by file; `source` is `fastmri-knee`, `fastmri-brain` or `fastmri-prostate`.

    Raises:
        RecipeError: there is no file, or one is damaged, without a reconstruction or of an unknown acquisition.
    """
    for file in found(root, "**/*.h5", TITLE, layout="one .h5 file per scan"):
        if not file.name.startswith(DIFFUSION):
            yield from _scan(file)


def _scan(file: Path) -> Iterator[RealSlice]:
    with hdf5.opened(file) as handle:
        count = hdf5.dataset(handle, IMAGES, AXES).shape[0]
        patient = f"fastmri-{hdf5.attribute(handle, 'patient_id')}"
        acquisition = hdf5.attribute(handle, "acquisition")
    if acquisition not in SEQUENCES:
        raise RecipeError(
            f"{named(file)}: expected an acquisition of {', '.join(SEQUENCES)}, got {acquisition}. Leave the file out."
        )
    knee = acquisition.startswith("COR")
    prostate = file.name.startswith(PROSTATE)
    labels = Labels(
        anatomy=Anatomy.OTHER,
        plane=Plane.CORONAL if knee else Plane.AXIAL,
        sequence=SEQUENCES[acquisition],
        part="KNEE" if knee else "PROSTATE" if prostate else "BRAIN",
    )
    for index in range(count):
        yield RealSlice(
            load=partial(_load, file, index, upside_down=not prostate),
            labels=labels,
            source="fastmri-knee" if knee else "fastmri-prostate" if prostate else "fastmri-brain",
            patient=patient,
            subset=subset_of(patient),
        )


def _load(file: Path, index: int, *, upside_down: bool) -> Image:
    with hdf5.opened(file) as handle:
        image = np.asarray(hdf5.dataset(handle, IMAGES, AXES)[index], np.float32)
    return np.ascontiguousarray(image[::-1] if upside_down else image)

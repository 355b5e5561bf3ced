"""CHAOS: abdominal MR, all of it not spine.

Layout, as many public scripts read it: `Train_Sets/MR/<patient>/` and `Test_Sets/MR/<patient>/` with
`T1DUAL/DICOM_anon/InPhase`, `T1DUAL/DICOM_anon/OutPhase` and `T2SPIR/DICOM_anon`, DICOM files in each; the masks
(`Ground`) and the CT half are not read. No patient is in both halves of the set.

Assumed: both phases are T1w, SPIR (fat-suppressed turbo spin echo) is T2w; axial, where a header gives no geometry.
Split by a hash of the patient. Source: Kavur AE et al., CHAOS challenge, Med Image Anal 2021.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

from spinalis.errors import RecipeError
from spinalis.train.data.real_slice import Labels, RealSlice, found, slices_of, subset_of
from spinalis.vocabulary import Anatomy, Plane, Sequence

TITLE, SOURCE = "CHAOS", "chaos"

SERIES: Mapping[str, Sequence] = {
    "T1DUAL/DICOM_anon/InPhase": Sequence.T1W,
    "T1DUAL/DICOM_anon/OutPhase": Sequence.T1W,
    "T2SPIR/DICOM_anon": Sequence.T2W,
}
"""Folder below the patient -> contrast."""


def read(root: Path) -> Iterator[RealSlice]:
    """All slices of the MR half, patient by patient.

    Raises:
        RecipeError: there is no patient, or a series is missing or cannot be read.
    """
    for folder in found(root, "*_Sets/MR/*/", TITLE, layout="Train_Sets/MR/<patient> or Test_Sets/MR/<patient>"):
        patient = f"{SOURCE}-{folder.name}"
        for place, sequence in SERIES.items():
            if not (folder / place).is_dir():
                raise RecipeError(f"{TITLE}, MR/{folder.name}: expected {place}, got no such folder. Unpack it again.")
            labels = Labels(anatomy=Anatomy.OTHER, sequence=sequence, part="ABDOMEN")
            for item in slices_of(folder / place, labels, source=SOURCE, patient=patient, subset=subset_of(patient)):
                plane = item.labels.plane or Plane.AXIAL
                yield replace(item, labels=replace(item.labels, plane=plane))

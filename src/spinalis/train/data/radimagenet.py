"""RadImageNet: key pictures of CT, MR and ultrasound, of which MR of the spine is spine and the rest is not.

Layout, as public code reads it: `RadiologyAI_train.csv`, `RadiologyAI_val.csv`, `RadiologyAI_test.csv`, in the folder
of the set or in `radiology_ai` below it, with the columns `filename` and `label`; a `filename` is
`radiology_ai/MR/spine/<pathology>/<picture>.png`, relative to the folder of the set; ultrasound has no pathology
folder in some versions. The folders of MR are, from memory, abd, af (ankle and foot), brain, hip, knee, shoulder and
spine; public code names abd, brain and knee.

The set says nothing of region, plane, sequence, cord, or whose picture it is. Therefore its own split is kept (train
for training, val and test for validation), and every picture counts as a patient of its own. Its paper is said to
have split by patient (from memory).

Source: Mei X et al., RadImageNet: an open radiologic deep learning research dataset for effective transfer learning,
Radiol Artif Intell 2022.
"""

from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path, PurePosixPath

from spinalis.errors import RecipeError
from spinalis.formats import csv_rows
from spinalis.train.data.real_slice import TRAINING, VALIDATION, Labels, RealSlice, load_picture
from spinalis.vocabulary import Anatomy

TITLE, SOURCE, FOLDER = "RadImageNet", "radimagenet", "radiology_ai"

TABLES: Mapping[str, str] = {
    "RadiologyAI_train.csv": TRAINING,
    "RadiologyAI_val.csv": VALIDATION,
    "RadiologyAI_test.csv": VALIDATION,
}

MODALITIES = ("CT", "MR", "US")
MR_ANATOMIES = {
    "abd": "ABDOMEN",
    "af": "ANKLE",
    "brain": "BRAIN",
    "hip": "HIP",
    "knee": "KNEE",
    "shoulder": "SHOULDER",
    "spine": "SPINE",
}
"""The folders below MR, and the part of each; a name that is not among them would be a label that nobody looked at."""


def read(root: Path) -> Iterator[RealSlice]:
    """All pictures, in the order of the tables. A picture is looked for when it is loaded.

    Raises:
        RecipeError: none of the tables is there.
        TableError: a table breaks a rule of its layout, or a name holds an unknown modality or anatomy.
    """
    tables = [place / name for name in TABLES for place in (root, root / FOLDER) if (place / name).is_file()]
    if not tables:
        raise RecipeError(f"{TITLE}: expected {next(iter(TABLES))} under {root.name}, got none. Correct the path.")
    for table in tables:
        for line, row in csv_rows.read(table, ("filename", "label")):
            part = _part(table, line, row["filename"])
            labels = Labels(anatomy=Anatomy.MR_SPINE if part == "SPINE" else Anatomy.OTHER, part=part)
            yield RealSlice(
                load=partial(load_picture, root / row["filename"], f"{table.name}, line {line}"),
                labels=labels,
                source=SOURCE,
                patient=f"{SOURCE}-{PurePosixPath(row['filename']).relative_to(FOLDER).with_suffix('')}",
                subset=TABLES[table.name],
            )


def _part(table: Path, line: int, filename: str) -> str:
    parts = PurePosixPath(filename).parts
    if len(parts) < 4 or parts[0] != FOLDER or parts[1] not in MODALITIES:
        rule = f"{FOLDER}/<{'|'.join(MODALITIES)}>/<anatomy>/... in filename"
        raise csv_rows.broken(table, line, rule, filename or "an empty cell")
    if parts[1] == "MR" and parts[2] not in MR_ANATOMIES:
        raise csv_rows.broken(table, line, f"an anatomy of {', '.join(MR_ANATOMIES)} below MR", parts[2])
    return MR_ANATOMIES[parts[2]] if parts[1] == "MR" else parts[1]

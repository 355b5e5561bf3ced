"""Pictures of one's own, listed in a csv table.

| column | holds |
| --- | --- |
| `path` | a file or a folder, relative to the table: DICOM, NIfTI, PNG or JPEG; all its slices get the row's labels |
| `patient` | a key; rows of one patient are never split between training and validation |
| `anatomy` | `spine`, `elsewhere` |
| `region` | `cervical`, `thoracic`, `lumbar` |
| `plane` | `sagittal`, `axial`, `coronal` |
| `sequence` | `t1w`, `t2w`, `stir`, `other` |
| `cord` | `cord`, `nocord` |

Only `path` and `patient` must be there; an empty cell, like a column that is not there, says that nothing is known.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path

from spinalis.formats import csv_rows
from spinalis.train.data.label_words import HEADS
from spinalis.train.data.real_slice import Labels, RealSlice, slices_of, subset_of


def read(table: Path) -> Iterator[RealSlice]:
    """All slices, in the order of the table, split by a hash of the patient.

    Raises:
        TableError: the table breaks a rule of its layout, or a path leads nowhere.
        RecipeError: a file cannot be read.
    """
    source = f"table-{table.stem}"
    for line, row in csv_rows.read(table, ("path", "patient")):
        if not row["patient"]:
            raise csv_rows.broken(table, line, "a key in patient", "an empty cell")
        path = table.parent / row["path"]
        if not row["path"] or not path.exists():
            raise csv_rows.broken(table, line, "a file or folder in path", row["path"] or "an empty cell")
        patient = f"{source}-{row['patient']}"
        labels = _labels(table, line, row)
        yield from slices_of(path, labels, source=source, patient=patient, subset=subset_of(patient))


def _labels(table: Path, line: int, row: Mapping[str, str]) -> Labels:
    chosen = {}
    for head, words in HEADS.items():
        word = row.get(head, "").lower()
        if word and word not in words:
            raise csv_rows.broken(table, line, f"one of {', '.join(words)} in {head}", row[head])
        if word:
            chosen[head] = words[word]
    return Labels(**chosen)

"""Pictures of one's own, one folder per class.

    <root>/spine_cervical_sagittal_t2w_cord/<patient>/<pictures>
    <root>/elsewhere_axial/<picture>.png

The name of a class is made of words joined by `_`, at most one of each row, in any order, in small or capital letters:

    spine, elsewhere
    cervical, thoracic, lumbar
    sagittal, axial, coronal
    t1w, t2w, stir, other
    cord, nocord

What no word names is unknown. A folder below a class is a patient; the same name below two classes is the same
patient. A picture straight in a class is a patient of its own. Pictures are DICOM, NIfTI, PNG or JPEG files.
"""

from collections.abc import Iterator
from pathlib import Path

from spinalis.errors import RecipeError
from spinalis.train.data.label_words import HEADS
from spinalis.train.data.real_slice import Labels, RealSlice, found, slices_of, subset_of


def read(root: Path) -> Iterator[RealSlice]:
    """All slices, class by class, split by a hash of the patient.

    Raises:
        RecipeError: there is no class, the name of one holds an unknown word, or a patient cannot be read.
    """
    source = f"folder-{root.name}"
    for folder in found(root, "*/", "Folder per class", layout="a folder per class"):
        labels = class_labels(folder.name)
        for member in found(folder, "*", f"Class {folder.name}", layout="pictures or folders of patients"):
            patient = f"{source}-{member.name}"
            yield from slices_of(member, labels, source=source, patient=patient, subset=subset_of(patient))


def class_labels(name: str) -> Labels:
    """The labels that the name of a class folder stands for.

    Raises:
        RecipeError: a word is unknown, or two speak of the same thing.
    """
    chosen = {}
    for word in name.lower().split("_"):
        head = next((head for head, words in HEADS.items() if word in words), None)
        if head is None or head in chosen:
            known = ", ".join(known for words in HEADS.values() for known in words)
            raise RecipeError(
                f"Class folder {name}: expected words of {known}, one of a kind, got {word or 'none'}. "
                "Rename the folder."
            )
        chosen[head] = HEADS[head][word]
    return Labels(**chosen)

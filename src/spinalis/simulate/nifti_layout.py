"""Studies as NIfTI under BIDS names, with label maps and level points as derivatives.

Source:
    Names, sidecars and `dseg` tables: Brain Imaging Data Structure 1.8, from memory. Contrasts without a suffix of
    their own are told apart by the `acq` entity.
"""

import importlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from spinalis.errors import SimulationError
from spinalis.formats.atomic import write_bytes
from spinalis.records import FloatArray, Vector
from spinalis.simulate.scanner import Stack
from spinalis.simulate.sequence import Contrast
from spinalis.simulate.study import SimulatedSeries, SimulatedStudy
from spinalis.vocabulary import Anatomy, Plane

DERIVATIVES = Path("derivatives/spinalis-truth")
SHORT_PLANES = {Plane.SAGITTAL: "sag", Plane.AXIAL: "ax", Plane.CORONAL: "cor"}

SUFFIXES: dict[Contrast, tuple[str, str]] = {
    Contrast.T1W: ("", "T1w"),
    Contrast.T1_FLAIR: ("Flair", "T1w"),
    Contrast.T1_POST: ("Post", "T1w"),
    Contrast.T2W: ("", "T2w"),
    Contrast.T2W_FS: ("Fs", "T2w"),
    Contrast.T2_SPACE: ("Space", "T2w"),
    Contrast.STIR: ("Stir", "T2w"),
    Contrast.PD: ("", "PDw"),
    Contrast.GRE: ("", "T2starw"),
    Contrast.DIXON_WATER: ("DixonWater", "T2w"),
    Contrast.DIXON_FAT: ("DixonFat", "T2w"),
    Contrast.DIXON_IN: ("DixonIn", "T2w"),
    Contrast.DIXON_OPPOSED: ("DixonOpposed", "T2w"),
    Contrast.MYELOGRAPHY: ("Myelo", "T2w"),
    Contrast.DWI: ("Trace", "T2w"),
    Contrast.ADC: ("Adc", "T2w"),
}
"""What follows the plane in `acq`, and the suffix.

Trace and ADC images stand in `anat`: they are single volumes without directions of diffusion.
"""


def write_study(made: SimulatedStudy, subject: str, folder: Path) -> tuple[Path, Path]:
    """Write a study below `folder`: `sub-<subject>` and the same below `DERIVATIVES`.

    Args:
        made: the study.
        subject: letters and digits.
        folder: the root of the data set, or a stand-in for it.

    Returns:
        The folder of the images and that of the label maps; both are made.

    Raises:
        SimulationError: nibabel is not installed.
    """
    nibabel = load_nibabel()
    images, labels = folder / f"sub-{subject}", folder / DERIVATIVES / f"sub-{subject}"
    for path in (images / "anat", labels / "anat"):
        path.mkdir(parents=True)
    runs: Counter[str] = Counter()
    for one in made.series:
        word, suffix = SUFFIXES[one.contrast]
        acquisition = f"sub-{subject}_acq-{SHORT_PLANES[one.plane]}{word}"
        runs[acquisition + suffix] += 1
        name = f"{acquisition}_run-{runs[acquisition + suffix]}_{suffix}"
        affine = ras_affine(one.stack)
        _save(nibabel, one.pixels.astype(np.int16), affine, images / "anat" / f"{name}.nii.gz")
        _write_json(images / "anat" / f"{name}.json", _sidecar(one))
        if made.body is not None and one.anatomy is Anatomy.MR_SPINE:
            _write_masks(nibabel, made, one, labels / "anat" / name)
    _write_json(labels / f"sub-{subject}_levels.json", _levels(made))
    return images, labels


def write_descriptions(folder: Path) -> None:
    """Write what belongs to the whole data set: its description, and that of the derivatives.

    Raises:
        OutputError: they cannot be written.
    """
    derived = folder / DERIVATIVES
    derived.mkdir(parents=True, exist_ok=True)
    common = {"BIDSVersion": "1.8.0", "License": "CC0"}
    _write_json(folder / "dataset_description.json", {"Name": "Spinalis, simulated", "DatasetType": "raw", **common})
    generated = [{"Name": "spinalis simulate"}]
    _write_json(
        derived / "dataset_description.json",
        {"Name": "Truth of simulated studies", "DatasetType": "derivative", "GeneratedBy": generated, **common},
    )
    from spinalis.simulate.masks import MASK_NAMES  # noqa: PLC0415  imports numba

    rows = "".join(f"{index}\t{name}\n" for index, name in MASK_NAMES.items())
    write_bytes(derived / "desc-spine_dseg.tsv", f"index\tname\n{rows}".encode())


def ras_affine(stack: Stack) -> FloatArray:
    """Voxel (column, row, slice) to RAS mm, (4, 4)."""
    affine = np.eye(4)
    affine[:3, 0] = stack.pixel_mm * stack.axes[0]
    affine[:3, 1] = stack.pixel_mm * stack.axes[1]
    affine[:3, 2] = stack.spacing_mm * stack.axes[2]
    affine[:3, 3] = stack.origins()[0]
    return np.asarray(np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)


def load_nibabel() -> Any:
    """The library that writes NIfTI.

    Raises:
        SimulationError: it is not installed.
    """
    try:
        return importlib.import_module("nibabel")
    except ImportError as error:
        raise SimulationError(
            "NIfTI layout: expected the extra 'nifti', got no nibabel. Install it with: pip install 'spinalis[nifti]'."
        ) from error


def _save(nibabel: Any, slices: np.ndarray[Any, Any], affine: FloatArray, path: Path) -> None:
    """Write (slices, rows, columns) as a volume whose axes are column, row, slice; the same bytes every time."""
    image = nibabel.Nifti1Image(np.ascontiguousarray(slices.transpose(2, 1, 0)), affine)
    image.header.set_xyzt_units("mm", "sec")
    image.header.set_qform(affine, code=1)
    image.header.set_sform(affine, code=1)
    nibabel.save(image, path)


def _write_masks(nibabel: Any, made: SimulatedStudy, one: SimulatedSeries, path: Path) -> None:
    from spinalis.simulate.masks import label_map  # noqa: PLC0415  imports numba

    if made.body is None:
        raise AssertionError("only spines have masks")
    masks = label_map(made.body, one.stack)
    entities, suffix = path.name.rsplit("_", 1)
    name = f"{entities}_desc-spine{suffix}_dseg.nii.gz"
    _save(nibabel, masks, ras_affine(one.stack), path.with_name(name))


def _sidecar(one: SimulatedSeries) -> dict[str, object]:
    header = one.series.header
    known = {
        "Modality": header.modality,
        "Manufacturer": header.manufacturer,
        "MagneticFieldStrength": header.field_strength_t,
        "BodyPartExamined": header.body_part,
        "SeriesDescription": header.description,
        "ProtocolName": header.protocol,
        "EchoTime": None if header.echo_time_ms is None else header.echo_time_ms / 1000,
        "RepetitionTime": None if header.repetition_time_ms is None else header.repetition_time_ms / 1000,
        "InversionTime": None if header.inversion_time_ms is None else header.inversion_time_ms / 1000,
        "FlipAngle": header.flip_angle_deg,
        "SliceThickness": one.stack.thickness_mm,
        "SpacingBetweenSlices": one.stack.spacing_mm,
        "SeriesNumber": one.series.number,
    }
    return {name: value for name, value in known.items() if value is not None}


def _levels(made: SimulatedStudy) -> dict[str, object]:
    def ras(point: Vector) -> Vector:
        return -point[0], -point[1], point[2]

    points = {level.value: ras(point) for level, point in made.truth.levels.items()}
    points |= {name: ras(point) for name, point in made.truth.landmarks.items()}
    return {"what": "posterior disc edge at the canal, midline", "unit": "mm, RAS", "points": points}


def _write_json(path: Path, content: object) -> None:
    write_bytes(path, json.dumps(content, indent=1).encode())

"""Names and sidecars of the Brain Imaging Data Structure for series that triage has labelled.

Source:
    BIDS 1.8, anatomical imaging: `sub-`, `acq-`, `run-`, suffix, and the units of the sidecar (seconds). From memory;
    bids-validator 1.15.0 found no error in what `spinalis select` made of the bundled study.
"""

import json
from typing import Any

from spinalis import __version__
from spinalis.records import Series, SeriesLabel
from spinalis.report.words import RESEARCH_USE_ONLY
from spinalis.vocabulary import Plane, Region, Sequence

VERSION = "1.8.0"

PLANES = {Plane.SAGITTAL: "sag", Plane.AXIAL: "ax", Plane.CORONAL: "cor"}
REGIONS = {Region.CERVICAL: "Cervical", Region.THORACIC: "Thoracic", Region.LUMBAR: "Lumbar"}

SUFFIXES: dict[Sequence, tuple[str, str]] = {
    Sequence.T1W: ("", "T1w"),
    Sequence.T2W: ("", "T2w"),
    Sequence.STIR: ("Stir", "T2w"),
}
"""What follows plane and region in `acq`, and the suffix; BIDS has none for STIR. Other contrasts have no name here."""

IGNORED = "manifest.csv\nmanifest.jsonl\n.spinalis-select\n"
"""`.bidsignore`: what stands in the folder and is not of the data set."""


def kind(label: SeriesLabel) -> tuple[str, str] | None:
    """What goes into `acq` and into the suffix, such as `sagLumbar` and `T2w`; None where BIDS has no name."""
    sequence = SUFFIXES.get(label.sequence.label)
    if sequence is None:
        return None
    word, suffix = sequence
    return PLANES.get(label.plane.label, "obl") + REGIONS.get(label.region.label, "") + word, suffix


def path(subject: str, kind: tuple[str, str], run: int) -> str:
    """Where a series goes below the root of the data set, without its ending; `run` counts those of its kind from 1."""
    return f"sub-{subject}/anat/sub-{subject}_acq-{kind[0]}_run-{run}_{kind[1]}"


def sidecar(series: Series, label: SeriesLabel) -> bytes:
    """The JSON beside a volume: scan parameters of the header and our labels; no free text of the header."""
    header = series.header
    seconds = {
        "EchoTime": header.echo_time_ms,
        "RepetitionTime": header.repetition_time_ms,
        "InversionTime": header.inversion_time_ms,
    }
    values: dict[str, Any] = {
        "Modality": header.modality,
        "Manufacturer": header.manufacturer,
        "MagneticFieldStrength": header.field_strength_t,
        **{name: None if value is None else value / 1000.0 for name, value in seconds.items()},
        "FlipAngle": header.flip_angle_deg,
        "SliceThickness": series.thickness_mm,
        "SpinalisLabels": {
            name: {"label": str(found.label), "probability": round(found.probability, 4), "source": found.source}
            for name, found in (
                ("anatomy", label.anatomy),
                ("region", label.region),
                ("plane", label.plane),
                ("sequence", label.sequence),
            )
        },
        "Notice": RESEARCH_USE_ONLY,
    }
    return _json({name: value for name, value in values.items() if value is not None})


def description() -> bytes:
    """`dataset_description.json`."""
    return _json(
        {
            "Name": "Chosen by spinalis select",
            "BIDSVersion": VERSION,
            "DatasetType": "raw",
            "GeneratedBy": [{"Name": "spinalis select", "Version": __version__}],
            "Notice": RESEARCH_USE_ONLY,
        }
    )


def readme() -> bytes:
    """`README`: what the data set is, and what it is not for."""
    return (
        "Series chosen by a rule with spinalis select: labels and names were given by a program and can be wrong.\n"
        f"manifest.csv says why each was chosen and how sure the labels are.\n\n{RESEARCH_USE_ONLY}\n"
    ).encode()


def _json(values: dict[str, Any]) -> bytes:
    return (json.dumps(values, indent=2, ensure_ascii=False) + "\n").encode()

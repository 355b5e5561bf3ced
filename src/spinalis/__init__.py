"""Spinalis reads a raw spinal MRI study: series, levels, measurements, grades, report. Research use only.

>>> import spinalis
>>> reading = spinalis.read("study/")                   # doctest: +SKIP
>>> [f for f in reading.graded if f.level == "L4/L5"]   # doctest: +SKIP
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from spinalis.models import Pack
    from spinalis.records import Reading, Study

__version__ = "0.1.0"
__all__ = ["__version__", "read", "scan"]


def scan(path: str | Path) -> "tuple[Study, ...]":
    """Scan a folder, file, zip or DICOMDIR for studies; headers only, pixels are decoded when a stage asks.

    Raises:
        InputError: nothing readable is there.
    """
    from spinalis.formats import read_studies  # noqa: PLC0415  keeps `import spinalis` light

    return read_studies(Path(path))


def read(path: str | Path, packs: "tuple[Pack, ...] | None" = None) -> "Reading":
    """Read one study from DICOM to findings.

    Args:
        path: a folder, file, zip or DICOMDIR that holds one study.
        packs: model packs; None takes those that ship with Spinalis.

    Returns:
        The reading.

    Raises:
        InputError: nothing readable is there, or more than one study.
        PackError: a pack is missing or altered.
    """
    from spinalis.errors import InputError  # noqa: PLC0415
    from spinalis.models import load_packs  # noqa: PLC0415
    from spinalis.pipeline import read_study  # noqa: PLC0415

    studies = scan(path)
    if len(studies) != 1:
        raise InputError(
            f"Input: expected one study, got {len(studies)}. Use spinalis.scan() and spinalis.pipeline.read_study()."
        )
    return read_study(studies[0], load_packs() if packs is None else packs)

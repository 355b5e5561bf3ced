"""Bytes in and bytes out, one file per format."""

import zipfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from spinalis.errors import EmptyInputError, InputError, UnreadableFileError
from spinalis.formats import image, nifti
from spinalis.formats.dicom import dicomdir
from spinalis.formats.dicom.group import build_studies, left_out
from spinalis.formats.dicom.scan import ANOTHER_KIND, ARCHIVE, MOSAIC, NO_IMAGE, NO_PIXELS, UNREADABLE, Scan, scan
from spinalis.formats.source import Archive, DiskFile, Source, list_folder, shown
from spinalis.records import Notice, Study


def read_studies(path: Path) -> tuple[Study, ...]:
    """Read the headers of everything in a folder, a zip, a DICOMDIR or a single file; pixels are decoded on demand.

    DICOM wins: only where there is none, NIfTI files are looked for (one study per folder), then PNG and JPEG
    (one study, one series without geometry per folder). What cannot be read is counted in `Study.warnings`.

    Args:
        path: a folder (with all folders below it), a `.zip`, a DICOMDIR, or a DICOM, NIfTI, PNG or JPEG file.

    Returns:
        At least one study with at least one series, in the order of the file names.

    Raises:
        EmptyInputError: there is nothing readable in it.
        UnreadableFileError: it is a single DICOM file, and damaged.
        ArchiveError: it is a zip that is damaged, encrypted or breaks a cap.
        InputError: there is no such path, or it may not be read.
    """
    try:
        sources, extra = list_sources(path)
        name = shown(path.resolve().name)
        found = scan(sources)
    except PermissionError as error:
        raise InputError("Input: expected a readable path, got a permission error. Change its rights.") from error
    studies = build_studies(found, name) or _without_dicom(sources, name)
    if not studies:
        raise _nothing(path, found)
    return tuple(replace(study, warnings=extra + study.warnings) for study in studies)


def list_sources(path: Path) -> tuple[Sequence[Source], tuple[Notice, ...]]:
    """The files of an input, whatever is in them, and the warnings that listing them gave.

    Raises:
        InputError: see `read_studies`.
    """
    if path.is_dir():
        return list_folder(path)
    if not path.is_file():
        raise InputError("Input: expected a folder or a file, got a path that does not exist. Check its spelling.")
    if dicomdir.is_dicomdir(path):
        return dicomdir.referenced_files(path)
    if path.suffix.lower() == ".zip" or zipfile.is_zipfile(path):
        return Archive(path).members(), ()
    return (DiskFile(shown(path.name), path),), ()


def _without_dicom(sources: Sequence[Source], name: str) -> tuple[Study, ...]:
    for reader, belongs in ((nifti.read, nifti.is_nifti), (image.read, image.is_image)):
        chosen = [source for source in sources if belongs(source.name)]
        if chosen:
            others = len(sources) - len(chosen)
            warnings = (left_out(ANOTHER_KIND, others),) if others else ()
            return tuple(replace(study, warnings=study.warnings + warnings) for study in reader(chosen, name))
    return ()


def _nothing(path: Path, found: Scan) -> InputError:
    """Why there is no study: one damaged file, or nothing that could be an image."""
    reasons = {reject.reason for reject in found.rejects}
    picture = nifti.is_nifti(path.name) or image.is_image(path.name)
    if path.is_file() and len(found.rejects) == 1 and (picture or reasons & {UNREADABLE, NO_PIXELS, MOSAIC}):
        what = "a damaged picture" if picture else f"a DICOM file {reasons.pop()}"
        return UnreadableFileError(f"Input: expected a readable image, got {what}. Send it again.")
    dicom = found.count(UNREADABLE, NO_PIXELS, NO_IMAGE, MOSAIC)
    return EmptyInputError(
        f"Input: expected DICOM, NIfTI, PNG or JPEG images, got {len(found.rejects)} files without a readable one "
        f"({dicom} of them DICOM, {found.count(ARCHIVE)} zips within the input, which are not opened). "
        "Give the folder, zip or file of the study."
    )

"""Lists the files that a DICOMDIR refers to."""

from pathlib import Path

from pydicom import dcmread
from pydicom.uid import MediaStorageDirectoryStorage

from spinalis.errors import UnreadableFileError
from spinalis.formats.dicom.quiet import quiet
from spinalis.formats.source import DiskFile, list_folder
from spinalis.records import Notice
from spinalis.vocabulary import NoticeKind


def is_dicomdir(path: Path) -> bool:
    """True where the file starts with a meta header that names a media storage directory."""
    with path.open("rb") as stream:
        head = stream.read(1024)
    return head[128:132] == b"DICM" and MediaStorageDirectoryStorage.encode() in head


def referenced_files(path: Path) -> tuple[tuple[DiskFile, ...], tuple[Notice, ...]]:
    """The files a DICOMDIR refers to, and a warning about those that are missing.

    Names are compared without regard to case, since discs are often copied to lower case; what lies outside the
    folder of the DICOMDIR is never opened.

    Raises:
        UnreadableFileError: the DICOMDIR is damaged.
    """
    try:
        with quiet:
            records = dcmread(path, specific_tags=["DirectoryRecordSequence"]).DirectoryRecordSequence
            names = [record.get("ReferencedFileID") for record in records]
    except Exception as error:  # pydicom raises nearly anything on damaged bytes
        raise UnreadableFileError(
            f"DICOMDIR: expected a list of records, got {type(error).__name__}. Read its folder instead."
        ) from error
    wanted = {("/".join([name] if isinstance(name, str) else name)).upper() for name in names if name}
    files, warnings = list_folder(path.parent)
    here = {item.name.upper(): item for item in files}
    found = tuple(sorted((here[name] for name in wanted & here.keys()), key=lambda item: item.name))
    missing = len(wanted) - len(found)
    if missing:
        text = f"DICOMDIR: {missing} of {len(wanted)} referenced files are missing."
        warnings += (Notice(kind=NoticeKind.FILES_LOST, text=text),)
    return found, warnings

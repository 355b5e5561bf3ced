"""Where bytes come from: files in a folder, or members of a zip that are streamed and never extracted."""

import os
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from spinalis.errors import ArchiveError, InputError
from spinalis.records import Notice
from spinalis.vocabulary import NoticeKind

MAX_MEMBERS = 50_000
MAX_TOTAL_BYTES = 8 * 2**30
MAX_MEMBER_BYTES = 2 * 2**30
MAX_KEPT_BYTES = 256 * 2**20
MAX_RATIO = 200
RATIO_FREE_BYTES = 16 * 2**20
"""A member may grow to this size at any ratio: an empty 16-bit slice really is a thousand times smaller packed."""


class Source(Protocol):
    """One readable file: its name relative to the input (with `/`), its size in bytes, and a way to open it."""

    @property
    def name(self) -> str:
        """Relative to the input."""
        ...

    @property
    def size(self) -> int:
        """In bytes, unpacked."""
        ...

    def open(self) -> BinaryIO:
        """Open a seekable binary stream; the caller closes it."""
        ...


@dataclass(frozen=True, slots=True)
class DiskFile:
    """A file on disk."""

    name: str
    path: Path = field(repr=False)

    @property
    def size(self) -> int:
        """In bytes, unpacked."""
        return self.path.stat().st_size

    def open(self) -> BinaryIO:
        """Open a seekable binary stream; the caller closes it."""
        return self.path.open("rb")


class Archive:
    """A zip that is opened when first needed and kept open; it travels to another process as its path."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._zip: zipfile.ZipFile | None = None
        self._last: tuple[int, bytes | None] = (-1, None)

    def __reduce__(self) -> tuple[type["Archive"], tuple[Path]]:
        return Archive, (self._path,)

    def members(self) -> tuple["ZipMember", ...]:
        """All files of the archive in the order of their names, without folders and hidden files.

        Raises:
            ArchiveError: it is no zip, damaged, encrypted, or declares more than the caps allow.
        """
        try:
            infos = [info for info in self._opened().infolist() if not info.is_dir()]
        except (zipfile.BadZipFile, NotImplementedError, OSError, ValueError) as error:
            raise ArchiveError(
                f"Archive: expected a readable zip, got {type(error).__name__}. Make the archive anew."
            ) from error
        _check_caps(infos, self._path.stat().st_size)
        shown = (info for info in infos if not is_hidden(info.filename))
        return tuple(ZipMember(info.filename, self, info) for info in sorted(shown, key=lambda info: info.filename))

    def open(self, info: zipfile.ZipInfo) -> BinaryIO:
        """Open one member as a seekable stream.

        A member opened twice in a row is kept in memory: the frames in it come one by one, and each would else be
        unpacked from the start.
        """
        offset, kept = self._last
        if offset == info.header_offset and info.file_size <= MAX_KEPT_BYTES:
            kept = self._opened().read(info) if kept is None else kept
            self._last = offset, kept
            return BytesIO(kept)
        self._last = info.header_offset, None
        return cast(BinaryIO, self._opened().open(info))

    def _opened(self) -> zipfile.ZipFile:
        if self._zip is None:
            self._zip = zipfile.ZipFile(self._path)
        return self._zip


@dataclass(frozen=True, slots=True)
class ZipMember:
    """A file in a zip."""

    name: str
    archive: Archive = field(repr=False)
    info: zipfile.ZipInfo = field(repr=False)

    @property
    def size(self) -> int:
        """In bytes, unpacked."""
        return self.info.file_size

    def open(self) -> BinaryIO:
        """Open a seekable binary stream; the caller closes it."""
        return self.archive.open(self.info)


def list_folder(folder: Path) -> tuple[tuple[DiskFile, ...], tuple[Notice, ...]]:
    """All files below a folder in the order of their names, and a warning about folders that cannot be listed.

    Hidden files are left out, and links to folders are not followed.

    Raises:
        InputError: the folder itself cannot be listed.
    """
    found: list[DiskFile] = []
    unlisted: list[str] = []
    for parent, folders, files in os.walk(folder, onerror=lambda error: unlisted.append(error.filename)):
        folders[:] = [name for name in folders if not name.startswith(".")]
        paths = [Path(parent) / name for name in files if not name.startswith(".")]
        try:
            found.extend(DiskFile(shown(path.relative_to(folder).as_posix()), path) for path in paths if path.is_file())
        except PermissionError:
            unlisted.append(parent)
    if str(folder) in unlisted:
        raise InputError("Input: expected a folder that can be listed, got one that cannot. Change its rights.")
    text = f"Folders that cannot be listed: {len(unlisted)}. What is in them was left out."
    warnings = (Notice(kind=NoticeKind.FILES_LOST, text=text),) if unlisted else ()
    return tuple(sorted(found, key=lambda item: item.name)), warnings


def shown(name: str) -> str:
    """A file name as text that can be written anywhere: bytes that are not UTF-8 are spelt out."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def is_hidden(name: str) -> bool:
    """True for `.DS_Store`, `._IM0001` and the like, which systems leave beside the files of a study."""
    return any(part.startswith(".") or part == "__MACOSX" for part in name.split("/"))


def _check_caps(infos: Iterable[zipfile.ZipInfo], archive_bytes: int) -> None:
    """Refuse a zip bomb by what its directory declares.

    A directory that declares too little gains nothing: `zipfile` gives out no byte more than declared and fails on
    the checksum. One that declares too large a packed size, or lets members share bytes, is caught by the sum.
    """
    count = total = packed = 0
    for info in infos:
        count += 1
        total += info.file_size
        packed += info.compress_size
        if info.flag_bits & 0x1:
            raise ArchiveError("Archive: expected no password, got encrypted files. Unpack it and read the folder.")
        if info.file_size > MAX_MEMBER_BYTES:
            raise _over_cap("bytes in one file", MAX_MEMBER_BYTES, info.file_size)
        if info.file_size > max(RATIO_FREE_BYTES, MAX_RATIO * info.compress_size):
            raise _over_cap("times the packed size", MAX_RATIO, info.file_size // max(1, info.compress_size))
    if count > MAX_MEMBERS:
        raise _over_cap("files", MAX_MEMBERS, count)
    if total > MAX_TOTAL_BYTES:
        raise _over_cap("bytes in all files", MAX_TOTAL_BYTES, total)
    if packed > archive_bytes:
        raise _over_cap("packed bytes, the size of the archive,", archive_bytes, packed)


def _over_cap(what: str, cap: int, value: int) -> ArchiveError:
    return ArchiveError(
        f"Archive: expected at most {cap} {what}, got {value}. If you trust it, unpack it yourself and read the folder."
    )

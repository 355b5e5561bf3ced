"""Write a file whole or not at all."""

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from spinalis.errors import OutputError


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` beside `path` and move it into place, so that an interruption leaves the old file or the new one.

    Raises:
        OutputError: the folder is missing or not writable, or the disk is full.
    """
    write_chunks(path, (data,))


def write_new(path: Path, chunks: Iterable[bytes]) -> None:
    """Write a file where there is none; one that holds the same bytes already is left alone.

    Raises:
        OutputError: there is another file under this name, or `path` cannot be written.
    """
    if not os.path.lexists(path):
        make_folder(path.parent)
        write_chunks(path, chunks)
    elif not path.is_file() or not _same(path, chunks):
        raise _taken()


def link_new(path: Path, original: Path, *, hard: bool) -> None:
    """Link to a file where there is nothing; a link to it that is there already is left alone.

    Args:
        path: where the link goes.
        original: the file; links of its own are followed.
        hard: a second name of the file, else a symbolic link to its absolute path.

    Raises:
        OutputError: there is something else under this name, or the system does not make such a link.
    """
    original = original.resolve()
    if os.path.lexists(path):
        if path.is_file() and path.samefile(original):
            return
        raise _taken()
    make_folder(path.parent)
    try:
        if hard:
            path.hardlink_to(original)
        else:
            path.symlink_to(original)
    except OSError as error:
        raise OutputError(
            f"Link: expected an output folder where the file can be linked, got {error.strerror}. "
            "Copy, or choose a folder on the same disk with -o."
        ) from error


def make_folder(folder: Path) -> None:
    """Make a folder with those above it.

    Raises:
        OutputError: it cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _refused(error) from error


def write_chunks(path: Path, chunks: Iterable[bytes]) -> None:
    """`write_bytes` for data that need not be in memory at once; errors of `chunks` itself must not be an OSError."""
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise _refused(error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            for chunk in chunks:
                file.write(chunk)
        Path(name).chmod(0o666 & ~_umask())
        Path(name).replace(path)
    except OSError as error:
        raise _refused(error) from error
    finally:
        Path(name).unlink(missing_ok=True)


def remove(path: Path) -> None:
    """Remove a file where there is one.

    Raises:
        OutputError: the folder is not writable.
    """
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        raise _refused(error) from error


def _same(path: Path, chunks: Iterable[bytes]) -> bool:
    """Does the file hold exactly these bytes?"""
    try:
        with path.open("rb") as file:
            return all(file.read(len(chunk)) == chunk for chunk in chunks) and not file.read(1)
    except OSError as error:
        raise _refused(error) from error


def _taken() -> OutputError:
    return OutputError(
        "Output file: expected a free name, got a file with other content. Nothing is overwritten: "
        "choose an empty folder with -o."
    )


def _umask() -> int:
    # The mask can only be read by setting it.
    mask = os.umask(0)
    os.umask(mask)
    return mask


def _refused(error: OSError) -> OutputError:
    return OutputError(
        f"Output file: expected a writable folder, got {error.strerror or type(error).__name__}. "
        "Choose another folder with -o."
    )

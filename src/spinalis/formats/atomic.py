"""Write a file whole or not at all."""

import os
import tempfile
from pathlib import Path

from spinalis.errors import OutputError


def write_bytes(path: Path, data: bytes) -> None:
    """Write `data` beside `path` and move it into place, so that an interruption leaves the old file or the new one.

    Raises:
        OutputError: the folder is missing or not writable, or the disk is full.
    """
    try:
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".tmp")
    except OSError as error:
        raise _refused(error) from error
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
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

"""HDF5 files of raw data sets, by h5py (extra `train`)."""

import importlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from spinalis.errors import RecipeError
from spinalis.train.data.real_slice import named


@contextmanager
def opened(file: Path) -> Iterator[Any]:
    """An open file, closed at the end.

    Raises:
        RecipeError: h5py is not installed, or the file is no HDF5.
    """
    try:
        h5py = importlib.import_module("h5py")
    except ImportError as error:
        raise RecipeError(
            "HDF5 file: expected the extra 'train', got no h5py. Install it with: pip install 'spinalis[train]'."
        ) from error
    try:
        handle = h5py.File(file, "r")
    except OSError as error:
        raise RecipeError(f"{named(file)}: expected an HDF5 file, got none. Fetch it again.") from error
    with handle:
        yield handle


def dataset(handle: Any, name: str, axes: str) -> Any:
    """An array in the file, not read yet.

    Args:
        handle: an open file.
        name: of the array.
        axes: what its axes are, in their order, for the message: `slice, row, column`.

    Raises:
        RecipeError: it is not there or has other axes.
    """
    found = handle.get(name)
    if found is None or len(found.shape) != len(axes.split(", ")):
        got = "none" if found is None else f"shape {found.shape}"
        raise RecipeError(f"{_name(handle)}: expected an array {name} ({axes}), got {got}. Leave the file out.")
    return found


def attribute(handle: Any, name: str) -> str:
    """A text among the attributes of the file.

    Raises:
        RecipeError: it is not there.
    """
    value = handle.attrs.get(name)
    if value is None:
        raise RecipeError(f"{_name(handle)}: expected an attribute {name}, got none. Fetch the file again.")
    return value.decode() if isinstance(value, bytes) else str(value)


def _name(handle: Any) -> str:
    return named(Path(handle.filename))

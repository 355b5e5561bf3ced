"""What a command ends with: one table from error class to exit code, and the codes of a reading."""

from collections.abc import Iterable

from spinalis.errors import (
    GeometryError,
    InputError,
    OutputError,
    PackError,
    RecipeError,
    SelectionError,
    SimulationError,
    SpinalisError,
)

OK = 0
FAILURE = 1
USAGE = 2
PARTIAL = 3
NOTHING_GRADABLE = 4

OF_ERROR: dict[type[SpinalisError], int] = {
    SpinalisError: FAILURE,
    InputError: FAILURE,
    GeometryError: FAILURE,
    PackError: FAILURE,
    RecipeError: FAILURE,
    SimulationError: FAILURE,
    SelectionError: USAGE,
    OutputError: FAILURE,
}
"""The nearest class above an error counts."""


def of_error(error: SpinalisError) -> int:
    """The exit code of an error."""
    return next(OF_ERROR[kind] for kind in type(error).__mro__ if kind in OF_ERROR)


def of_all(codes: Iterable[int]) -> int:
    """The exit code of several studies: theirs where they agree, otherwise PARTIAL."""
    found = set(codes)
    return found.pop() if len(found) == 1 else PARTIAL

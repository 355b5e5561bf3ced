"""Every error that Spinalis raises on purpose, in one tree.

SpinalisError
├── InputError            what the user gave cannot be read
│   ├── EmptyInputError       there is nothing readable in it
│   ├── UnreadableFileError   one file (or its pixels) cannot be decoded
│   ├── TableError            a csv breaks a rule of its layout
│   └── ArchiveError          an archive is broken or breaks a cap (count, size, ratio)
├── GeometryError         positions, orientations or spacings contradict each other
├── PackError             a model pack is missing, altered or of an unknown kind
├── RecipeError           a training recipe or data set breaks a rule
├── SimulationError       a profile, a count or a seed breaks a rule
├── SelectionError        a rule of `spinalis select` is not in its language
└── OutputError           the result cannot be written

Messages follow one template: *thing: expected rule, got value. What to do.* They carry no patient name,
no description and no UID; a series goes by its number, a study by its key.
"""


class SpinalisError(Exception):
    """Root of the tree; catch this to catch every deliberate error of Spinalis."""


class InputError(SpinalisError):
    """What the user gave cannot be read."""


class EmptyInputError(InputError):
    """There is nothing readable in the input."""


class UnreadableFileError(InputError):
    """One file, or its pixels, cannot be decoded."""


class TableError(InputError):
    """A csv breaks a rule of its layout: the message names file, line, rule and value."""


class ArchiveError(InputError):
    """An archive is broken or breaks a cap on count, size or compression ratio."""


class GeometryError(SpinalisError):
    """Positions, orientations or spacings contradict each other."""


class PackError(SpinalisError):
    """A model pack is missing, altered or of an unknown kind."""


class RecipeError(SpinalisError):
    """A training recipe or data set breaks a rule."""


class SimulationError(SpinalisError):
    """A simulation profile, count or seed breaks a rule."""


class SelectionError(SpinalisError):
    """A rule of `spinalis select` is not in its language: the message names the column and what is allowed there."""


class OutputError(SpinalisError):
    """The result cannot be written."""

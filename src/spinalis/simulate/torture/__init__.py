"""The torture set: small studies with every oddity that archives hold, each with its expected answer.

Study `number` of a set has kind `number % len(KINDS)` and variant `number // len(KINDS)`; studies of one variant
show the same patient, so that the answer to a harmless oddity can be held against that to the plain study.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from spinalis.simulate.torture import bodies, files, headers, order, pixels, views
from spinalis.simulate.torture.draft import Draft, draft_of
from spinalis.simulate.torture.expectation import Answer, Expectation, ExpectedSeries, Likeness, expectation_of
from spinalis.simulate.truth import Truth, truth_document

__all__ = [
    "KINDS",
    "Answer",
    "Expectation",
    "ExpectedSeries",
    "Likeness",
    "TorturedStudy",
    "expectation_of",
    "kind_of",
    "torture_study",
    "write_files",
]

KINDS: tuple[Callable[[Draft], None], ...] = (
    *order.KINDS,
    *headers.KINDS,
    *pixels.KINDS,
    *views.KINDS,
    *files.KINDS,
    *bodies.KINDS,
)
"""The oddities, the plain study first; the docstring of each says what is odd and what must become of it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TorturedStudy:
    """A study as files. `entry` is what to read, relative to their folder: `.` for the folder itself."""

    kind: str
    variant: int
    files: tuple[tuple[str, bytes], ...] = field(repr=False)
    entry: str
    expected: Expectation
    truth: Truth = field(repr=False)

    def document(self) -> dict[str, Any]:
        """What stands in its truth: kind, entry, the expected answer, and where everything lies."""
        return {
            "schema": "spinalis-torture/1",
            "kind": self.kind,
            "variant": self.variant,
            "entry": self.entry,
            "expected": self.expected.document(),
            **truth_document(self.truth),
        }


def kind_of(number: int) -> tuple[str, int]:
    """The kind and the variant of a study."""
    return KINDS[number % len(KINDS)].__name__, number // len(KINDS)


def torture_study(seed: int, number: int) -> TorturedStudy:
    """Make one study; the same arguments give the same files in every process.

    Args:
        seed: the seed of the set.
        number: the number of the study in the set, from 0.

    Raises:
        SimulationError: a negative seed or number, or numba is not installed.
    """
    kind, variant = kind_of(number)
    draft = draft_of(seed, variant, kind, number % len(KINDS))
    KINDS[number % len(KINDS)](draft)
    return TorturedStudy(
        kind=kind,
        variant=variant,
        files=tuple(draft.files()),
        entry=draft.entry,
        expected=draft.expected,
        truth=draft.made.truth,
    )


def write_files(tortured: TorturedStudy, folder: Path) -> None:
    """Write the files of a study below a folder, which is made where missing.

    Raises:
        OSError: a file cannot be written.
    """
    for name, content in tortured.files:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

"""Tables of figures, set out as Markdown for the docs and the model cards."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from spinalis.evaluate.metrics import Share

UNDEFINED = "–"
"""Printed where the data leave a figure undefined."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A titled table of ready-made cells; each note becomes a line below it.

    Raises:
        ValueError: a row has more or fewer cells than there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for number, row in enumerate(self.rows, start=1):
            if len(row) != len(self.columns):
                raise ValueError(
                    f"Table row {number}: expected {len(self.columns)} cells, got {len(row)}. "
                    "Give one cell for each column."
                )

    def to_markdown(self) -> str:
        """The table as GitHub Markdown, ending in a newline; the first column to the left, the others to the right."""
        rule = ("---", *("---:" for _ in self.columns[1:]))
        lines = [_line(self.columns), _line(rule, escape=False), *(_line(row) for row in self.rows)]
        notes = [""] * bool(self.notes) + [f"- {note}" for note in self.notes]
        return "\n".join([f"### {self.title}", "", *lines, *notes, ""])


def number(value: float | None, digits: int = 3) -> str:
    """A figure with `digits` decimals; `UNDEFINED` for None and NaN."""
    return UNDEFINED if value is None or math.isnan(value) else f"{value:.{digits}f}"


def percent(share: Share) -> str:
    """A share with its counts and 95 % interval: `94.0 % (47/50; 83.8–97.9)`."""
    if share.value is None:
        return UNDEFINED
    low, high = share.interval
    return f"{100 * share.value:.1f} % ({share.count}/{share.total}; {100 * low:.1f}–{100 * high:.1f})"


def share_right(found: Sequence[tuple[bool, str]]) -> str:
    """The share of right answers among pairs of (right, true word), as a cell."""
    return percent(Share(count=sum(right for right, _ in found), total=len(found))) if found else UNDEFINED


def share_of_most_frequent(found: Sequence[tuple[bool, str]]) -> str:
    """The share of the most frequent true word, as a cell: the constant answer."""
    words = [word for _, word in found]
    return percent(Share(count=max(map(words.count, set(words)), default=0), total=len(words)))


def _line(cells: tuple[str, ...], escape: bool = True) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") if escape else cell for cell in cells) + " |"

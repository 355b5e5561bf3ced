"""The manifest of `spinalis select`: why each series or slice was chosen or not, as JSON lines and as CSV.

It names files relative to the input, since it must say where a copy came from; where folders are named after patients,
the manifest is patient data. Nothing else in it identifies anyone: no UID, no description, no date.
"""

import csv
import json
import posixpath
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from spinalis.errors import OutputError
from spinalis.formats.atomic import write_chunks
from spinalis.report.words import RESEARCH_USE_ONLY
from spinalis.triage.choose import Choice
from spinalis.triage.facts import LABELS, contradictions
from spinalis.triage.where import Fact, Truth

SCHEMA = "spinalis-selection/1"
DIGITS = 4

MEASURES = ("rows", "columns", "slices", "spacing_mm", "slice_spacing_mm", "thickness_mm", "modality")
COLUMNS = (
    *("study", "series", "number", "slice", "chosen", "rule", "why"),
    *(f"{name}{part}" for name in LABELS for part in ("", "_probability", "_source")),
    *("contradictions", *MEASURES, "flags", "source", "target", "files", "note", "notice"),
)
"""`source` and `target` of a unit with several files are the folder that holds them; `files` counts the targets."""

Row = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """A file that was read, relative to the input, and the one that was made of it, relative to the output.

    `target` is None where nothing was made. `frame` counts from 0 in a multi-frame file that is delivered by frames.
    `spacing_mm` is that of a picture, down and across as it is shown.
    """

    source: str
    target: str | None
    frame: int | None = None
    spacing_mm: tuple[float, float] | None = None


def row(study: str, choice: Choice, files: Iterable[Delivered], note: str) -> Row:
    """One unit as plain data."""
    series, label = choice.series, choice.label
    return {
        "schema": SCHEMA,
        "notice": RESEARCH_USE_ONLY,
        "study": study,
        "series": series.key,
        "number": series.number,
        "slice": choice.index,
        "chosen": choice.truth is True,
        "rule": said(choice.truth),
        "why": [{"test": text, "is": said(truth)} for text, truth in choice.why],
        "labels": {
            name: {
                "label": _label(answer.value),
                "probability": round(answer.probability, DIGITS),
                "source": answer.source,
            }
            for name, answer in choice.answers.items()
        },
        "contradictions": list(contradictions(label)),
        **{name: _rounded(choice.facts[name]) for name in MEASURES},
        "flags": list(dict.fromkeys((*series.flags, *label.flags))),
        "files": [
            {
                "source": item.source,
                "frame": item.frame,
                "target": item.target,
                "spacing_mm": None if item.spacing_mm is None else [round(side, DIGITS) for side in item.spacing_mm],
            }
            for item in files
        ],
        "note": note,
    }


def said(truth: Truth) -> str:
    """True, false or unknown."""
    return "unknown" if truth is None else "true" if truth else "false"


def to_line(item: Row) -> bytes:
    """A row as one line of JSON.

    Raises:
        OutputError: a number is not finite, which JSON cannot carry.
    """
    try:
        return (json.dumps(item, ensure_ascii=False, allow_nan=False) + "\n").encode()
    except ValueError as error:
        raise OutputError(
            f"Manifest of study {item['study']}: expected finite numbers, got one that is not. Report this as a bug."
        ) from error


def write(lines: Iterable[bytes], path: Path) -> None:
    """Write `manifest.jsonl`, whole or not at all.

    Raises:
        OutputError: `path` cannot be written.
    """
    write_chunks(path, lines)


def write_csv(lines: Iterable[bytes], path: Path) -> None:
    """Write `manifest.csv`, one row for each line of JSON.

    Raises:
        OutputError: `path` cannot be written.
    """
    write_chunks(path, _csv(lines))


def _csv(lines: Iterable[bytes]) -> Iterator[bytes]:
    yield _cells(COLUMNS)
    for line in lines:
        yield _cells(_flat(json.loads(line)))


def _cells(values: Iterable[object]) -> bytes:
    text = StringIO(newline="")
    csv.writer(text).writerow(values)
    return text.getvalue().encode()


def _flat(item: Row) -> list[object]:
    labels = [item["labels"][name] for name in LABELS]
    targets = sorted({file["target"] for file in item["files"] if file["target"] is not None})
    return [
        *(item[name] for name in ("study", "series", "number", "slice")),
        "yes" if item["chosen"] else "no",
        item["rule"],
        "; ".join(f"{one['test']}: {one['is']}" for one in item["why"]),
        *(cell for label in labels for cell in (label["label"], label["probability"], label["source"])),
        ";".join(item["contradictions"]),
        *(item[name] for name in MEASURES),
        ";".join(item["flags"]),
        _common(sorted({file["source"] for file in item["files"]})),
        _common(targets),
        len(targets),
        item["note"],
        item["notice"],
    ]


def _common(paths: list[str]) -> str:
    """The only file, or the folder that holds all of several."""
    if len(paths) <= 1:
        return "".join(paths)
    return posixpath.commonpath([posixpath.dirname(path) or "." for path in paths]) if _relative(paths) else ""


def _relative(paths: list[str]) -> bool:
    """All in sub-folders, or none of them is: what `commonpath` can compare."""
    return len({bool(posixpath.dirname(path)) for path in paths}) == 1


def _label(value: Fact | None) -> str:
    if isinstance(value, tuple):
        return "+".join(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "unknown" if value is None else str(value)


def _rounded(value: Fact | None) -> Fact | None:
    return round(value, DIGITS) if isinstance(value, float) else value

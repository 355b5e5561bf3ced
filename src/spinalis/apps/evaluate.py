"""`spinalis evaluate`: how good are the answers of a file, or of trained networks?"""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spinalis.apps import terminal
from spinalis.apps.evaluate_triage import triage
from spinalis.errors import TableError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from spinalis.evaluate.rsna_figures import Difference, Figures
    from spinalis.formats.rsna_csv import Grades
    from spinalis.records import FloatArray

SCHEMA = "spinalis-rsna-score/1"
RESEARCH_USE = "Research use only; not a medical device."

app = typer.Typer(no_args_is_help=True)
app.command()(triage)

CsvFile = Annotated[Path, typer.Argument(metavar="PRED.csv", exists=True, dir_okay=False, help="The answers.")]
TruthFile = Annotated[
    Path, typer.Argument(metavar="TRUTH.csv", exists=True, dir_okay=False, help="The labels, laid out as train.csv.")
]


@app.callback()
def evaluate() -> None:
    """Measure how good the answers of a file, or of trained networks, are."""


@app.command()
def rsna(
    predictions: CsvFile,
    truth: TruthFile,
    against: Annotated[
        Path | None,
        typer.Option("--against", exists=True, dir_okay=False, help="Other answers, compared study by study."),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")] = False,
    repeats: Annotated[int, typer.Option("--repeats", min=2, help="Draws of the bootstrap.")] = 1000,
) -> None:
    """Score predictions as the RSNA 2024 competition did.

    Beside floors that need no skill; tables per condition and level; intervals by bootstrap over studies.
    """
    from spinalis.evaluate import rsna_figures  # noqa: PLC0415  keeps --help fast
    from spinalis.evaluate.rsna import truth_array  # noqa: PLC0415
    from spinalis.formats.rsna_csv import read_grades  # noqa: PLC0415

    files = [predictions] if against is None else [predictions, against]
    names = [file.name for file in files]
    if len(set(names)) < len(names):
        names = [f"{file.parent.name}/{file.name}" for file in files]
    grades = read_grades(truth)
    labels = truth_array(grades.values())
    answers = [_answers(file, truth.name, grades) for file in files]
    with terminal.ProgressBar("Evaluating") as bar:
        found: dict[str, Figures] = {}
        for name, given in zip(names, answers, strict=True):
            bar.tell(name, len(found) / len(names))
            found[name] = rsna_figures.figures(labels, given, repeats)
    paired = rsna_figures.difference(labels, answers[0], answers[1], repeats) if against is not None else None
    if as_json:
        typer.echo(json.dumps(_to_json(found, paired), ensure_ascii=False))
    else:
        _print(found, paired)


def _answers(file: Path, truth: str, grades: "Mapping[str, Grades]") -> "FloatArray":
    """(S, 5, 5, 3) answers in the order of the truth.

    Raises:
        TableError: the file cannot be used, or lacks a labelled row.
    """
    from spinalis.evaluate.rsna import answer_array  # noqa: PLC0415  as above
    from spinalis.formats.rsna_csv import read_predictions  # noqa: PLC0415

    given = read_predictions(file)
    wanted = [(study, place) for study, places in grades.items() for place, grade in places.items() if grade]
    if not wanted:
        raise TableError(f"{truth}: expected at least one label, got none. Give the csv that holds the labels.")
    missing = sum(place not in given.get(study, {}) for study, place in wanted)
    if missing:
        raise TableError(
            f"{file.name}: expected a row for each of the {len(wanted)} labels in {truth}, got {missing} of them "
            "without one. Predict every labelled condition and level, or score the studies that were read."
        )
    others = len(given.keys() - grades.keys())
    if others:
        typer.echo(f"Warning: {file.name}: {others} studies are not in {truth} and are not scored.", err=True)
    return answer_array(given.get(study, {}) for study in grades)


def _print(found: "dict[str, Figures]", paired: "Difference | None") -> None:
    from spinalis.evaluate.rsna_tables import tables  # noqa: PLC0415  as above

    screen = terminal.console()
    for table in tables(found, paired):
        if screen.is_terminal:
            screen.print(terminal.figures_table(table))
        else:
            typer.echo(table.to_markdown())
    typer.echo(RESEARCH_USE)


def _to_json(found: "dict[str, Figures]", paired: "Difference | None") -> dict[str, Any]:
    answers = {name: asdict(item) for name, item in found.items()}
    for name, item in found.items():
        answers[name]["score"]["mean"] = item.score.mean
        for floor in ("uniform", "constant", "per_level"):
            answers[name]["floors"][floor]["mean"] = getattr(item.floors, floor).mean
    return {
        "schema": SCHEMA,
        "research_use_only": True,
        "answers": answers,
        "difference": asdict(paired) if paired is not None else None,
    }

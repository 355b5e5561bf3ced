"""`spinalis evaluate triage`: the tables of paper 1, from trained chains."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from spinalis.apps import terminal
from spinalis.errors import RecipeError

if TYPE_CHECKING:
    from spinalis.evaluate.tables import Table

SCHEMA = "spinalis-triage-tables/1"
RESEARCH_USE = "Research use only; not a medical device."


def triage(  # noqa: PLR0913, PLR0917  one per option
    runs: Annotated[
        Path,
        typer.Argument(metavar="RUNS", exists=True, file_okay=False, help="Folder of runs or packs, one per node."),
    ],
    data: Annotated[
        Path | None, typer.Option("--data", exists=True, file_okay=False, help="The open real images, judged as well.")
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option("-o", "--output", help="Folder for tables.md and errors.html, the errors with pictures."),
    ] = None,
    packs: Annotated[
        Path | None, typer.Option("--packs", exists=True, file_okay=False, help="Folder of the fused default's pack.")
    ] = None,
    scale: Annotated[float, typer.Option("--scale", min=1e-6, help="Share of the simulated test studies.")] = 1.0,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes that simulate.")] = 2,
    repeats: Annotated[int, typer.Option("--repeats", min=2, help="Draws of the bootstrap.")] = 1000,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")] = False,
) -> None:
    """Judge chains of networks as paper 1 did.

    Its tables 3, 4 and 5 with intervals, its own figures beside ours, and the fused default in a column of its own.
    """
    try:
        from spinalis.train import triage_report  # noqa: PLC0415  only here, as it loads torch
    except ModuleNotFoundError as error:
        if error.name is None or error.name.split(".")[0] == "spinalis":
            raise
        raise RecipeError(
            f"Chains: expected the extra 'train', got no {error.name}. Install it: pip install 'spinalis[train]'."
        ) from error
    wanted = triage_report.Wanted(
        runs=runs, data=data, packs=packs, scale=scale, jobs=jobs, repeats=repeats, errors=output is not None
    )
    found = triage_report.report(wanted)
    if output is not None:
        triage_report.write(found, output)
    _print(found.tables, as_json)


def _print(tables: "tuple[Table, ...]", as_json: bool) -> None:
    if as_json:
        answer: dict[str, Any] = {
            "schema": SCHEMA,
            "research_use_only": True,
            "tables": [asdict(one) for one in tables],
        }
        typer.echo(json.dumps(answer, ensure_ascii=False))
        return
    screen = terminal.console()
    for table in tables:
        if screen.is_terminal:
            screen.print(terminal.figures_table(table))
        else:
            typer.echo(table.to_markdown())
    typer.echo(RESEARCH_USE)

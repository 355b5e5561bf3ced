"""`spinalis select`: series or slices chosen by a rule, copied, linked or as pictures and volumes."""

import json
from contextlib import closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from spinalis.apps import exit_codes, terminal
from spinalis.errors import OutputError

if TYPE_CHECKING:
    from spinalis.apps.selection import Job, Order, Outcome


class Unit(StrEnum):
    """What is chosen as a whole."""

    SERIES = "series"
    SLICE = "slice"


class Form(StrEnum):
    """What chosen series and slices are written as."""

    ORIGINAL = "original"
    PNG = "png"
    NIFTI = "nifti"
    BIDS = "bids"


class Link(StrEnum):
    """How a file is linked in place of being copied."""

    HARD = "hard"
    SYM = "sym"


class Listed(StrEnum):
    """Which units stand in the manifest."""

    CHOSEN = "chosen"
    ALL = "all"


def select(  # noqa: PLR0913, PLR0917  one per option
    given: Annotated[
        Path, typer.Argument(metavar="INPUT", exists=True, help="A folder, zip, DICOMDIR or file; may hold studies.")
    ],
    output: Annotated[Path, typer.Option("-o", "--output", help="An empty folder, or that of the run to go on with.")],
    where: Annotated[str, typer.Option("--where", metavar="RULE", help="Which are wanted; the docs list the words.")],
    unit: Annotated[Unit, typer.Option("--unit", help="What is chosen as a whole.")] = Unit.SERIES,
    form: Annotated[Form, typer.Option("--as", help="What is written.")] = Form.ORIGINAL,
    link: Annotated[Link | None, typer.Option("--link", help="Link to the files in place of copying them.")] = None,
    min_probability: Annotated[
        float, typer.Option("--min-probability", min=0.0, max=1.0, help="Labels less sure than this are unknown.")
    ] = 0.0,
    listed: Annotated[Listed, typer.Option("--manifest", help="What stands in the manifest.")] = Listed.CHOSEN,
    as_json: Annotated[bool, typer.Option("--json", help="Print a summary as JSON, and nothing else.")] = False,
    packs: Annotated[
        Path | None, typer.Option("--packs", exists=True, file_okay=False, help="Folder of model packs.")
    ] = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="How many studies to look at at once.")] = 1,
) -> None:
    """Choose series or slices by a rule, and copy them.

    DICOM stays untouched; a manifest says why each was chosen.
    """
    if link is not None and form is not Form.ORIGINAL:
        raise typer.BadParameter(f"expected --link with --as original, got --as {form}. Leave one out.")
    if form is Form.BIDS and unit is Unit.SLICE:
        raise typer.BadParameter("expected --unit series with --as bids, got slice. BIDS names volumes.")
    from spinalis.apps import selection  # noqa: PLC0415  keeps --help fast
    from spinalis.triage.where import parse  # noqa: PLC0415

    order = selection.Order(
        output=output,
        rule=parse(where),
        unit=unit,
        form=form,
        link=link,
        min_probability=min_probability,
        packs=packs,
    )
    work = _work(order, given)
    outcomes = []
    with terminal.ProgressBar("Selecting") as bar, closing(selection.select_all(work, jobs, bar.tell)) as found:
        for outcome in found:
            outcomes.append(outcome)
            with bar.hidden():
                _tell(outcome)
    manifest = selection.write_manifest(work, listed)
    _summarize(order, outcomes, manifest, as_json=as_json)
    raise typer.Exit(exit_codes.of_all(outcome.code for outcome in outcomes))


def _work(order: "Order", given: Path) -> "tuple[Job, ...]":
    """Claim the output and read the headers of the input."""
    from spinalis.apps import selection  # noqa: PLC0415  as above
    from spinalis.formats import list_sources, read_studies  # noqa: PLC0415

    if given.is_dir() and order.output.resolve().is_relative_to(given.resolve()):
        raise OutputError(
            "Output folder: expected one outside the input, got one inside it, where it would be read the next time. "
            "Choose another one with -o."
        )
    selection.begin(order)
    studies = read_studies(given)
    return selection.jobs_of(order, studies, list_sources(given)[0])


def _tell(outcome: "Outcome") -> None:
    """Warnings and errors of a study, on stderr."""
    for warning in outcome.warnings:
        typer.echo(f"Warning: {warning}", err=True)
    if outcome.notes:
        text = f"Study {outcome.study}: {outcome.notes} chosen were not or not wholly written; the manifest says why."
        typer.echo(f"Warning: {text}", err=True)
    if outcome.error:
        typer.echo(f"Error: {outcome.error}", err=True)


def _summarize(order: "Order", outcomes: "list[Outcome]", manifest: Path, *, as_json: bool) -> None:
    from spinalis.formats.selection_manifest import SCHEMA  # noqa: PLC0415  as above
    from spinalis.report.words import RESEARCH_USE_ONLY  # noqa: PLC0415

    counts = {
        name: sum(getattr(outcome, name) for outcome in outcomes)
        for name in ("chosen", "rejected", "unknown", "files", "notes", "resumed")
    }
    failed = sum(bool(outcome.error) for outcome in outcomes)
    if as_json:
        settings = {"where": order.rule.text, "unit": order.unit, "as": order.form, "manifest": str(manifest)}
        found = {"studies": len(outcomes), "failed": failed, **counts}
        typer.echo(json.dumps({"schema": SCHEMA, "notice": RESEARCH_USE_ONLY, **settings, **found}))
        return
    units = counts["chosen"] + counts["rejected"] + counts["unknown"]
    name = {Unit.SERIES: "series", Unit.SLICE: "slices"}[order.unit]
    studies = f"{len(outcomes)} {'study' if len(outcomes) == 1 else 'studies'}"
    typer.echo(f"Chosen: {counts['chosen']} of {units} {name} in {studies}, as {counts['files']} files.")
    if counts["unknown"]:
        typer.echo(f"Too little is known of {counts['unknown']} {name}; --manifest all lists them.")
    typer.echo(f"Manifest: {manifest}")
    typer.echo(RESEARCH_USE_ONLY)

"""The command line. It parses, calls and maps errors to exit codes; what it needs is imported when a command runs."""

import json
import logging
import os
import signal
import sys
import traceback
from contextlib import closing
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from spinalis import __version__
from spinalis.apps import evaluate, exit_codes, select, terminal, train
from spinalis.errors import InputError, SpinalisError

if TYPE_CHECKING:
    from spinalis.apps.batch import Outcome
    from spinalis.models import Pack
    from spinalis.records import Finding, SeriesLabel, Study

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

app.add_typer(evaluate.app, name="evaluate")
app.command()(select.select)
app.command()(train.train)
app.command()(train.export)
app.command()(train.calibrate)
app.command()(train.quantize)

log = logging.getLogger(__name__)

Inputs = Annotated[
    list[Path],
    typer.Argument(metavar="INPUT", exists=True, help="Folders, zips, DICOMDIRs or files; each may hold studies."),
]
PackFolder = Annotated[
    Path | None,
    typer.Option("--packs", exists=True, file_okay=False, help="Folder of model packs; by default those that ship."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout, one line per study, and nothing else.")]


def main() -> NoReturn:
    """Entry point of `spinalis`: run, and leave with the exit code."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _leave)
    # A module in the folder of the study must not stand in for one of ours in the processes that start from here.
    os.environ.setdefault("PYTHONSAFEPATH", "1")
    try:
        app()
    except SpinalisError as error:
        _complain(str(error))
        sys.exit(exit_codes.of_error(error))
    except Exception as error:
        # Where, but not the error's text: libraries quote header values in it.
        log.debug("Spinalis failed:\n%s", "".join(traceback.format_tb(error.__traceback__)))
        _complain(f"Spinalis: expected to finish, got {type(error).__name__}. Run it with -v and report this bug.")
        sys.exit(exit_codes.FAILURE)
    sys.exit(exit_codes.OK)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    # SystemExit lets every `finally` run, so that temporary files and worker processes go.
    raise SystemExit(128 + number)


@app.callback(invoke_without_command=True)
def spinalis(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", help="Print the version and leave.")] = False,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Tell more on stderr.")] = False,
) -> None:
    """Read raw spinal MRI studies: series, levels, stenosis grades, report. Research use only."""
    terminal.set_up_logging(logging.DEBUG if verbose else logging.WARNING)
    if version:
        typer.echo(f"spinalis {__version__}")
    elif context.invoked_subcommand is None:
        typer.echo(context.get_help())


@app.command()
def read(  # noqa: PLR0913, PLR0917  one per option
    inputs: Inputs,
    output: Annotated[
        Path, typer.Option("-o", "--output", help="Folder for reading.json and report.html; one below it per study.")
    ],
    as_json: AsJson = False,
    packs: PackFolder = None,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="How many studies to read at once.")] = 1,
    rsna_csv: Annotated[
        Path | None, typer.Option("--rsna-csv", dir_okay=False, help="Also write an RSNA 2024 prediction file.")
    ] = None,
    sensitivity: Annotated[
        float | None, typer.Option("--sensitivity", help="Also name the grades not excluded at it, such as 0.95.")
    ] = None,
) -> None:
    """Read studies: series, levels, findings, report.

    Writes reading.json and report.html for each study and prints what was found.
    """
    from spinalis.apps import batch  # noqa: PLC0415  keeps --help fast
    from spinalis.models import load_packs  # noqa: PLC0415

    for folder in [output] if rsna_csv is None else [output, rsna_csv.parent]:
        batch.prepare_folder(folder)
    load_packs(packs)  # an altered pack is told before any work is done
    given, codes = _scan(inputs)
    studies = tuple(study for _, study in given)
    names = _row_names(given) if rsna_csv is not None else ()
    folders = batch.folders_of(studies, output)
    for folder in folders:
        batch.prepare_folder(folder)
    work = tuple(
        batch.Job(study=s, folder=f, packs=packs, sensitivity=sensitivity)
        for s, f in zip(studies, folders, strict=True)
    )
    # Closed at once when interrupted while printing: Python would else wait at its end for all that is queued.
    findings = []
    with terminal.ProgressBar("Reading") as bar, closing(batch.read_all(work, jobs, bar.tell)) as outcomes:
        for outcome in outcomes:
            codes.append(outcome.code)
            findings.append(outcome.findings)
            with bar.hidden():
                _show(outcome, as_json=as_json)
    if rsna_csv is not None:
        _write_predictions(dict(zip(names, findings, strict=True)), rsna_csv)
    raise typer.Exit(exit_codes.of_all(codes))


@app.command()
def triage(
    inputs: Inputs,
    as_json: AsJson = False,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write the table to this CSV file.")] = None,
    packs: PackFolder = None,
) -> None:
    """Tell what every series is.

    Anatomy, region, plane, sequence and cord, as a table, CSV or JSON.
    """
    from spinalis.apps import batch  # noqa: PLC0415  as above
    from spinalis.formats import series_csv  # noqa: PLC0415
    from spinalis.models import load_packs  # noqa: PLC0415
    from spinalis.pipeline import triage_study  # noqa: PLC0415

    if as_json and output is not None:
        raise typer.BadParameter("expected --json or -o, got both. Leave one out.")
    if output is not None:
        batch.prepare_folder(output.parent)
    loaded = load_packs(packs)
    given, codes = _scan(inputs)
    tables = []
    with terminal.ProgressBar("Triage") as bar:
        for _, study in given:
            try:
                labels = triage_study(study, loaded, bar.tell)
            except Exception as error:  # a bug in one study must not lose the others
                code, message = batch.failure(study.key, error)
                codes.append(code)
                with bar.hidden():
                    _complain(message)
                continue
            codes.append(exit_codes.PARTIAL if batch.lost_something(study, labels) else exit_codes.OK)
            with bar.hidden():
                _warn(tuple(item.text for item in study.warnings))
                if output is None:
                    _show_series(study, labels, as_json=as_json)
            if output is not None:
                tables.append((study, labels))
    if output is not None:
        series_csv.write(tables, output)
        typer.echo(f"Table: {output}")
    raise typer.Exit(exit_codes.of_all(codes))


@app.command()
def simulate(  # noqa: PLR0913, PLR0917  one per option
    output: Annotated[Path, typer.Option("-o", "--output", help="Folder for the studies, one below it per study.")],
    studies: Annotated[int | None, typer.Option("--studies", min=1, help="How many studies.")] = None,
    seed: Annotated[int | None, typer.Option("--seed", min=0, help="The same seed gives the same studies.")] = None,
    profile: Annotated[str, typer.Option("--profile", help="What is simulated.")] = "lumbar",
    benchmark: Annotated[
        str | None, typer.Option("--benchmark", help="The studies of a benchmark set, such as v1.")
    ] = None,
    layout: Annotated[
        str, typer.Option("--layout", help="How the studies lie on disk: dicom, rsna or nifti.")
    ] = "dicom",
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="How many studies to simulate at once.")] = 1,
    compress: Annotated[bool, typer.Option("--compress", help="Pixels in JPEG-LS, without loss.")] = False,
) -> None:
    """Simulate studies as DICOM or NIfTI.

    The exact truth stands beside them.
    """
    from spinalis.apps import batch  # noqa: PLC0415  as above
    from spinalis.simulate.layouts import benchmark_to_folder, simulate_to_folder  # noqa: PLC0415

    if (studies is None or seed is None) if benchmark is None else (studies, seed) != (None, None):
        raise typer.BadParameter("expected --studies with --seed, or --benchmark alone, got another mix. Choose one.")
    batch.prepare_folder(output)
    with terminal.ProgressBar("Simulating") as bar:

        def count(done: int, total: int) -> None:
            bar.tell("studies", done / total)

        if benchmark is not None:
            made = benchmark_to_folder(output, benchmark, layout=layout, jobs=jobs, progress=count)
        else:
            made = simulate_to_folder(
                output,
                studies=studies or 0,
                seed=seed or 0,
                profile=profile,
                layout=layout,
                jobs=jobs,
                compress=compress,
                progress=count,
            )
    for folder in made:
        typer.echo(str(folder))


@app.command("packs")
def list_packs(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON on stdout, and nothing else.")] = False,
    packs: PackFolder = None,
) -> None:
    """List the model packs.

    Version, checksum, and what each output was proven on.
    """
    from spinalis.models import load_packs  # noqa: PLC0415  as above

    loaded = load_packs(packs)
    if as_json:
        typer.echo(json.dumps([_pack_json(pack) for pack in loaded], ensure_ascii=False))
    else:
        terminal.console().print(terminal.packs_table(loaded))


def _scan(inputs: list[Path]) -> "tuple[list[tuple[Path, Study]], list[int]]":
    """The studies of all inputs, each with its input, and an exit code for each input that cannot be read."""
    from spinalis.formats import read_studies  # noqa: PLC0415  as above

    studies: list[tuple[Path, Study]] = []
    codes: list[int] = []
    for place, path in enumerate(inputs, start=1):
        try:
            found = read_studies(path)
        except InputError as error:
            # Not named by its path: folders are often named after patients, and stderr ends up in logs.
            _complain(f"Input {place} of {len(inputs)}: {error}" if len(inputs) > 1 else str(error))
            codes.append(exit_codes.of_error(error))
        else:
            log.info("Input %d of %d: %d studies", place, len(inputs), len(found))
            studies.extend((path, study) for study in found)
    return studies, codes


def _row_names(given: "list[tuple[Path, Study]]") -> tuple[str, ...]:
    from spinalis.apps import predictions  # noqa: PLC0415  as above

    return predictions.row_names(given)


def _write_predictions(findings: "dict[str, tuple[Finding, ...]]", path: Path) -> None:
    from spinalis.apps import predictions  # noqa: PLC0415  as above

    filled = predictions.write(findings, path)
    if filled:
        _warn((f"{path.name}: nothing was assessed in {filled} rows; they hold the prior of their level.",))


def _show(outcome: "Outcome", *, as_json: bool) -> None:
    if outcome.report is None:
        _complain(outcome.error)
        return
    _warn(outcome.report.warnings)
    if as_json:
        if outcome.report.refused is not None:
            _complain(f"Study {outcome.study} is refused: {outcome.report.refused}.")
        typer.echo(outcome.reading_json)
        return
    screen = terminal.console()
    screen.print(terminal.report_view(outcome.report))
    typer.echo(f"Report: {outcome.folder / 'report.html'}")


def _show_series(study: "Study", labels: "tuple[SeriesLabel, ...]", *, as_json: bool) -> None:
    from spinalis.formats import reading_json  # noqa: PLC0415  as above
    from spinalis.report import series_rows  # noqa: PLC0415

    if as_json:
        typer.echo(reading_json.dumps(reading_json.triage_to_json(study, labels), indent=None))
        return
    typer.echo(f"Study {study.key}")
    terminal.console().print(terminal.series_table(series_rows(study, labels)))


def _pack_json(pack: "Pack") -> dict[str, object]:
    info = pack.info
    scores = [{"output": s.output, "on": s.on, "figures": s.figures} for s in pack.manifest.scores]
    return {"name": info.name, "task": info.task, "version": info.version, "sha256": info.sha256, "scores": scores}


def _warn(warnings: tuple[str, ...]) -> None:
    for warning in warnings:
        typer.echo(f"Warning: {warning}", err=True)


def _complain(message: str) -> None:
    typer.echo(f"Error: {message}", err=True)

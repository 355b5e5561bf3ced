"""What a terminal shows: tables on stdout, log lines and progress on stderr."""

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich import box
from rich.console import Console, Group, RenderableType
from rich.logging import RichHandler
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from spinalis.evaluate.tables import Table as Figures
    from spinalis.models import Pack
    from spinalis.report.sections import IndexCell, ProvenCell, Report, SeriesRow, Verdict

PIPE_WIDTH = 160
"""Columns where stdout is no terminal, so that tables in files are not folded."""

REVIEW_FIRST = 5
"""Findings named in the order of review; the report has them all."""

TONES = {"Normal/Mild": "green", "Moderate": "yellow", "Severe": "bold red"}


def console(*, stderr: bool = False) -> Console:
    """A console on stdout, or on stderr."""
    made = Console(stderr=stderr, highlight=False)
    if not made.is_terminal:
        made = Console(stderr=stderr, highlight=False, width=PIPE_WIDTH)
    return made


def set_up_logging(level: int) -> None:
    """Send the log lines of Spinalis to stderr, and silence those of others: they may quote a patient's header."""
    logger = logging.getLogger("spinalis")
    logger.handlers = [RichHandler(console=console(stderr=True), show_path=False, show_time=False, markup=False)]
    logger.setLevel(level)
    logger.propagate = False
    logging.getLogger().addHandler(logging.NullHandler())
    warnings.simplefilter("ignore")


class ProgressBar:
    """A progress bar on stderr while it is entered; it stays invisible where stderr is no terminal."""

    def __init__(self, title: str) -> None:
        screen = console(stderr=True)
        columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeElapsedColumn())
        # Rich would send stdout through its console, that is to stderr: wrong where stdout is a pipe.
        self._bar = Progress(
            *columns,
            console=screen,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
            disable=not screen.is_terminal,
        )
        self._title = title
        self._task = self._bar.add_task(title, total=1.0)

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.stop()

    def tell(self, stage: str, share: float) -> None:
        """Show a stage and the share of it that is done, 0..1."""
        self._bar.update(self._task, description=f"{self._title}: {stage}", completed=share)

    @contextmanager
    def hidden(self) -> Iterator[None]:
        """Take the bar away while something else is printed."""
        self._bar.stop()
        yield
        self._bar.start()


def series_table(rows: "tuple[SeriesRow, ...]") -> Table:
    """What every series is."""
    table = Table("Series", "Slices", "Anatomy", "Region", "Plane", "Sequence", "Cord", "Notes", title="Series")
    for row in rows:
        answers = (_verdict(row.anatomy), _verdict(row.region), _verdict(row.plane), _verdict(row.sequence))
        table.add_row(row.number, str(row.slices), *answers, row.cord or "–", ", ".join(row.notes))
    return _plain(table)


def packs_table(packs: "tuple[Pack, ...]") -> Table:
    """The model packs with their version, the first 12 digits of their checksum, and their scores."""
    table = Table("Pack", "Task", "Version", "SHA-256", "Proven on", show_lines=True)
    for pack in packs:
        info = pack.info
        scores = "\n".join(f"{score.output}: {score.on}, {score.figures}" for score in pack.manifest.scores)
        table.add_row(info.name, info.task, info.version, info.sha256[:12], scores)
    return table


def figures_table(made: "Figures") -> RenderableType:
    """A table of figures with its notes below."""
    table = Table(*made.columns, title=made.title)
    for row in made.rows:
        table.add_row(*row)
    for column in table.columns[1:]:
        column.justify = "right"
    return Group(_plain(table), *(Text(f"- {note}", style="dim") for note in made.notes), "")


def report_view(report: "Report") -> RenderableType:
    """A report without its pictures."""
    parts: list[RenderableType] = [Text(report.banner, style="bold yellow"), Text(f"Study {report.study}", "bold")]
    if report.refused is not None:
        parts.append(Text(f"refused: {report.refused}", style="bold red"))
    parts.append(series_table(report.series))
    if report.levels:
        parts.append(_levels_table(report))
    if report.proven:
        parts.append(_proven_table(report))
    if report.experimental:
        parts.append(_experimental_table(report))
        first = ", ".join(f"{item.level} {item.name.lower()}" for item in report.review[:REVIEW_FIRST])
        parts.append(Text(f"Review first: {first}"))
    parts += [Text(f"Proven on {note.on}: {note.conditions}. {note.figures}", style="dim") for note in report.proofs]
    parts += [Text(f"Not assessed: {item.what}: {item.reason}") for item in report.missing]
    return Group(*parts)


def _levels_table(report: "Report") -> Table:
    table = Table("Level", "Confidence", "Seen in", "Disc edge (mm)", title="Levels")
    for row in report.levels:
        table.add_row(row.level, f"{row.confidence:.2f}", row.seen_in, row.place or "no geometry")
    return _plain(table)


def _proven_table(report: "Report") -> Table:
    from spinalis.report.words import percent  # noqa: PLC0415  heavy: draws in cv2

    def cell(found: "ProvenCell | None") -> Text:
        if found is None:
            return Text("–", "dim")
        return Text(f"{found.severity} {percent(found.probability)}", TONES[found.severity])

    table = Table("Level", *_headings(), title="Findings (severity, its probability)")
    for row in report.proven:
        table.add_row(row.level, *(cell(item) for item in row.cells))
    return _plain(table)


def _experimental_table(report: "Report") -> Table:
    from spinalis.report.words import EXPERIMENTAL, percent  # noqa: PLC0415  as above

    def cell(found: "IndexCell | None") -> Text:
        if found is None:
            return Text("–", "dim")
        return Text(f"{percent(found.severe)} · {percent(found.moderate)}")

    table = Table("Level", *_headings(), title=f"{EXPERIMENTAL} (index severe · index moderate)")
    for row in report.experimental:
        table.add_row(row.level, *(cell(item) for item in row.cells))
    return _plain(table)


def _headings() -> tuple[str, ...]:
    from spinalis.report.words import RADIOLOGICAL_ORDER, SHORT_NAMES  # noqa: PLC0415  as above

    return tuple(SHORT_NAMES[condition] for condition in RADIOLOGICAL_ORDER)


def _verdict(verdict: "Verdict") -> Text:
    sure = "" if verdict.probability >= 0.9 else "yellow"
    return Text(f"{verdict.label} {verdict.probability:.2f}", sure)


def _plain(table: Table) -> Table:
    table.box = box.SIMPLE_HEAD
    table.pad_edge = False
    table.collapse_padding = True
    for column in table.columns:
        column.overflow = "fold"
    table.title_justify = "left"
    table.title_style = "bold"
    return table

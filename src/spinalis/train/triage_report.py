"""All that is said of trained chains: the tables of paper 1 on simulated and real slices, and their errors."""

from dataclasses import dataclass
from pathlib import Path

from spinalis.errors import OutputError
from spinalis.evaluate.tables import Table
from spinalis.evaluate.triage_tables import tables
from spinalis.formats.atomic import write_bytes
from spinalis.train import triage_chains, triage_errors, triage_sets
from spinalis.train.data import open_images

TABLES, ERRORS = "tables.md", "errors.html"
RESEARCH_USE = "Research use only; not a medical device."


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What to judge: the chains in `runs`; on real slices too where `data` is given or found."""

    runs: Path
    data: Path | None = None
    packs: Path | None = None
    scale: float = 1.0
    jobs: int = 2
    repeats: int = 1000
    errors: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """Tables in the order of the paper, simulated slices first; the errors where they were wanted."""

    tables: tuple[Table, ...]
    pages: tuple[triage_errors.Page, ...]


def report(wanted: Wanted) -> Report:
    """Judge the chains of a folder.

    Raises:
        RecipeError: the folder holds no complete chain, or the real images are not where they are said to be.
        PackError: there is no triage pack for the fused default.
    """
    tree, chains = triage_chains.find(wanted.runs)
    root = open_images.find_root(wanted.data)
    sets = [triage_sets.simulated_set(tree, wanted.runs / "cache", wanted.packs, scale=wanted.scale, jobs=wanted.jobs)]
    if root is not None:
        sets.append(triage_sets.real_set(tree, root, wanted.packs))
    made: list[Table] = []
    pages: list[triage_errors.Page] = []
    for given in sets:
        judged = triage_chains.judged(tree, chains, given, wanted.repeats)
        made += tables(judged)
        if wanted.errors:
            pages += [triage_errors.page(judged, one, given.pictures) for one in judged.chains]
    return Report(tables=tuple(made), pages=tuple(pages))


def write(found: Report, folder: Path) -> None:
    """Write `tables.md` and `errors.html` into a folder, made where it is missing.

    Raises:
        OutputError: the folder cannot be made or written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"Report: expected a folder that can be made, got {error.strerror}. Choose another one with -o."
        ) from error
    write_bytes(
        folder / TABLES, "\n".join([*(table.to_markdown() for table in found.tables), RESEARCH_USE, ""]).encode()
    )
    triage_errors.write(folder / ERRORS, found.pages)

"""Read many studies, one after the other or several at once, each into its own folder."""

import logging
import traceback
from collections.abc import Generator
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from spinalis.apps import exit_codes, pool
from spinalis.apps.pool import Progress
from spinalis.errors import OutputError, SpinalisError
from spinalis.formats import reading_json, report_html
from spinalis.formats.atomic import remove, write_bytes
from spinalis.models import Pack, load_packs
from spinalis.pipeline import read_study
from spinalis.records import Finding, Reading, SeriesLabel, Study
from spinalis.report import Report, compose
from spinalis.vocabulary import NoticeKind

LOST_SLICES = frozenset({"unreadable_slices", "missing_pixels"})
"""Flags of a series that lost slices: see `formats.dicom` and `triage.label_series`."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One study to read: where to put the result, the folder of packs (None: those that ship), `sensitivity` asked."""

    study: Study
    folder: Path
    packs: Path | None
    sensitivity: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a study: its report without pictures, its JSON on one line and its findings, or the error."""

    study: str
    folder: Path
    code: int
    report: Report | None = None
    reading_json: str = ""
    findings: tuple[Finding, ...] = ()
    error: str = ""


def folders_of(studies: tuple[Study, ...], output: Path) -> tuple[Path, ...]:
    """One study goes into `output` itself, several into `output/<key>`; equal keys are told apart by `-2`, `-3`."""
    if len(studies) == 1:
        return (output,)
    keys = [study.key for study in studies]
    earlier = [keys[:place].count(key) for place, key in enumerate(keys)]
    return tuple(output / (f"{key}-{n + 1}" if n else key) for key, n in zip(keys, earlier, strict=True))


def prepare_folder(folder: Path) -> None:
    """Make a folder and try to write into it, before any work is done.

    Raises:
        OutputError: it cannot be made or written.
    """
    trial = folder / ".spinalis-trial"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_bytes(trial, b"")
        trial.unlink()
    except OSError as error:
        raise OutputError(
            f"Output folder: expected a folder that can be made and written, got {error.strerror}. "
            "Choose another one with -o."
        ) from error


def read_all(jobs: tuple[Job, ...], processes: int, progress: Progress | None = None) -> Generator[Outcome]:
    """Read every study and yield its outcome in the order of `jobs`.

    Args:
        jobs: the studies.
        processes: how many to read at once; 1 stays in this process. The results are the same.
        progress: with one process told the stages of each study, otherwise the share of studies that are done.
    """
    if processes == 1 or len(jobs) <= 1:
        for place, job in enumerate(jobs, start=1):
            yield read_one(job, pool.numbered(progress, place, len(jobs)))
    else:
        yield from pool.run_all(read_one, jobs, _lost, processes, progress)


def read_one(job: Job, progress: Progress | None = None) -> Outcome:
    """Read one study and write `reading.json` and `report.html`. An error becomes the outcome, so that others go on."""
    key = job.study.key
    try:
        reading = read_study(job.study, _packs(job.packs), progress, sensitivity=job.sensitivity)
        report = compose(reading)
        text = reading_json.dumps(reading_json.to_json(reading), indent=None)
        page = report_html.render(report).encode()
        remove(job.folder / "report.html")  # an earlier report must not stand beside this reading
        reading_json.write(reading, job.folder / "reading.json")
        write_bytes(job.folder / "report.html", page)
    except Exception as error:  # a bug in one study must not lose the others
        code, message = failure(key, error)
        return Outcome(study=key, folder=job.folder, code=code, error=message)
    return Outcome(
        study=key,
        folder=job.folder,
        code=code_of(reading, report),
        report=replace(report, levels_picture=None, looked_at=()),
        reading_json=text,
        findings=reading.findings,
    )


def failure(key: str, error: Exception) -> tuple[int, str]:
    """The exit code and the message of an error that ended the work on a study."""
    if isinstance(error, SpinalisError):
        return exit_codes.of_error(error), str(error)
    # Where, but not the error's text: libraries quote header values in it.
    log.debug("Study %s failed:\n%s", key, "".join(traceback.format_tb(error.__traceback__)))
    message = f"Study {key}: expected to be read, got {type(error).__name__}. Run it with -v and report this bug."
    return exit_codes.FAILURE, message


def code_of(reading: Reading, report: Report) -> int:
    """The exit code of a reading."""
    if report.refused is not None:
        return exit_codes.NOTHING_GRADABLE
    return exit_codes.PARTIAL if lost_something(reading.study, reading.series) else exit_codes.OK


def lost_something(study: Study, labels: tuple[SeriesLabel, ...]) -> bool:
    """True where files or slices of the study could not be read; files that are no images do not count."""
    flags = {flag for series in study.series for flag in series.flags} | {f for label in labels for f in label.flags}
    return bool(flags & LOST_SLICES) or any(item.kind is NoticeKind.FILES_LOST for item in study.warnings)


@cache
def _packs(folder: Path | None) -> tuple[Pack, ...]:
    return load_packs(folder)


def _lost(job: Job) -> Outcome:
    message = (
        f"Study {job.study.key}: expected its process to finish, got it ended from outside, "
        "perhaps for lack of memory. Read it again alone, with more memory free."
    )
    return Outcome(study=job.study.key, folder=job.folder, code=exit_codes.FAILURE, error=message)

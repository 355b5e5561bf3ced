"""Read many studies, one after the other or several at once, each into its own folder."""

import logging
import multiprocessing
import os
import signal
import traceback
from collections import deque
from collections.abc import Callable, Generator
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from types import FrameType
from typing import NoReturn

from spinalis.apps import exit_codes
from spinalis.errors import OutputError, SpinalisError
from spinalis.formats import reading_json, report_html
from spinalis.formats.atomic import remove, write_bytes
from spinalis.models import Pack, load_packs
from spinalis.pipeline import read_study
from spinalis.records import Finding, Reading, SeriesLabel, Study
from spinalis.report import Report, compose
from spinalis.vocabulary import NoticeKind

Progress = Callable[[str, float], None]
"""Told the stage and the share of it that is done, 0..1."""

LOST_SLICES = frozenset({"unreadable_slices", "missing_pixels"})
"""Flags of a series that lost slices: see `formats.dicom` and `triage.label_series`."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One study to read: where to put the result, and the folder of packs (None: those that ship)."""

    study: Study
    folder: Path
    packs: Path | None


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
            yield read_one(job, _numbered(progress, place, len(jobs)))
    else:
        yield from _in_pool(jobs, min(processes, len(jobs)), progress)


def read_one(job: Job, progress: Progress | None = None) -> Outcome:
    """Read one study and write `reading.json` and `report.html`. An error becomes the outcome, so that others go on."""
    key = job.study.key
    try:
        reading = read_study(job.study, _packs(job.packs), progress)
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


def _numbered(progress: Progress | None, place: int, count: int) -> Progress | None:
    if progress is None or count == 1:
        return progress
    return lambda stage, share: progress(f"study {place} of {count}, {stage}", share)


def _in_pool(jobs: tuple[Job, ...], processes: int, progress: Progress | None) -> Generator[Outcome]:
    with _pool(processes) as pool:
        waiting = deque((job, pool.submit(_read_in_worker, job)) for job in jobs)
        while waiting:
            yield _outcome(*waiting.popleft())
            if progress:
                progress("studies", 1 - len(waiting) / len(jobs))


def _outcome(job: Job, future: Future[Outcome]) -> Outcome:
    try:
        return future.result()
    except BrokenProcessPool:  # one lost process takes all the others with it: only the culprit is lost again alone
        return _read_alone(job)


def _read_alone(job: Job) -> Outcome:
    try:
        with _pool(1) as pool:
            return pool.submit(_read_in_worker, job).result()
    except BrokenProcessPool:
        message = (
            f"Study {job.study.key}: expected its process to finish, got it ended from outside, "
            "perhaps for lack of memory. Read it again alone, with more memory free."
        )
        return Outcome(study=job.study.key, folder=job.folder, code=exit_codes.FAILURE, error=message)


@contextmanager
def _pool(processes: int) -> Generator[ProcessPoolExecutor]:
    """Processes that are ended at once when this one is interrupted."""
    # Spawned, not forked: a fork copies ONNX Runtime's threads in an unknown state.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(processes, context, _start_worker, (log.getEffectiveLevel(),)) as pool:
        try:
            yield pool
        except BaseException:
            # Ctrl-C: drop what waits and end what runs. Files are moved into place whole, so none is left in half.
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def _start_worker(level: int) -> None:
    from spinalis.apps.terminal import set_up_logging  # noqa: PLC0415  only in a fresh process

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    signal.signal(signal.SIGTERM, _leave)
    set_up_logging(level)


def _leave(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)  # lets every `finally` run, so that no temporary file stays


def _read_in_worker(job: Job) -> Outcome:
    try:
        return read_one(job)
    except SystemExit as left:
        os._exit(int(left.code or 0))  # the pool would take it for an answer and go on to the next study

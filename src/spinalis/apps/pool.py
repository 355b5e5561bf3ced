"""Do one thing to many studies in several processes; a process that dies costs its own study only."""

import logging
import multiprocessing
import os
import signal
import sys
from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from types import FrameType
from typing import NoReturn, TypeVar

J = TypeVar("J")
R = TypeVar("R")

Progress = Callable[[str, float], None]
"""Told the stage and the share of it that is done, 0..1."""

log = logging.getLogger(__name__)


def run_all(
    work: Callable[[J], R], jobs: Sequence[J], lost: Callable[[J], R], processes: int, progress: Progress | None
) -> Generator[R]:
    """Do all jobs and yield their results in order; an error of `work` is raised here.

    Args:
        work: a function of a module, so that it travels.
        jobs: at least one.
        lost: the result of a job whose process was ended from outside.
        processes: how many at once.
        progress: told the share of jobs that are done.
    """
    with _pool(min(processes, len(jobs))) as pool:
        waiting = deque((job, _submitted(pool, work, job)) for job in jobs)
        while waiting:
            yield _result(work, lost, *waiting.popleft())
            if progress:
                progress("studies", 1 - len(waiting) / len(jobs))


def numbered(progress: Progress | None, place: int, count: int) -> Progress | None:
    """Progress that also tells which study it is; `place` counts from 1."""
    if progress is None or count == 1:
        return progress
    return lambda stage, share: progress(f"study {place} of {count}, {stage}", share)


def start_worker(level: int) -> None:
    """Set a fresh process up: log level, and how it ends."""
    from spinalis.apps.terminal import set_up_logging  # noqa: PLC0415  only in a fresh process

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    signal.signal(signal.SIGTERM, _leave)
    set_up_logging(level)


def in_worker(work: Callable[[J], R], job: J) -> R:
    """Do a job in this process, and end the process where it is told to end."""
    try:
        return work(job)
    except SystemExit as left:
        os._exit(int(left.code or 0))  # the pool would take it for an answer and go on to the next study


def _submitted(pool: ProcessPoolExecutor, work: Callable[[J], R], job: J) -> Future[R]:
    """Hand a job over; where a process has died meanwhile, nothing takes it, and it is done alone like the others."""
    try:
        return pool.submit(in_worker, work, job)
    except BrokenProcessPool as broken:
        nobody: Future[R] = Future()
        nobody.set_exception(broken)
        return nobody


def _result(work: Callable[[J], R], lost: Callable[[J], R], job: J, future: Future[R]) -> R:
    try:
        return future.result()
    except BrokenProcessPool:  # one lost process takes all the others with it: only the culprit is lost again alone
        return _alone(work, lost, job)


def _alone(work: Callable[[J], R], lost: Callable[[J], R], job: J) -> R:
    try:
        with _pool(1) as pool:
            return pool.submit(in_worker, work, job).result()
    except BrokenProcessPool:
        return lost(job)


@contextmanager
def _pool(processes: int) -> Generator[ProcessPoolExecutor]:
    """Processes that are ended at once when this one is interrupted."""
    # Spawned, not forked: a fork copies ONNX Runtime's threads in an unknown state.
    context = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(processes, context, start_worker, (log.getEffectiveLevel(),))
    jobs = pool._call_queue  # type: ignore[attr-defined]
    try:
        yield pool
    except BaseException:
        # Ctrl-C: drop what waits and end what runs. Files are moved into place whole, so none is left in half.
        pool.shutdown(wait=False, cancel_futures=True)
        for worker in multiprocessing.active_children():
            worker.terminate()
        raise
    finally:
        if sys.version_info < (3, 11, 5):
            # Else a job that does not fit into the pipe to processes that have died is waited for for ever: CPython
            # issue 94777. Living processes have an end of their own.
            jobs._reader.close()
        pool.shutdown()


def _leave(number: int, _: FrameType | None) -> NoReturn:
    raise SystemExit(128 + number)  # lets every `finally` run, so that no temporary file stays

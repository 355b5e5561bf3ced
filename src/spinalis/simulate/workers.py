"""Processes that simulate side by side, and end with the one that started them."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

Task = TypeVar("Task")
Result = TypeVar("Result")


@contextmanager
def mapped(function: Callable[[Task], Result], tasks: Sequence[Task], jobs: int) -> Generator[Iterable[Result]]:
    """The results of `function` over `tasks` in their order, made by `jobs` processes; 1 stays in this one.

    An exception in the body ends the workers at once.
    """
    if jobs == 1 or len(tasks) == 1:
        yield map(function, tasks)
        return
    # Spawned, not forked: a fork copies the threads of the libraries in an unknown state.
    with ProcessPoolExecutor(min(jobs, len(tasks)), multiprocessing.get_context("spawn"), _start) as pool:
        try:
            yield pool.map(function, tasks)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def _start() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this process with its parent, also when that one is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

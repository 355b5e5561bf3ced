"""Simulated studies on disk: whole ones only, each with its truth beside it, several processes at a time."""

import json
import multiprocessing
import os
import shutil
import signal
import threading
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from spinalis.errors import OutputError, SimulationError
from spinalis.formats.atomic import write_bytes
from spinalis.simulate.study import SimulatedStudy, check, simulate_study, study_document

TRUTH = "truth"
"""Folder of the truths beside the studies: inside a study a reader would take them for files of the scanner."""

Progress = Callable[[int, int], None]
"""Told studies done and studies wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One study to simulate and to write."""

    folder: Path
    seed: int
    number: int
    profile: str
    compress: bool = False

    @property
    def name(self) -> str:
        """The name of the study's folder and of its truth."""
        return f"{self.profile}-{self.seed}-{self.number:05d}"

    @property
    def target(self) -> Path:
        """The folder of the study."""
        return self.folder / self.name

    @property
    def truth(self) -> Path:
        """The file of the truth."""
        return self.folder / TRUTH / f"{self.name}.json"


def simulate_to_folder(  # noqa: PLR0913  the options of `spinalis simulate`, one each
    folder: Path,
    *,
    studies: int,
    seed: int,
    profile: str = "lumbar",
    jobs: int = 1,
    compress: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Write studies as DICOM and their truth beside them, whole ones only; those that are there stay.

    The order of writing is: a hidden folder, the truth, the folder's own name. So a study that carries its name is
    whole and has its truth, whenever the work was cut off. One process may write into `folder` at a time.

    Args:
        folder: gets one folder per study, and `truth/<study>.json`.
        studies: how many, numbered from 0.
        seed: the seed of the set.
        profile: see `simulate_study`.
        jobs: processes; the files are the same for any number.
        compress: JPEG-LS without loss, about half the size, in place of plain pixels.
        progress: called with studies done and studies wanted.

    Returns:
        The study folders in order.

    Raises:
        SimulationError: a count below 1, or what `simulate_study` raises.
        OutputError: a study cannot be written.
    """
    if studies < 1 or jobs < 1:
        raise SimulationError(
            f"Simulation: expected at least one study and one job, got {studies} and {jobs}. Ask for more."
        )
    check(seed, 0, profile)
    orders = [
        Order(folder=folder, seed=seed, number=number, profile=profile, compress=compress) for number in range(studies)
    ]
    return write_all(orders, jobs, progress)


def write_all(orders: list[Order], jobs: int, progress: Progress | None = None) -> tuple[Path, ...]:
    """Write every study that is not there yet; see `simulate_to_folder`."""
    done: list[Path] = []
    with _written(orders, jobs) as written:
        for path in written:
            done.append(path)
            if progress:
                progress(len(done), len(orders))
    return tuple(done)


def write_one(order: Order) -> Path:
    """Write one study, unless it is there; its folder.

    Raises:
        OutputError: it cannot be written.
    """
    if order.target.exists() and order.truth.exists():
        return order.target
    made = simulate_study(order.seed, order.number, order.profile)
    part = order.folder / f".{order.name}.part"
    try:
        for left in (part, order.target):  # of a run that was cut off, and a study whose truth was taken away
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(parents=True)
        order.truth.parent.mkdir(exist_ok=True)
        _write_dicom(made, part, order)
        write_bytes(order.truth, json.dumps(study_document(made), indent=1).encode())
        part.rename(order.target)
    except OSError as error:
        raise OutputError(
            f"Study {order.number}: expected a folder that can be written, got {error.strerror}. "
            "Free some space or choose another folder with -o, and run it again: whole studies are kept."
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
        if order.truth.exists() and not order.target.exists():
            order.truth.unlink()
    return order.target


def _write_dicom(made: SimulatedStudy, folder: Path, order: Order) -> None:
    from pydicom.uid import ExplicitVRLittleEndian, JPEGLSLossless  # noqa: PLC0415  heavy, as pydicom is

    from spinalis.formats.dicom.write import write_study  # noqa: PLC0415

    write_study(made.study, folder, transfer_syntax=JPEGLSLossless if order.compress else ExplicitVRLittleEndian)


@contextmanager
def _written(orders: list[Order], jobs: int) -> Generator[Iterable[Path]]:
    if jobs == 1 or len(orders) == 1:
        yield map(write_one, orders)
        return
    # Spawned, not forked: a fork copies the threads of the libraries in an unknown state.
    with ProcessPoolExecutor(min(jobs, len(orders)), multiprocessing.get_context("spawn"), _start_worker) as pool:
        try:
            yield pool.map(write_one, orders)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()
            raise


def _start_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends its workers
    threading.Thread(target=_follow_parent, daemon=True).start()


def _follow_parent() -> None:
    """End this process with its parent, also when that one is killed."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)

"""Simulated studies on disk: whole ones only, each with its truth beside it."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
from pydicom.uid import JPEGLSLossless

from spinalis.errors import OutputError, SimulationError
from spinalis.formats.atomic import write_bytes
from spinalis.formats.dicom import write
from spinalis.formats.rsna_csv import IMAGES, LABELS
from spinalis.simulate import nifti_layout, rsna_layout
from spinalis.simulate.benchmark import Row, recipe, rows_of, verify
from spinalis.simulate.study import PROFILES, SimulatedStudy, check, simulate_study, study_document
from spinalis.simulate.torture import torture_study, write_files
from spinalis.simulate.workers import mapped

TORTURE = "torture"
"""The profile of `spinalis.simulate.torture`."""

TRUTH = "truth"
"""Folder of the truths beside the studies: inside a study a reader would take them for files of the scanner."""

Progress = Callable[[int, int], None]
"""Told studies done and studies wanted."""


class Layout(StrEnum):
    """How studies lie on disk."""

    DICOM = "dicom"
    RSNA = "rsna"
    NIFTI = "nifti"


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One study to simulate and to write; `layout` and `compress` are as in `simulate_to_folder`, `row` its check."""

    folder: Path
    seed: int
    number: int
    profile: str
    layout: Layout = Layout.DICOM
    compress: bool = False
    row: Row | None = None

    @property
    def name(self) -> str:
        """The name of the study's truth, and of its folder where the layout has none of its own."""
        return f"{self.profile}-{self.seed}-{self.number:05d}"

    @property
    def target(self) -> Path:
        """The folder of the study."""
        if self.layout is Layout.RSNA:
            return self.folder / IMAGES / str(rsna_layout.study_id(self.number, self.seed, self.profile))
        return self.folder / (f"sub-{self.subject}" if self.layout is Layout.NIFTI else self.name)

    @property
    def subject(self) -> str:
        """The study's name for BIDS, where only letters and digits are allowed."""
        return f"{self.profile}{self.seed}n{self.number:05d}".replace("-", "")

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
    layout: str = Layout.DICOM,
    jobs: int = 1,
    compress: bool = False,
    progress: Progress | None = None,
) -> tuple[Path, ...]:
    """Write studies and their truth beside them, whole ones only; those that are there stay.

    The order of writing is: a hidden folder, the truth, the folder's own name. So a study that carries its name is
    whole and has its truth, whenever the work was cut off. One process may write into `folder` at a time.

    Args:
        folder: gets one folder per study, and `truth/<study>.json`.
        studies: how many, numbered from 0.
        seed: the seed of the set.
        profile: see `simulate_study`; or `torture`, whose truths carry the expected answer (see `torture`).
        layout: `dicom` (a folder per study, a folder per series), `rsna` (as the competition's set of 2024, see
            `rsna_layout`; lumbar profiles only) or `nifti` (BIDS names and label maps, see `nifti_layout`).
        jobs: processes; the files are the same for any number.
        compress: every DICOM series in JPEG-LS without loss, in place of the transfer syntax of its site.
        progress: called with studies done and studies wanted.

    Returns:
        The study folders in order.

    Raises:
        SimulationError: a count below 1, a layout that is unknown, lacks its extra or does not take the profile, or
            what `simulate_study` raises.
        OutputError: a study cannot be written.
    """
    if studies < 1 or jobs < 1:
        raise SimulationError(
            f"Simulation: expected at least one study and one job, got {studies} and {jobs}. Ask for more."
        )
    check(seed, 0, PROFILES[0] if profile == TORTURE else profile)
    form = checked_layout(layout, profile)
    orders = [
        Order(folder=folder, seed=seed, number=number, profile=profile, layout=form, compress=compress)
        for number in range(studies)
    ]
    return write_all(orders, jobs, progress)


def benchmark_to_folder(
    folder: Path, version: str, *, layout: str = Layout.DICOM, jobs: int = 1, progress: Progress | None = None
) -> tuple[Path, ...]:
    """Write a benchmark set, every study checked while it is made; otherwise as `simulate_to_folder`.

    Raises:
        SimulationError: an unknown version, a layout that does not take its profiles, or a study that differs.
        OutputError: a study cannot be written.
    """
    seed, shares = recipe(version)
    for profile, _ in shares:
        check(seed, 0, profile)
        checked_layout(layout, profile)
    orders = [
        Order(folder=folder, seed=seed, number=row.number, profile=row.profile, layout=Layout(layout), row=row)
        for row in rows_of(version)
    ]
    return write_all(orders, jobs, progress)


def checked_layout(layout: str, profile: str) -> Layout:
    """A layout by its name.

    Raises:
        SimulationError: it is unknown, lacks its extra, or does not take the profile.
    """
    if layout not in set(Layout):
        raise SimulationError(f"Layout: expected one of {', '.join(Layout)}, got {layout!r}. Choose one of these.")
    if layout == Layout.RSNA and profile not in rsna_layout.PROFILES:
        raise SimulationError(
            f"RSNA layout: expected the profile {' or '.join(rsna_layout.PROFILES)}, got {profile!r}. "
            "Only lumbar studies have its grades; choose another layout."
        )
    if layout != Layout.DICOM and profile == TORTURE:
        raise SimulationError(f"Torture: expected the layout dicom, got {layout!r}. Its oddities are those of DICOM.")
    if layout == Layout.NIFTI:
        nifti_layout.load_nibabel()
    return Layout(layout)


def write_all(orders: list[Order], jobs: int, progress: Progress | None = None) -> tuple[Path, ...]:
    """Write every study that is not there yet, then what belongs to the whole set; see `simulate_to_folder`."""
    done: list[Path] = []
    try:
        with mapped(write_one, orders, jobs) as written:
            for path in written:
                done.append(path)
                if progress:
                    progress(len(done), len(orders))
    finally:
        if done:
            _write_set(orders[0].layout, orders[0].folder)
    return tuple(done)


def write_one(order: Order) -> Path:
    """Write one study, unless it is there; its folder.

    Raises:
        OutputError: it cannot be written.
    """
    if order.target.exists() and order.truth.exists():
        return order.target
    part = order.folder / f".{order.name}.part"
    try:
        for left in (part, order.target):  # of a run that was cut off, and a study whose truth was taken away
            shutil.rmtree(left, ignore_errors=True)
        part.mkdir(parents=True)
        order.truth.parent.mkdir(exist_ok=True)
        written, document = _write_study(part, order)
        write_bytes(order.truth, json.dumps(document, indent=1).encode())
        order.target.parent.mkdir(exist_ok=True)
        written.rename(order.target)
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


def _write_study(part: Path, order: Order) -> tuple[Path, dict[str, Any]]:
    """Make a study and write it below `part`; the folder that is to get the study's name, and its truth."""
    if order.profile == TORTURE:
        tortured = torture_study(order.seed, order.number)
        write_files(tortured, part)
        return part, tortured.document()
    made = simulate_study(order.seed, order.number, order.profile)
    if order.row is not None:
        verify(made, order.row)
    written, rows = _write_files(made, part, order)
    return written, {**study_document(made), **({"tables": rows} if rows else {})}


def _write_files(made: SimulatedStudy, part: Path, order: Order) -> tuple[Path, dict[str, list[dict[str, str]]]]:
    """Write a study below `part`; the folder that is to get the study's name, and its rows of the tables of the set."""
    if order.layout is Layout.RSNA:
        study = rsna_layout.study_id(order.number, order.seed, order.profile)
        return part, rsna_layout.write_study(made, study, part, np.random.default_rng([order.seed, order.number, 2024]))
    if order.layout is Layout.NIFTI:
        images, labels = nifti_layout.write_study(made, order.subject, part)
        final = order.folder / nifti_layout.DERIVATIVES / labels.name
        shutil.rmtree(final, ignore_errors=True)
        final.parent.mkdir(parents=True, exist_ok=True)
        labels.rename(final)
        return images, {}
    forms = {one.series.key: one.form for one in made.series}
    if order.compress:
        forms = {key: replace(form, transfer_syntax=JPEGLSLossless) for key, form in forms.items()}
    write.write_study(made.study, part, forms=forms)
    return part, {}


def _write_set(layout: Layout, folder: Path) -> None:
    """Write what belongs to all studies that are there, so that it is complete after any number of runs."""
    if layout is Layout.NIFTI:
        nifti_layout.write_descriptions(folder)
    if layout is Layout.RSNA:
        truths = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((folder / TRUTH).glob("*.json"))]
        tables = [truth["tables"] for truth in truths if "tables" in truth]
        there = [found for found in tables if (folder / IMAGES / found[LABELS][0]["study_id"]).is_dir()]
        rsna_layout.write_tables(folder, there)

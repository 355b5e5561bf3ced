"""Choose series or slices of many studies, deliver them, and remember what was done, so that a run can go on."""

import hashlib
import json
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from spinalis import __version__
from spinalis.apps import batch, exit_codes, pool
from spinalis.apps.deliver import Courier
from spinalis.apps.pool import Progress
from spinalis.apps.select import Form, Link, Listed, Unit
from spinalis.errors import InputError, OutputError
from spinalis.formats import bids
from spinalis.formats import selection_manifest as manifest
from spinalis.formats.atomic import make_folder, write_bytes, write_chunks, write_new
from spinalis.formats.nifti import load_nibabel
from spinalis.formats.source import DiskFile, Source
from spinalis.models import Pack, load_packs
from spinalis.pipeline import remembering, triage_study
from spinalis.records import Study
from spinalis.triage.choose import Choice, choose
from spinalis.triage.where import Rule

STATE = ".spinalis-select"
"""Folder in the output: the settings of the run, and a file for each study that is done."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is wanted, and how. `packs` is the folder of packs (None: those that ship)."""

    output: Path
    rule: Rule
    unit: Unit
    form: Form
    link: Link | None
    min_probability: float
    packs: Path | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One study to choose from, with the files of its slices by their names."""

    order: Order
    study: Study
    sources: Mapping[str, Source]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a study: counts of its units and files, or the error. `resumed`: an earlier run did it."""

    study: str
    code: int
    chosen: int = 0
    rejected: int = 0
    unknown: int = 0
    files: int = 0
    notes: int = 0
    warnings: tuple[str, ...] = ()
    error: str = ""
    resumed: bool = False


def jobs_of(order: Order, studies: tuple[Study, ...], sources: Iterable[Source]) -> tuple[Job, ...]:
    """One job per study, each with its own files.

    Raises:
        InputError: the files are to be linked, but lie in a zip.
    """
    by_name = {source.name: source for source in sources}
    if order.link is not None and not all(isinstance(source, DiskFile) for source in by_name.values()):
        raise InputError("Link: expected files on disk, got a zip. Leave out --link, or unpack the zip.")
    return tuple(
        Job(order=order, study=study, sources={name: by_name[name] for name in sorted(_files(study))})
        for study in studies
    )


def begin(order: Order) -> None:
    """Claim the output folder for this order, or find it claimed by the same one.

    Raises:
        OutputError: it holds something else, or the result of another order, or it cannot be written.
        InputError: volumes are wanted, and nibabel is not installed.
        PackError: a pack is missing or altered.
    """
    if order.form in (Form.NIFTI, Form.BIDS):
        load_nibabel()
    batch.prepare_folder(order.output)
    state = order.output / STATE
    settings = _settings(order)
    if (state / "settings.json").exists():
        before = json.loads((state / "settings.json").read_bytes())
        changed = sorted(name for name in settings.keys() | before.keys() if settings.get(name) != before.get(name))
        if changed:
            raise OutputError(
                f"Output folder: expected the result of the same selection, got another {' and '.join(changed)}. "
                "Choose another folder with -o."
            )
        return
    if any(item.name != STATE for item in order.output.iterdir()):
        raise OutputError(
            "Output folder: expected an empty one or that of an earlier selection, got other files in it. "
            "Nothing is overwritten: choose another folder with -o."
        )
    make_folder(state)
    if order.form is Form.BIDS:
        write_new(order.output / "dataset_description.json", (bids.description(),))
        write_new(order.output / "README", (bids.readme(),))
        write_new(order.output / ".bidsignore", (bids.IGNORED.encode(),))
    write_bytes(state / "settings.json", json.dumps(settings, indent=2).encode())


def select_all(jobs: tuple[Job, ...], processes: int, progress: Progress | None = None) -> Generator[Outcome]:
    """Do every job that an earlier run has not done, and yield the outcomes in order.

    Raises:
        OutputError: the output cannot be written; there is no use in going on.
    """
    found = {place: outcome for place, job in enumerate(jobs) if (outcome := _earlier(job)) is not None}
    left = [job for place, job in enumerate(jobs) if place not in found]
    if processes == 1 or len(left) <= 1:
        fresh = (_one(job, pool.numbered(progress, place, len(left))) for place, job in enumerate(left, start=1))
    else:
        fresh = pool.run_all(select_one, left, _lost, processes, progress)
    try:
        for place in range(len(jobs)):
            yield found[place] if place in found else next(fresh)
    finally:
        fresh.close()


def select_one(job: Job) -> Outcome:
    """Triage a study, deliver what is chosen, and note it. An error becomes the outcome, but a full disk is raised."""
    return _one(job, None)


def write_manifest(jobs: tuple[Job, ...], listed: Listed) -> Path:
    """Join the notes of all studies that are done into `manifest.csv` and `manifest.jsonl`; the path of the first.

    Args:
        jobs: at least one.
        listed: which units.

    Raises:
        OutputError: they cannot be written.
    """

    def lines() -> Iterator[bytes]:
        for job in jobs:
            if _earlier(job) is not None:
                with _note(job).open("rb") as file:
                    next(file)  # the counts
                    yield from (line for line in file if listed is Listed.ALL or json.loads(line)["rule"] == "true")

    output = jobs[0].order.output
    manifest.write(lines(), output / "manifest.jsonl")
    manifest.write_csv(lines(), output / "manifest.csv")
    return output / "manifest.csv"


def _one(job: Job, progress: Progress | None) -> Outcome:
    try:
        return _selected(job, progress)
    except OutputError:
        raise
    except Exception as error:  # a bug in one study must not lose the others
        code, message = batch.failure(job.study.key, error)
        return Outcome(study=job.study.key, code=code, error=message)


def _selected(job: Job, progress: Progress | None) -> Outcome:
    order = job.order
    study = job.study if order.form is Form.ORIGINAL else remembering(job.study)
    labels = triage_study(study, _packs(order.packs), progress)
    courier = Courier(study=study, sources=job.sources, output=order.output, form=order.form, link=order.link)
    rows: list[manifest.Row] = []
    counts: Counter[str] = Counter()
    for choice in choose(
        study, labels, order.rule, by_slice=order.unit is Unit.SLICE, min_probability=order.min_probability
    ):
        files, note = courier.deliver(choice) if choice.truth else (courier.kept_back(choice), _why_not(choice))
        counts[manifest.said(choice.truth)] += 1
        counts["notes"] += bool(choice.truth and note)
        rows.append(manifest.row(study.key, choice, files, note))
    lost = batch.lost_something(study, labels) or counts["notes"]
    outcome = {
        "study": study.key,
        "fingerprint": _fingerprint(study),
        "code": exit_codes.PARTIAL if lost else exit_codes.OK,
        "chosen": counts["true"],
        "rejected": counts["false"],
        "unknown": counts["unknown"],
        "files": len({file["target"] for row in rows for file in row["files"] if file["target"] is not None}),
        "notes": counts["notes"],
        "warnings": [item.text for item in study.warnings],
    }
    write_chunks(_note(job), (manifest.to_line(outcome), *map(manifest.to_line, rows)))
    return _outcome(outcome, resumed=False)


def _why_not(choice: Choice) -> str:
    return "" if choice.readable else "no pixel can be decoded, or all are equal"


def _outcome(noted: dict[str, Any], *, resumed: bool) -> Outcome:
    return Outcome(
        study=noted["study"],
        code=noted["code"],
        chosen=noted["chosen"],
        rejected=noted["rejected"],
        unknown=noted["unknown"],
        files=noted["files"],
        notes=noted["notes"],
        warnings=tuple(noted["warnings"]),
        resumed=resumed,
    )


def _earlier(job: Job) -> Outcome | None:
    """What an earlier run noted of a study; None where it was not done, or its files were others then."""
    try:
        with _note(job).open("rb") as file:
            noted = json.loads(next(file))
    except FileNotFoundError:
        return None
    return _outcome(noted, resumed=True) if noted["fingerprint"] == _fingerprint(job.study) else None


def _note(job: Job) -> Path:
    return job.order.output / STATE / f"{job.study.key}.jsonl"


def _files(study: Study) -> set[str]:
    return {item.file for series in study.series for item in series.slices}


def _fingerprint(study: Study) -> str:
    """Changes when slices are added, taken away or put into another order."""
    places = [(series.key, item.file, item.frame) for series in study.series for item in series.slices]
    return hashlib.sha256(repr(places).encode()).hexdigest()[:16]


def _settings(order: Order) -> dict[str, object]:
    return {
        "schema": manifest.SCHEMA,
        "spinalis": __version__,
        "where": order.rule.text,
        "unit": str(order.unit),
        "as": str(order.form),
        "link": None if order.link is None else str(order.link),
        "min-probability": order.min_probability,
        "packs": next(pack.info.sha256 for pack in _packs(order.packs) if pack.info.task == "triage"),
    }


def _lost(job: Job) -> Outcome:
    message = (
        f"Study {job.study.key}: expected its process to finish, got it ended from outside, "
        "perhaps for lack of memory. Run the same command again, with more memory free."
    )
    return Outcome(study=job.study.key, code=exit_codes.FAILURE, error=message)


@cache
def _packs(folder: Path | None) -> tuple[Pack, ...]:
    return load_packs(folder)

"""The slices that chains are judged on: simulated studies that nothing was trained on, and real patients kept out.

Each study is simulated once: its pictures, its truth and what the fused default says of it are kept on disk.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from spinalis.evaluate.metrics import IntArray
from spinalis.evaluate.triage import UNKNOWN, Slices
from spinalis.models import load_packs, select
from spinalis.models.prepare import stretched
from spinalis.pipeline import triage_study
from spinalis.records import SeriesLabel
from spinalis.simulate.study import simulate_study
from spinalis.train import grade
from spinalis.train.data import open_images
from spinalis.train.data.node_slices import facts_of, known
from spinalis.train.data.real_slice import VALIDATION
from spinalis.train.data.simulated import CORD, NO_CORD, TRIAGE_SIZE, WORDS, fingerprint, fit_picture, slice_arrays
from spinalis.train.judge import JUDGED_SEED
from spinalis.train.recipes import load
from spinalis.triage import label_series
from spinalis.triage.hierarchy import Facts, Hierarchy
from spinalis.vocabulary import Anatomy

TEST_STUDIES: Mapping[str, int] = {"cervical": 30, "thoracic": 10, "lumbar": 10, "whole": 4, "other": 16}
FUSED = "fused default"
FUSED_TASKS = ("triage", "header")
"""The packs that the fused default asks: pixels, and headers where there is a pack for them."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TestSet:
    """N slices: pictures (N, S, S) of bytes, their truth, and what the fused default says: node -> (N,)."""

    __test__ = False

    title: str
    pictures: NDArray[np.uint8]
    slices: Slices
    fused: Mapping[str, IntArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Kept:
    """One slice: its facts and those that the fused default believes, its series and its patient."""

    picture: NDArray[np.uint8]
    facts: Facts
    fused: Facts
    series: str
    patient: str


def simulated_set(tree: Hierarchy, cache: Path, packs: Path | None, *, scale: float = 1.0, jobs: int = 2) -> TestSet:
    """Simulated studies of every profile, each slice of each series.

    Args:
        tree: the hierarchy.
        cache: keeps the studies.
        packs: the folder of the fused default's pack; None takes those that ship.
        scale: share of `TEST_STUDIES`, one study of each profile at least.
        jobs: simulating processes.

    Raises:
        PackError: there is no triage pack.
    """
    asked = "-".join(item.info.sha256[:8] for item in load_packs(packs) if item.info.task in FUSED_TASKS)
    target = cache / f"judged-{JUDGED_SEED}-{fingerprint(grade.input_spec(load('grade')))}-{asked}"
    target.mkdir(parents=True, exist_ok=True)
    wanted = [
        (profile, number, target / f"{profile}-{number:05d}.npz", packs)
        for profile, count in TEST_STUDIES.items()
        for number in range(max(1, round(count * scale)))
    ]
    missing = [item for item in wanted if not item[2].exists()]
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        for _ in pool.map(_keep, missing):
            pass
    return _gathered(f"{len(wanted)} simulated studies", tree, [kept for item in wanted for kept in _read(item[2])])


def real_set(tree: Hierarchy, root: Path, packs: Path | None) -> TestSet:
    """The open real slices of patients kept out of training; the fused default reads their series.

    Args:
        tree: the hierarchy.
        root: the folder of the open real images.
        packs: the folder of the fused default's pack; None takes those that ship.

    Raises:
        PackError: there is no triage pack.
    """
    loaded = load_packs(packs)
    header = select(loaded, "header") if any(pack.info.task == "header" for pack in loaded) else None
    found = []
    for number, item in enumerate(open_images.read_series(root, VALIDATION)):
        label = label_series(item.series, select(loaded, "triage"), header)
        for index, labels in enumerate(item.labels):
            facts = facts_of(labels)
            if tree.path(facts):
                image = item.pixels.load(index)
                picture = fit_picture(stretched(image), np.eye(2, 3), TRIAGE_SIZE).round().astype(np.uint8)
                believed = _believed(label, index)
                series = f"{item.source}/{number}"
                found.append(_Kept(picture=picture, facts=facts, fused=believed, series=series, patient=item.patient))
    return _gathered("real slices kept out of training", tree, found)


def _keep(job: tuple[str, int, Path, Path | None]) -> None:
    """Simulate a study and keep what judging needs."""
    profile, number, file, packs = job
    loaded = load_packs(packs, threads=1)
    study = simulate_study(JUDGED_SEED, number, profile)
    arrays = slice_arrays(study, np.random.default_rng(0), whole=True)
    believed = []
    for item, label in zip(study.series, triage_study(study.study, loaded), strict=True):
        believed += [_believed(label, index) for index in range(len(item.series.slices))]
    fused = np.array([[facts.get(word, "") for word in WORDS] for facts in believed])
    partial = file.with_suffix(".part.npz")
    kept: dict[str, Any] = {name: arrays[name] for name in ("triage_pictures", "triage_words", "triage_series")}
    np.savez(partial, **kept, fused=fused)
    partial.replace(file)


def _read(file: Path) -> Iterator[_Kept]:
    with np.load(file) as arrays:
        rows = zip(arrays["triage_words"], arrays["fused"], arrays["triage_series"], strict=True)
        pictures = arrays["triage_pictures"]
        for place, (words, fused, series) in enumerate(rows):
            yield _Kept(
                picture=pictures[place],
                facts=known(dict(zip(WORDS, map(str, words), strict=True))),
                fused=known(dict(zip(WORDS, map(str, fused), strict=True))),
                series=f"{file.stem}/{series}",
                patient=file.stem,
            )


def _believed(label: SeriesLabel, index: int) -> dict[str, str]:
    """What the fused default says of a slice, in the words of a hierarchy: as `spinalis select` would choose it."""
    part = {Anatomy.MR_SPINE: "SPINE", Anatomy.OTHER: "ELSEWHERE"}.get(label.anatomy.label, "")
    found = {
        "part": part,
        "region": label.region.label.value,
        "plane": label.plane.label.value,
        "sequence": label.sequence.label.value,
        "cord": CORD if index in label.cord_slices else NO_CORD,
    }
    return known(found)


def _gathered(title: str, tree: Hierarchy, kept: Sequence[_Kept]) -> TestSet:
    paths = [tree.path(item.facts) for item in kept]
    keys = {key: number for number, key in enumerate(dict.fromkeys(item.series for item in kept))}
    return TestSet(
        title=title,
        pictures=np.stack([item.picture for item in kept]),
        slices=Slices(
            series=np.array([keys[item.series] for item in kept], np.int64),
            patients=np.array([item.patient for item in kept]),
            truth={name: np.array([path.get(name, UNKNOWN) for path in paths], np.int64) for name in tree.nodes},
        ),
        fused={name: _classes(tree, name, [item.fused for item in kept]) for name in tree.nodes},
    )


def _classes(tree: Hierarchy, name: str, believed: Sequence[Facts]) -> IntArray:
    found = [tree.node(name).class_of(facts) for facts in believed]
    return np.array([UNKNOWN if place is None else place for place in found], np.int64)

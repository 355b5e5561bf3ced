"""Compare the papers' methods and the default on one set of studies: `docs/comparison.md`.

    python -m spinalis.train.compare --runs runs/comparison -o docs/comparison.md

Trains what is not trained yet, lets every method write a prediction file for the same test studies, and scores them.
The test studies are the lumbar ones of the benchmark set, and more of its seed, in the layout of the RSNA 2024 set; or
a set of one's own. Resumes where a run was cut short: studies, checkpoints, networks and prediction files stay under
`--runs`.
"""

import argparse
import json
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from spinalis.errors import RecipeError
from spinalis.evaluate import rsna as score
from spinalis.formats import rsna_csv
from spinalis.formats.atomic import write_bytes
from spinalis.models import Pack, load_packs
from spinalis.pipeline import read_study
from spinalis.records import FloatArray
from spinalis.simulate import layouts
from spinalis.simulate.benchmark import Row, rows_of, table_path
from spinalis.simulate.benchmark import recipe as benchmark_recipe
from spinalis.train import compare_tables, runs
from spinalis.train.data import rsna
from spinalis.train.data.rsna import RsnaStudy
from spinalis.train.data.whole_studies import keep_rsna, views_of
from spinalis.train.papers import answers, methods
from spinalis.train.papers.entries import ABLATIONS, ENTRIES, STAGE_1, changes_of, entry

BENCHMARK, PROFILE = "v1", "lumbar"
STUDIES = 300
"""Test studies; the benchmark set checks as many of them as it holds."""

TIMED_STUDIES = 5
"""Opening and decoding a study is timed on so many."""

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to compare. `data` trains and `test` tests on a set in RSNA 2024 layout; None simulates."""

    runs: Path
    names: Sequence[str]
    data: Path | None = None
    test: Path | None = None
    studies: int = STUDIES
    scale: float = 1.0
    small: bool = False
    jobs: int = 2
    accelerator: str = "auto"
    packs: Path | None = None


def compare(plan: Plan, repeats: int = 1000) -> str:
    """Train, predict and score; the page as Markdown.

    Raises:
        RecipeError: too few studies, or a run of other settings in the folder.
        SimulationError: a test study differs from the benchmark set's.
    """
    items = rsna.read(test_set(plan))
    for name in plan.names:
        if not is_predicted(plan, name, items):
            logging.info("%s", name)
            predict_default(plan, items) if name == DEFAULT else predict_method(plan, name, items)
    return page(plan, items, repeats)


def is_predicted(plan: Plan, name: str, items: Sequence[RsnaStudy]) -> bool:
    """Is there a prediction file of a method?

    Raises:
        RecipeError: there is one of other studies or settings.
    """
    if not _notes(plan, name).exists():
        return False
    if json.loads(_notes(plan, name).read_text())["made_for"] != _made_for(plan, name, items):
        raise RecipeError(
            f"Comparison: expected predictions of {name} for these studies and settings, got others. "
            "Choose another folder with --runs."
        )
    return True


def test_set(plan: Plan) -> Path:
    """The folder of the test studies, simulated where they are not there yet; checked where the benchmark has them."""
    if plan.test is not None:
        return plan.test
    seed, _ = benchmark_recipe(BENCHMARK)
    checks = _checks()
    folder = plan.runs / "test"
    orders = [
        layouts.Order(
            folder=folder,
            seed=seed,
            number=number,
            profile=PROFILE,
            layout=layouts.Layout.RSNA,
            row=checks.get(number),
        )
        for number in range(plan.studies)
    ]
    layouts.write_all(orders, plan.jobs)
    return folder


def predict_method(plan: Plan, name: str, items: Sequence[RsnaStudy]) -> None:
    """Train a paper's method, or take its finished run, and write its prediction file."""
    order = runs.Order(
        recipe=entry(name).recipe,
        folder=plan.runs / name,
        data=plan.data,
        changes={key: json.dumps(value) for key, value in changes_of(name, plan.runs, small=plan.small).items()},
        jobs=plan.jobs,
        scale=plan.scale,
        accelerator=plan.accelerator,
    )
    run = runs.train(order)
    kept, _ = keep_rsna(items, plan.runs / "cache", plan.jobs)
    start = time.perf_counter()
    found = methods.predict(run, kept)
    seconds = (time.perf_counter() - start) / max(1, len(kept)) + _opening_seconds(items)
    complete = _in_order([item.name for item in items], [item.name for item in kept], found)
    _write(plan, name, items, complete, seconds)


def predict_default(plan: Plan, items: Sequence[RsnaStudy]) -> None:
    """Read every test study with the packs, and write the prediction file; each study is kept once it is read."""
    packs = load_packs(plan.packs)
    folder = plan.runs / DEFAULT
    folder.mkdir(parents=True, exist_ok=True)
    read = [_read(item, packs, folder / f"{item.name}.json") for item in items]
    found = np.array([one["probabilities"] for one in read], float).reshape(len(read), 5, 5, 3)
    _write(plan, DEFAULT, items, found, float(np.mean([one["seconds"] for one in read])))


def page(plan: Plan, items: Sequence[RsnaStudy], repeats: int) -> str:
    """Score the prediction files of a plan and set them out."""
    grades = {item.name: item.grades for item in items}
    truth = score.truth_array(grades.values())
    given = {}
    for name in plan.names:
        places = rsna_csv.read_predictions(_predictions(plan, name))
        given[name] = score.answer_array(places.get(study, {}) for study in grades)
    notes = {name: json.loads(_notes(plan, name).read_text()) for name in plan.names}
    return compare_tables.page(
        truth, given, compare_tables.Circumstances(notes=notes, about=_about(plan), stage1=_stage1(plan)), repeats
    )


def _read(item: RsnaStudy, packs: tuple[Pack, ...], file: Path) -> dict[str, Any]:
    """Calibrated probabilities of the 25 places, None where nothing was graded, and the seconds it took."""
    if not file.exists():
        start = time.perf_counter()
        reading = read_study(item.load(), packs)
        seconds = time.perf_counter() - start
        given = score.graded(reading.findings)
        none = (None,) * 3
        kept = {"probabilities": [given.get(place, none) for place in rsna_csv.PLACES], "seconds": seconds}
        write_bytes(file, json.dumps(kept).encode())
    found: dict[str, Any] = json.loads(file.read_text())
    return found


def _write(plan: Plan, name: str, items: Sequence[RsnaStudy], found: FloatArray, seconds: float) -> None:
    _notes(plan, name).parent.mkdir(parents=True, exist_ok=True)
    filled = answers.write([item.name for item in items], found, _predictions(plan, name))
    made_for = _made_for(plan, name, items)
    about = {"seconds": round(seconds, 3), "filled": filled, "places": found[..., 0].size, "made_for": made_for}
    write_bytes(_notes(plan, name), json.dumps(about).encode())


def _made_for(plan: Plan, name: str, items: Sequence[RsnaStudy]) -> str:
    """A short hash of what a prediction file is made from."""
    settings = (
        str(plan.packs)
        if name == DEFAULT
        else (changes_of(name, plan.runs, small=plan.small), plan.scale, str(plan.data))
    )
    return sha256(repr((settings, [item.name for item in items])).encode()).hexdigest()[:12]


def _in_order(wanted: Sequence[str], there: Sequence[str], found: FloatArray) -> FloatArray:
    """Answers of the studies wanted, NaN for those that could not be kept."""
    rows = dict(zip(there, found, strict=True))
    return np.stack([rows.get(name, np.full(found.shape[1:], np.nan)) for name in wanted])


def _opening_seconds(items: Sequence[RsnaStudy]) -> float:
    """Mean seconds to open a study and to decode and scale its slices."""
    start = time.perf_counter()
    for item in items[:TIMED_STUDIES]:
        study = item.load()
        views_of(study, rsna.series_labels(item, study))
    return (time.perf_counter() - start) / len(items[:TIMED_STUDIES])


def _checks() -> dict[int, Row]:
    """The benchmark's checks by the number of the study; none while its table has not been published."""
    rows = rows_of(BENCHMARK) if table_path(BENCHMARK).exists() else ()
    return {row.number: row for row in rows if row.profile == PROFILE}


def _about(plan: Plan) -> tuple[str, ...]:
    trained = "a set in RSNA 2024 layout" if plan.data else f"simulated studies, scale {plan.scale:g}"
    checked = min(len(_checks()), plan.studies)
    simulated = f"simulated lumbar studies of the seed of benchmark {BENCHMARK}, {checked} of them checked by its table"
    tested = "a set in RSNA 2024 layout" if plan.test else simulated
    sizes = "the smaller networks and pictures of `papers/small.yaml`" if plan.small else "the papers' sizes"
    return (
        f"The papers' methods are trained on {trained}, with {sizes}; the default is the packs as shipped.",
        f"Tested on {tested}, in the layout of the competition; the papers' methods are told what each series is.",
    )


def _stage1(plan: Plan) -> Path | None:
    return plan.runs / STAGE_1 if STAGE_1 in plan.names else None


def _predictions(plan: Plan, name: str) -> Path:
    return plan.runs / "predictions" / f"{name}.csv"


def _notes(plan: Plan, name: str) -> Path:
    return plan.runs / "predictions" / f"{name}.json"


def main() -> None:
    """Parse the command line, compare, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--runs", type=Path, default=Path("runs/comparison"), help="where everything is kept")
    parser.add_argument("--methods", nargs="+", choices=[*ENTRIES, *ABLATIONS, DEFAULT], default=[*ENTRIES, DEFAULT])
    parser.add_argument("--ablations", action="store_true", help="also paper 3's binary loss and paper 5's ablations")
    parser.add_argument("--data", type=Path, help="a set in RSNA 2024 layout to train on; simulation without it")
    parser.add_argument("--test", type=Path, help="a set in RSNA 2024 layout to test on; the benchmark without it")
    parser.add_argument("--studies", type=int, default=STUDIES, help="simulated test studies")
    parser.add_argument("--scale", type=float, default=1.0, help="share of the simulated training studies")
    parser.add_argument("--small", action="store_true", help="smaller networks and pictures, for a CPU")
    parser.add_argument("--packs", type=Path, help="folder of packs; the shipped ones if not given")
    parser.add_argument("--jobs", type=int, default=2, help="processes that simulate and prepare")
    parser.add_argument("--accelerator", default="auto", help="cpu, cuda, or auto")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    given = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    names = list(dict.fromkeys([*given.methods, *(ABLATIONS if given.ablations else ())]))
    plan = Plan(
        runs=given.runs,
        names=names,
        data=given.data,
        test=given.test,
        studies=given.studies,
        scale=given.scale,
        small=given.small,
        jobs=given.jobs,
        accelerator=given.accelerator,
        packs=given.packs,
    )
    text = compare(plan)
    if given.output:
        write_bytes(given.output, text.encode())
    print(text)  # noqa: T201  the command's answer


if __name__ == "__main__":
    main()

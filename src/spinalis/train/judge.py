"""Judge packs: on real patients kept out of training, and on a simulated set. Writes `docs/results.md`."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path

import numpy as np

from spinalis.evaluate import levels as level_measures
from spinalis.evaluate import metrics, rsna
from spinalis.evaluate.metrics import IntArray
from spinalis.evaluate.tables import Table, number, percent, share_of_most_frequent, share_right
from spinalis.geometry import to_patient
from spinalis.models import Pack, load_packs, select
from spinalis.pipeline import read_study
from spinalis.records import FloatArray, Graded, Reading, SeriesLabel
from spinalis.simulate.benchmark import benchmark_studies, recipe
from spinalis.simulate.study import SimulatedStudy
from spinalis.train import coverage, judge_real
from spinalis.train.data import open_images
from spinalis.train.judge_real import HEADS
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES

BENCHMARK = "v1"
"""The benchmark set that packs are judged on."""

JUDGED_SEED, _ = recipe(BENCHMARK)
"""Its seed, used for nothing else."""

JUDGED_STUDIES = 50
"""The first so many studies of the set, all lumbar, are read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """A simulated study and its reading."""

    simulated: SimulatedStudy
    reading: Reading


def read_simulated(packs: tuple[Pack, ...], studies: int) -> tuple[Judged, ...]:
    """Read the first lumbar studies of the benchmark set end to end, headers and all.

    Raises:
        SimulationError: a study differs from the one of the set.
    """
    found = []
    for simulated in islice(benchmark_studies(BENCHMARK), studies):
        reading = replace(read_study(simulated.study, packs), study=simulated.study)
        found.append(Judged(simulated=simulated, reading=reading))
    return tuple(found)


def simulated_triage_table(judged: Sequence[Judged]) -> Table:
    """Series and slices labelled right, per head."""
    series: dict[str, list[tuple[bool, str]]] = {head: [] for head in HEADS}
    slices: dict[str, list[tuple[bool, str]]] = {head: [] for head in (*HEADS, "cord")}
    for item in judged:
        labels: Mapping[str, SeriesLabel] = {label.series_key: label for label in item.reading.series}
        for truth in item.simulated.series:
            label = labels[truth.series.key]
            for head in HEADS:
                word = str(getattr(truth, head))
                series[head].append((str(getattr(label, head).label) == word, word))
                slices[head] += [(str(getattr(found, head).label) == word, word) for found in label.slices]
            slices["cord"] += [
                ((found.cord > 0.5) == truth.cord[found.index], str(truth.cord[found.index])) for found in label.slices
            ]
    rows = [
        (
            head,
            share_right(series.get(head, [])),
            share_right(slices[head]),
            share_of_most_frequent(slices[head]),
        )
        for head in (*HEADS, "cord")
    ]
    return Table(
        title=f"Triage on {len(judged)} simulated studies of benchmark {BENCHMARK}",
        columns=("head", "series right (fused)", "slices right (pixels alone)", "no skill (slices)"),
        rows=tuple(rows),
        notes=(
            "Simulated lumbar studies with headers; every series is MR spine and lumbar, so those floors are 100 %. "
            "Cord: in sight of the neighbours.",
        ),
    )


def simulated_levels(judged: Sequence[Judged]) -> tuple[level_measures.LevelAgreement, level_measures.LevelAgreement]:
    """Levels in millimetres against the truth, and the no-skill answer: the mean offset from the stack's middle."""
    truth = np.array([[item.simulated.truth.levels[level] for level in LEVELS] for item in judged], float)
    found = np.full_like(truth, np.nan)
    for row, item in enumerate(judged):
        for mark in item.reading.levels:
            if mark.point_lps_mm is not None:
                found[row, LEVELS.index(mark.level)] = mark.point_lps_mm
    middle = np.array([middle_lps_mm(item.simulated) for item in judged])[:, None]
    guess = middle + (truth - middle).mean(axis=0)
    ones = np.ones(len(judged))
    return level_measures.judge(found, truth, ones), level_measures.judge(guess, truth, ones)


def middle_lps_mm(simulated: SimulatedStudy) -> FloatArray:
    """(3,) the middle of the first sagittal stack, where levels are guessed from without a look."""
    stacks = [item.series for item in simulated.series if item.plane.value == "sagittal"]
    series = next(stack for stack in stacks if len(stack.slices) > 5)  # not the localizer
    plane = series.slices[len(series.slices) // 2].plane
    if plane is None:
        raise ValueError("Simulated study: expected slices with positions, got none.")
    return np.asarray(to_patient(plane, (series.rows - 1) / 2, (series.columns - 1) / 2))


def grades(judged: Sequence[Judged]) -> tuple[IntArray, FloatArray]:
    """Truth (S, 5 conditions, 5 levels) in 0..2 and probabilities (S, 5, 5, 3), uniform where not assessed."""
    shape = (len(judged), len(CONDITIONS), len(LEVELS))
    truth, probabilities = np.zeros(shape, np.int64), np.full((*shape, 3), 1 / 3)
    for row, item in enumerate(judged):
        for finding in item.reading.findings:
            place = (row, CONDITIONS.index(finding.condition), LEVELS.index(finding.level))
            truth[place] = SEVERITIES.index(item.simulated.truth.grades[finding.condition, finding.level])
            if isinstance(finding.result, Graded):
                probabilities[place] = finding.result.probabilities
    return truth, probabilities / probabilities.sum(axis=-1, keepdims=True)


def calls(judged: Sequence[Judged]) -> IntArray:
    """Grades (S, 5 conditions, 5 levels) as called, 0..2; normal/mild where not assessed."""
    found = np.zeros((len(judged), len(CONDITIONS), len(LEVELS)), np.int64)
    for row, item in enumerate(judged):
        for finding in item.reading.findings:
            if isinstance(finding.result, Graded):
                place = (row, CONDITIONS.index(finding.condition), LEVELS.index(finding.level))
                found[place] = SEVERITIES.index(finding.result.severity)
    return found


def grade_rows(
    truth: IntArray, probabilities: FloatArray, called: IntArray | None = None
) -> dict[str, tuple[str, ...]]:
    """Per output: recall of each grade, balanced accuracy, AUC for severe (and within level), kappa, calibration.

    `called` are the grades as called; None calls the likeliest.
    """
    called = probabilities.argmax(axis=-1) if called is None else called
    rows: dict[str, tuple[str, ...]] = {}
    for name, conditions in rsna.GROUPS:
        chosen = [CONDITIONS.index(condition) for condition in conditions]
        labels, answers = truth[:, chosen].ravel(), probabilities[:, chosen].reshape(-1, 3)
        level = np.broadcast_to(np.arange(len(LEVELS)), truth[:, chosen].shape).ravel()
        confusion = metrics.confusion_matrix(labels, called[:, chosen].ravel(), 3)
        recall = metrics.recall_per_class(confusion)
        studies = np.repeat(np.arange(len(truth)), labels.size // len(truth))
        interval = metrics.bootstrap_interval(partial(_severe_auc, labels, answers), studies, repeats=300)
        auc = metrics.roc_auc(labels == 2, answers[:, 2])
        within = [metrics.roc_auc(labels[level == k] == 2, answers[level == k, 2]) for k in range(len(LEVELS))]
        known = [value for value in within if value is not None]
        bounds = f" ({interval[0]:.3f}–{interval[1]:.3f})" if interval else ""
        rows[name] = (
            f"{len(labels)} ({np.bincount(labels, minlength=3)[0]}/{(labels == 1).sum()}/{(labels == 2).sum()})",
            " / ".join(number(float(value), 2) for value in recall),
            number(metrics.balanced_accuracy(confusion), 2),
            number(auc) + bounds,
            number(float(np.mean(known)) if known else None),
            number(metrics.quadratic_weighted_kappa(confusion), 2),
            number(metrics.expected_calibration_error(labels, answers), 3),
        )
    return rows


def _severe_auc(labels: IntArray, answers: FloatArray, index: IntArray) -> float | None:
    return metrics.roc_auc(labels[index] == 2, answers[index, 2])


def grade_table(truth: IntArray, probabilities: FloatArray, called: IntArray | None = None) -> Table:
    """The grader beside its level-only and always-normal rows."""
    by_level = np.zeros_like(probabilities)
    for _, conditions in rsna.GROUPS:
        chosen = [CONDITIONS.index(condition) for condition in conditions]
        for level in range(len(LEVELS)):
            by_level[:, chosen, level] = metrics.prior(truth[:, chosen, level].ravel(), 3)
    rows = []
    for name, cells in grade_rows(truth, probabilities, called).items():
        rows.append((name, *cells))
        rows.append((f"{name}, level alone (no skill)", *grade_rows(truth, by_level)[name]))
    return Table(
        title=f"Grades on {len(truth)} simulated studies of benchmark {BENCHMARK}",
        columns=(
            "output",
            "n (normal/moderate/severe)",
            "recall normal/moderate/severe",
            "balanced accuracy",
            "AUC severe (95 %)",
            "within level",
            "kappa",
            "calibration error",
        ),
        rows=tuple(rows),
        notes=(
            "Simulated only: such figures say nothing about real patients. End to end: series, levels and crops are "
            "the pipeline's own. Intervals by bootstrap over studies. The level-only row knows these studies' own "
            "prevalences and calls the likeliest grade; the pack calls at its operating points.",
        ),
    )


def rsna_table(truth: IntArray, probabilities: FloatArray) -> Table:
    """The RSNA 2024 score beside its floors; lower is better."""
    floors = rsna.floors(truth)
    scores = (
        ("packs", rsna.score(truth, rsna.weighted(probabilities))),
        ("uniform (no skill)", floors.uniform),
        ("constant weighted prior (no skill)", floors.constant),
        ("per-level weighted prior (no skill)", floors.per_level),
    )
    rows = tuple(
        (name, *[number(value) for value in (s.mean, s.canal, s.foraminal, s.subarticular, s.any_severe_spinal)])
        for name, s in scores
    )
    return Table(
        title="RSNA 2024 score on the same simulated studies (lower is better)",
        columns=("answers", "score", "canal", "foraminal", "subarticular", "any severe canal"),
        rows=rows,
    )


def simulated_levels_table(judged: Sequence[Judged]) -> Table:
    """Levels on simulated studies, beside the no-skill row."""
    rows = []
    for name, result in zip(("packs", "no skill (mean place in the stack)"), simulated_levels(judged), strict=True):
        rows.append(
            (
                name,
                percent(result.all_right),
                percent(result.missing),
                number(result.median_percent, 1),
                number(result.median_mm, 1),
            )
        )
    return Table(
        title=f"Levels on {len(judged)} simulated studies of benchmark {BENCHMARK}",
        columns=("answers", "all five right", "points missing", "median error, % of pitch", "median error, mm"),
        rows=tuple(rows),
    )


def tables(packs: tuple[Pack, ...], root: Path | None, studies: int = JUDGED_STUDIES) -> tuple[Table, ...]:
    """Every table of `docs/results.md`, in order; the real ones only where the real images are at hand."""
    found: list[Table] = []
    if root is not None:
        found.append(judge_real.levels_table(judge_real.real_levels(root, select(packs, "localize"))))
        found.append(judge_real.dicom_table(root, packs))
        found.append(judge_real.triage_table(root, select(packs, "triage")))
        found.append(judge_real.series_table(root, packs))
    judged = read_simulated(packs, studies)
    truth, probabilities = grades(judged)
    found += [simulated_triage_table(judged), simulated_levels_table(judged)]
    found += [grade_table(truth, probabilities, calls(judged)), rsna_table(truth, probabilities)]
    found += coverage.tables(truth, probabilities, select(packs, "grade").manifest)
    return tuple(found)


def main() -> None:
    """Print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, help="folder of the open real images (see docs/data.md)")
    parser.add_argument("--packs", type=Path, help="folder of packs; the shipped ones if not given")
    parser.add_argument("--studies", type=int, default=JUDGED_STUDIES, help="simulated studies to read")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    given = parser.parse_args()
    packs = load_packs(given.packs)
    made = tables(packs, open_images.find_root(given.data), given.studies)
    versions = ", ".join(f"{pack.info.name} {pack.info.version}" for pack in packs)
    text = "\n".join(
        [
            "# Results",
            "",
            f"Made by `make tables` with the packs {versions}. Research use only.",
            "",
            *[table.to_markdown() for table in made],
        ]
    )
    if given.output:
        given.output.write_text(text)
    print(text)  # noqa: T201  the command's answer


if __name__ == "__main__":
    main()

"""Judge packs trained on simulation alone on every real image with labels.

`python -m spinalis.train.transfer --packs DIR -o table.md`

Nothing real was trained on, so every real patient may be judged. SPIDER's training and validation patients stand in
rows of their own, named development and report: whoever mends the simulator looks at the former only.
"""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import RecipeError
from spinalis.evaluate import levels as level_measures
from spinalis.evaluate import metrics
from spinalis.evaluate.metrics import IntArray, Share
from spinalis.evaluate.tables import UNDEFINED, Table, number, percent, share_of_most_frequent, share_right
from spinalis.localize import locate
from spinalis.models import Pack, load_packs
from spinalis.models.prepare import fit_matrix, prepare
from spinalis.records import FloatArray, Image
from spinalis.train.data import open_images, slabs, spider
from spinalis.train.data.real_slice import RealSlice, picture
from spinalis.triage.header import ANATOMIES, PLANES, REGIONS, SEQUENCES
from spinalis.vocabulary import LEVELS
from spinalis.vocabulary import Sequence as Contrast

SUBSETS: Mapping[str, str] = {"training": "development", "validation": "report"}
"""What a subset of patients serves for here."""

HEADS: Mapping[str, tuple[object, ...]] = {
    "anatomy": ANATOMIES,
    "region": REGIONS,
    "plane": PLANES,
    "sequence": SEQUENCES,
}
BATCH = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelCase:
    """A real picture with its five points (5, 2), (x, y) in its pixels."""

    image: Image
    points: FloatArray
    contrast: str
    subset: str


def level_cases(root: Path) -> tuple[LevelCase, ...]:
    """Every real slice with level points: SPIDER's mid-sagittal T2w and T1w, and the SPACE slabs by their masks."""
    cases = []
    for item in spider.read(root):
        if item.points is not None:
            image = item.load()
            points = item.points * np.array(image.shape[::-1], float) - 0.5
            contrast = "T2w SPACE" if item.space else item.sequence.value
            cases.append(LevelCase(image=image, points=points, contrast=contrast, subset=item.subset))
    for one in slabs.read(root):
        found = slabs.level_points(one.load_mask()) if one.midline_mm == 0 else None
        if found is not None:
            cases.append(LevelCase(image=one.load(), points=found, contrast="T2w SPACE", subset=one.subset))
    return tuple(cases)


def levels_table(cases: Sequence[LevelCase], pack: Pack) -> Table:
    """Levels by contrast and subset, each beside the mean position of the development patients."""
    relative = np.array([(case.points + 0.5) / case.image.shape[::-1] for case in cases])
    development = np.array([case.subset == "training" for case in cases])
    mean = level_measures.mean_position(relative[development])
    found = np.array([_located(case.image, pack) for case in cases])
    rows = []
    for contrast in dict.fromkeys(case.contrast for case in cases):
        for subset, purpose in SUBSETS.items():
            chosen = [i for i, case in enumerate(cases) if (case.contrast, case.subset) == (contrast, subset)]
            if chosen:
                truth = np.stack([cases[i].points for i in chosen])
                sizes = np.array([cases[i].image.shape[::-1] for i in chosen], float)[:, None]
                rows.append(_level_row(f"{contrast}, {purpose}", level_measures.judge(found[chosen], truth)))
                no_skill = level_measures.judge(mean * sizes - 0.5, truth)
                rows.append(_level_row(f"{contrast}, {purpose}: no skill (mean position)", no_skill))
    return Table(
        title="Levels on real slices, trained on simulation alone",
        columns=(
            "slices",
            "all five right",
            "one level off",
            "further off",
            "points missing",
            "median error, % of pitch",
        ),
        rows=tuple(rows),
        notes=(
            "One slice per patient and contrast. Right: below half the pitch along the spine; 95 % Wilson intervals. "
            "SPACE points come from the slabs' masks, the lowest disc taken for L5/S1.",
            "About 5 % of the patients have a transitional junction, where readers disagree.",
        ),
    )


def _located(image: Image, pack: Pack) -> FloatArray:
    points = np.full((len(LEVELS), 2), np.nan)
    for mark in locate(picture(image), pack):
        points[LEVELS.index(mark.level)] = (mark.location.column, mark.location.row)
    return points


def _level_row(name: str, found: level_measures.LevelAgreement) -> tuple[str, ...]:
    return (
        name,
        percent(found.all_right),
        percent(found.shifted_one),
        percent(found.shifted_more),
        percent(found.missing),
        number(found.median_percent, 1),
    )


def probabilities(images: Sequence[Image], pack: Pack) -> dict[str, NDArray[np.float64]]:
    """What the triage pack says of single pictures in conventional display, calibrated.

    Returns:
        Head -> (N, classes), rows sum to 1; `cord` -> (N,).
    """
    spec = pack.manifest.input("images")
    parts: dict[str, list[FloatArray]] = {}
    for start in range(0, len(images), BATCH):
        batch = np.stack(
            [prepare(image, fit_matrix(image.shape, spec), spec) for image in images[start : start + BATCH]]
        )
        answers = pack.run(images=batch)
        for name in (*HEADS, "cord"):
            parts.setdefault(name, []).append(np.asarray(answers[name], float))
    temperatures = pack.manifest.setting("temperature")
    found = {}
    for name, batches in parts.items():
        scaled = np.concatenate(batches) / temperatures.get(name, 1.0)
        if name == "cord":
            found[name] = 1.0 / (1.0 + np.exp(-scaled[:, 0]))
        else:
            likelihood = np.exp(scaled - scaled.max(axis=1, keepdims=True))
            found[name] = likelihood / likelihood.sum(axis=1, keepdims=True)
    return found


def real_slices(root: Path) -> list[RealSlice]:
    """Every real slice with triage labels."""
    return [item for subset in SUBSETS for item in open_images.read(root, subset)]


def triage_table(slices: Sequence[RealSlice], said: Mapping[str, NDArray[np.float64]]) -> Table:
    """Slices labelled right by head and source, cord found where it is known to be in view."""
    names = [_source(item) for item in slices]
    rows = []
    for source in dict.fromkeys(names):
        chosen = [i for i, name in enumerate(names) if name == source]
        rows.append(
            (source, *[share_right(_hits(slices, said, head, chosen)) for head in HEADS], _cord(slices, said, chosen))
        )
    everyone = range(len(slices))
    pooled = {head: _hits(slices, said, head, everyone) for head in HEADS}
    rows.append(("all, pooled by slice", *map(share_right, pooled.values()), _cord(slices, said, everyone)))
    rows.append(("all, mean over patients", *[_by_patient(slices, said, head) for head in HEADS], UNDEFINED))
    rows.append(("no skill (most frequent class)", *map(share_of_most_frequent, pooled.values()), UNDEFINED))
    return Table(
        title="Triage of single real slices, trained on simulation alone",
        columns=("source", *HEADS, "cord found"),
        rows=tuple(rows),
        notes=(
            "From pixels alone. Slices of one series are alike: read the sources, not the pooled interval.",
            "Cord: slices known to show it; no source at hand is labelled as free of it, so there is no AUC.",
        ),
    )


def _source(item: RealSlice) -> str:
    lumbar = item.patient.startswith("spider-")
    return f"{item.source}, {SUBSETS[item.subset]}" if lumbar else item.source


def _hits(
    slices: Sequence[RealSlice], said: Mapping[str, NDArray[np.float64]], head: str, chosen: Iterable[int]
) -> list[tuple[bool, str]]:
    found = []
    for i in chosen:
        truth = getattr(slices[i].labels, head)
        if truth is not None:
            found.append((HEADS[head][int(said[head][i].argmax())] is truth, str(truth)))
    return found


def _by_patient(slices: Sequence[RealSlice], said: Mapping[str, NDArray[np.float64]], head: str) -> str:
    """Share of right slices, each patient counting once."""
    shares = []
    for patient in dict.fromkeys(item.patient for item in slices):
        hits = _hits(slices, said, head, [i for i, item in enumerate(slices) if item.patient == patient])
        if hits:
            shares.append(np.mean([hit for hit, _ in hits]))
    return f"{100 * np.mean(shares):.1f} % ({len(shares)} patients)" if shares else UNDEFINED


def _cord(slices: Sequence[RealSlice], said: Mapping[str, NDArray[np.float64]], chosen: Iterable[int]) -> str:
    found = [bool(said["cord"][i] > 0.5) for i in chosen if slices[i].labels.cord]
    return percent(Share(count=sum(found), total=len(found))) if found else UNDEFINED


def contrast_table(slices: Sequence[RealSlice], said: Mapping[str, NDArray[np.float64]]) -> Table:
    """T1w against T2w among the spine slices that are one of both, each patient's slices drawn together."""
    classes = [SEQUENCES.index(Contrast.T1W), SEQUENCES.index(Contrast.T2W)]
    names = [_source(item) for item in slices]
    groups = {
        f"SPIDER, {purpose}": [n for n in dict.fromkeys(names) if n.endswith(f", {purpose}")]
        for purpose in SUBSETS.values()
    }
    groups["all spine sources"] = list(dict.fromkeys(names))
    rows = []
    for title, sources in groups.items():
        chosen = [
            i
            for i, item in enumerate(slices)
            if names[i] in sources
            and item.labels.region is not None
            and item.labels.sequence in (Contrast.T1W, Contrast.T2W)
        ]
        if chosen:
            t1w = np.array([slices[i].labels.sequence is Contrast.T1W for i in chosen])
            both = said["sequence"][chosen][:, classes]
            rows.append((title, *_contrast_cells(t1w, both, [slices[i].patient for i in chosen])))
    return Table(
        title="T1w against T2w on real spine slices, trained on simulation alone",
        columns=("source", "T1w right", "T2w right", "balanced", "AUC (95 %)"),
        rows=tuple(rows),
        notes=(
            "The likelier of the two, whatever the other classes say; the no-skill answer is .500 in the last two "
            "columns. Interval by bootstrap over patients.",
        ),
    )


def _contrast_cells(t1w: NDArray[np.bool_], both: FloatArray, patients: Sequence[str]) -> tuple[str, ...]:
    said_t1w = both[:, 0] > both[:, 1]
    score = np.log(both[:, 0] + 1e-9) - np.log(both[:, 1] + 1e-9)
    shares = [Share(count=int(said_t1w[t1w].sum()), total=int(t1w.sum()))]
    shares.append(Share(count=int((~said_t1w[~t1w]).sum()), total=int((~t1w).sum())))
    values = [share.value for share in shares if share.value is not None]
    interval = metrics.bootstrap_interval(partial(_auc, t1w, score), np.array(patients), repeats=300)
    bounds = f" ({interval[0]:.3f}–{interval[1]:.3f})" if interval else ""
    return (
        *map(percent, shares),
        number(float(np.mean(values)) if len(values) == 2 else None),
        number(metrics.roc_auc(t1w, score)) + bounds,
    )


def _auc(positive: NDArray[np.bool_], scores: FloatArray, index: IntArray) -> float | None:
    return metrics.roc_auc(positive[index], scores[index])


def refuse_real(packs: Iterable[Pack]) -> None:
    """Refuse packs that saw a real picture in training: their figures here would be no transfer.

    Raises:
        RecipeError: a pack's training data name anything but simulated studies.
    """
    for pack in packs:
        real = [name for name in pack.manifest.training_data if "simulated studies" not in name]
        if real or not pack.manifest.training_data:
            raise RecipeError(
                f"Pack {pack.manifest.name}: expected training on simulated studies alone, got "
                f"{'; '.join(real) or 'no word on its training data'}. "
                "Train it with python -m spinalis.train.packs --simulation-only."
            )


def tables(packs: Sequence[Pack], root: Path) -> tuple[Table, ...]:
    """The tables of whatever packs are given: `levels` for a localizer, the others for a triage pack.

    Raises:
        RecipeError: a pack saw real pictures, or there is neither a localizer nor a triage pack.
    """
    by_task = {pack.manifest.task: pack for pack in packs if pack.manifest.task in ("localize", "triage")}
    refuse_real(by_task.values())
    if not by_task:
        raise RecipeError("Packs: expected a levels or a triage pack, got neither. Name the folder that holds them.")
    found = []
    if "localize" in by_task:
        found.append(levels_table(level_cases(root), by_task["localize"]))
    if "triage" in by_task:
        slices = real_slices(root)
        said = probabilities([item.image for item in slices], by_task["triage"])
        found += [contrast_table(slices, said), triage_table(slices, said)]
    return tuple(found)


def main() -> None:
    """Print the tables, and write them where asked."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--packs", type=Path, required=True, help="folder of packs trained on simulation alone")
    parser.add_argument("--data", type=Path, help="folder of the open real images")
    parser.add_argument("--title", default="Transfer of simulation-only packs", help="heading of the page")
    parser.add_argument("-o", "--output", type=Path, help="Markdown file to write")
    given = parser.parse_args()
    root = open_images.find_root(given.data)
    if root is None:
        parser.error(f"real images: expected a folder, found none. Give --data or set {open_images.ENVIRONMENT}.")
    made = tables(load_packs(given.packs, threads=1), root)
    text = "\n".join([f"# {given.title}", "", *[table.to_markdown() for table in made]])
    if given.output:
        given.output.write_text(text, encoding="utf-8")
    print(text)  # noqa: T201  the command's answer


if __name__ == "__main__":
    main()

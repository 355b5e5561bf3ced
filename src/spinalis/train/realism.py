"""How well a small network tells simulated pictures from real ones: `python -m spinalis.train.realism -o DIR`.

Both sides go through the same window, resampling, percentiles, bytes and random border crops, so that the format of a
file decides nothing. Patients (and simulated studies) are held out fold by fold. An AUC of .5 means that the two
cannot be told apart; the blurred pictures keep anatomy and large contrasts only, so a network that tells the sharp
ones but not the blurred ones goes by texture, noise and edges.
"""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinalis.evaluate import metrics
from spinalis.evaluate.metrics import BoolArray, IntArray
from spinalis.evaluate.tables import UNDEFINED, Table, number
from spinalis.models.prepare import resample
from spinalis.records import FloatArray, Image
from spinalis.train.data import open_images
from spinalis.train.data.categories import (
    CATEGORIES,
    PITCH_MM,
    Shown,
    mm_per_pixel,
    real_pictures,
    simulated_pictures,
    stretched,
)
from spinalis.train.fit import FitOptions, Sample, fit

Bytes = NDArray[np.uint8]

WINDOW_MM = (190.0, 95.0)
"""Height and width of the window around the levels: what nearly every sagittal picture shows, so that its field of
view decides nothing."""

WINDOW_PIXELS, SEEN_PIXELS = (144, 72), (128, 64)
"""The kept window and the part of it that the network sees at a time, (rows, columns)."""

CROP_PIXELS, CROP_SEEN = (72, 72), (64, 64)
"""The same for crops of 50 mm: .7 mm, about what both sides resolve."""

BLURS: Mapping[str, float] = {"sharp": 0.0, "blurred": 2.0}
"""Standard deviation in pixels of the blur before the network."""

FOLDS = 2
LEAST_PATIENTS = 6
"""Fewer real patients are not measured."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Specimen:
    """A picture as the network gets it, bytes; `group` is its patient or simulated study."""

    pixels: Bytes
    real: bool
    group: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Out of fold, by specimen: `scores` (N,), larger means more real; `maps` (N, rows, columns), the same by place."""

    scores: FloatArray
    maps: Image


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """How long to train a network."""

    steps: int = 250
    batch: int = 32
    learning_rate: float = 3e-3
    seed: int = 1


class Judge(nn.Module):
    """Four convolutions, the mean over places, one number: its terms by place are the class-activation map."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for inputs, outputs, stride in ((1, 16, 2), (16, 32, 2), (32, 64, 2), (64, 64, 1)):
            layers += [nn.Conv2d(inputs, outputs, 3, stride, 1), nn.GroupNorm(8, outputs), nn.ReLU()]
        self.features = nn.Sequential(*layers)
        self.head = nn.Conv2d(64, 1, 1)

    def forward(self, images: Tensor) -> Tensor:
        """(N, 1, H, W) -> evidence for real by place, (N, H / 8, W / 8); its mean is the logit."""
        evidence: Tensor = self.head(self.features(images))[:, 0]
        return evidence


def specimen(picture: Shown, real: bool, *, crop: bool) -> Specimen | None:
    """Put a picture through what both sides go through; None where its levels are unknown."""
    if crop:
        window = cv2.resize(picture.image, CROP_PIXELS[::-1], interpolation=cv2.INTER_AREA)
    elif picture.points is None:
        return None
    else:
        window = _window(picture.image, picture.points)
    return Specimen(pixels=stretched(np.asarray(window, np.float32), (1.0, 99.0)), real=real, group=picture.patient)


def _window(image: Image, points: FloatArray) -> Image:
    """`WINDOW_MM` around the levels; millimetres by their pitch, the same rule for both sides."""
    scale = mm_per_pixel(points) * WINDOW_PIXELS[0] / WINDOW_MM[0]
    x, y = points.mean(axis=0)
    centre = (np.array(WINDOW_PIXELS) - 1) / 2
    matrix = np.array([[scale, 0.0, centre[1] - scale * x], [0.0, scale, centre[0] - scale * y]])
    return resample(image, matrix, WINDOW_PIXELS)


def judged(specimens: Sequence[Specimen], blur: float, schedule: Schedule) -> Verdict:
    """Train on all folds but one and judge that one, for every fold; groups stay whole."""
    fold_of = _folds(specimens)
    scores = np.zeros(len(specimens))
    maps = np.zeros((len(specimens), *specimens[0].pixels.shape), np.float32)
    for fold in range(FOLDS):
        kept = [item for item, where in zip(specimens, fold_of, strict=True) if where != fold]
        network = _trained(kept, blur, schedule)
        for row in np.flatnonzero(fold_of == fold).tolist():
            maps[row] = _evidence(network, specimens[row].pixels, blur)
            scores[row] = maps[row].mean()
    return Verdict(scores=scores, maps=maps)


def _folds(specimens: Sequence[Specimen]) -> IntArray:
    """The fold of each specimen: groups of either side are dealt out in turn."""
    dealt: dict[tuple[bool, str], int] = {}
    for side in (True, False):
        for turn, group in enumerate(dict.fromkeys(item.group for item in specimens if item.real is side)):
            dealt[side, group] = turn % FOLDS
    return np.array([dealt[item.real, item.group] for item in specimens], np.int64)


def _trained(specimens: Sequence[Specimen], blur: float, schedule: Schedule) -> Judge:
    sides = [[_blurred(item.pixels, blur) for item in specimens if item.real is side] for side in (False, True)]
    seen = SEEN_PIXELS if specimens[0].pixels.shape == WINDOW_PIXELS else CROP_SEEN

    def draw(rng: np.random.Generator) -> Sample:
        real = int(rng.integers(2))
        picture = sides[real][int(rng.integers(len(sides[real])))]
        top, left = (int(rng.integers(0, whole - part + 1)) for whole, part in zip(picture.shape, seen, strict=True))
        cut = picture[top : top + seen[0], left : left + seen[1]]
        image = cut ** np.float32(np.exp(rng.uniform(-0.2, 0.2)))
        return {"images": image[None], "real": np.asarray(real, np.float32)}

    def loss(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        logits = network(batch["images"]).mean(dim=(1, 2))
        return nn.functional.binary_cross_entropy_with_logits(logits, batch["real"])

    torch.manual_seed(schedule.seed)
    network = Judge()
    options = FitOptions(
        steps=schedule.steps,
        batch=schedule.batch,
        learning_rate=schedule.learning_rate,
        seed=schedule.seed,
        workers=0,
        checkpoint_every=schedule.steps,
    )
    with TemporaryDirectory() as folder:
        fit(network, draw, loss, options, Path(folder) / "judge")
    return network


def _blurred(pixels: Bytes, blur: float) -> Image:
    """Bytes -> 0..1, blurred, and in whole bytes again."""
    smooth = cv2.GaussianBlur(pixels, (0, 0), blur) if blur else pixels
    return np.asarray(smooth / np.float32(255), np.float32)


def _evidence(network: Judge, pixels: Bytes, blur: float) -> Image:
    with torch.inference_mode():
        found = network(torch.from_numpy(_blurred(pixels, blur))[None, None])[0].numpy().astype(np.float32)
    return np.asarray(cv2.resize(found, pixels.shape[::-1], interpolation=cv2.INTER_LINEAR), np.float32)


def auc_cell(specimens: Sequence[Specimen], verdict: Verdict) -> str:
    """AUC with its interval by bootstrap over patients and studies."""
    real = np.array([item.real for item in specimens])
    groups = np.array([f"{item.real} {item.group}" for item in specimens])
    interval = metrics.bootstrap_interval(partial(_auc, real, verdict.scores), groups, repeats=300)
    bounds = f" ({interval[0]:.2f}–{interval[1]:.2f})" if interval else ""
    return number(metrics.roc_auc(real, verdict.scores), 2) + bounds


def _auc(real: BoolArray, scores: FloatArray, index: IntArray) -> float | None:
    return metrics.roc_auc(real[index], scores[index])


def halves_of(specimens: Sequence[Specimen]) -> list[Specimen]:
    """The real ones alone, every second patient passed off as simulated: what no difference looks like."""
    real = [item for item in specimens if item.real]
    patients = list(dict.fromkeys(item.group for item in real))
    return [
        Specimen(pixels=item.pixels, real=(patients.index(item.group) // FOLDS) % 2 == 0, group=item.group)
        for item in real
    ]


def overlay(specimens: Sequence[Specimen], verdict: Verdict, columns: int = 8) -> Bytes:
    """Where the network looks: simulated pictures above, real ones below; red says simulated, blue says real."""
    strength = float(np.quantile(np.abs(verdict.maps), 0.98)) + 1e-9
    rows = []
    for side in (False, True):
        chosen = [i for i, item in enumerate(specimens) if item.real is side][:columns]
        tiles = [_tinted(specimens[i].pixels, verdict.maps[i] / strength) for i in chosen]
        tiles += [np.zeros_like(tiles[0])] * (columns - len(tiles))
        rows.append(np.hstack(tiles))
    return np.asarray(np.vstack(rows), np.uint8)


def _tinted(pixels: Bytes, evidence: Image) -> Bytes:
    """Blue, green, red; the picture twice its size."""
    grey = np.repeat(pixels[..., None].astype(np.float32), 3, axis=2)
    weight = np.clip(np.abs(evidence), 0, 1)[..., None] * 0.6
    colour = np.where(evidence[..., None] < 0, (0, 0, 255), (255, 0, 0))
    mixed = np.clip(grey * (1 - weight) + colour * weight, 0, 255).astype(np.uint8)
    return np.asarray(cv2.resize(mixed, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR), np.uint8)


def specimens_of(root: Path, studies: int, seed: int) -> dict[str, list[Specimen]]:
    """Category -> specimens of both sides; SPIDER's training patients only, since the simulator is mended by this."""
    chosen = [item for item in CATEGORIES if item.real and item.real[0].startswith(("spider:", "slabs:"))]
    simulated = simulated_pictures(chosen, studies, seed, most_studies=2 * studies)
    found = {}
    for category in chosen:
        both = [(one, True) for one in real_pictures(category, root, "training")]
        both += [(one, False) for one in simulated[category.name]]
        made = [specimen(one, real, crop=category.crop) for one, real in both]
        found[category.name] = [item for item in made if item is not None]
    return found


def measure(by_category: Mapping[str, Sequence[Specimen]], schedule: Schedule, out: Path | None = None) -> Table:
    """The table, a row per category; with `out`, a picture per category of where the sharp network looks."""
    rows: list[tuple[str, ...]] = []
    titles = {item.name: item.title for item in CATEGORIES}
    largest = max(by_category, key=lambda name: sum(item.real for item in by_category[name]))
    for name, specimens in by_category.items():
        patients = len({item.group for item in specimens if item.real})
        studies = len({item.group for item in specimens if not item.real})
        counts = (titles.get(name, name), str(patients), str(studies))
        if min(patients, studies) < LEAST_PATIENTS:
            rows.append((*counts, UNDEFINED, UNDEFINED))
            continue
        verdicts = {blur: judged(specimens, sigma, schedule) for blur, sigma in BLURS.items()}
        rows.append((*counts, *[auc_cell(specimens, verdict) for verdict in verdicts.values()]))
        if out is not None:
            cv2.imwrite(str(out / f"{name}.png"), overlay(specimens, verdicts["sharp"]))
    halves = halves_of(by_category[largest])
    cells = [auc_cell(halves, judged(halves, sigma, schedule)) for sigma in BLURS.values()]
    either = [str(len({item.group for item in halves if item.real is side})) for side in (True, False)]
    rows.append((f"floor: {titles.get(largest, largest)}, real against real", *either, *cells))
    rows.append(("floor: chance", UNDEFINED, UNDEFINED, "0.50", "0.50"))
    return Table(
        title="Real against simulated, told by a small network (lower is better)",
        columns=("pictures", "real patients", "simulated studies", "AUC sharp (95 %)", "AUC blurred (95 %)"),
        rows=tuple(rows),
        notes=(
            f"Out of fold ({FOLDS} folds; patients and studies held out), SPIDER training patients. The same window of "
            f"{WINDOW_MM[0]:.0f} x {WINDOW_MM[1]:.0f} mm scaled by the pitch between levels ({PITCH_MM} mm), the same "
            f"resampling and bytes on both sides. Blurred: Gaussian of {BLURS['blurred']:.0f} pixels.",
            f"Kinds with fewer than {LEAST_PATIENTS} real patients are not measured.",
        ),
    )


def main() -> None:
    """Measure, print the table, write it and the pictures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("-o", "--out", type=Path, default=Path("out/realism"), help="folder of table and pictures")
    parser.add_argument("--data", type=Path, help="folder of the open real images")
    parser.add_argument("--studies", type=int, default=60, help="simulated studies")
    parser.add_argument("--steps", type=int, default=Schedule().steps, help="of each network")
    parser.add_argument("--seed", type=int, default=31, help="of the simulated studies")
    given = parser.parse_args()
    root = open_images.find_root(given.data)
    if root is None:
        parser.error(f"real images: expected a folder, found none. Give --data or set {open_images.ENVIRONMENT}.")
    given.out.mkdir(parents=True, exist_ok=True)
    found = specimens_of(root, given.studies, given.seed)
    text = measure(found, Schedule(steps=given.steps), given.out).to_markdown()
    (given.out / "realism.md").write_text(text, encoding="utf-8")
    print(text)  # noqa: T201  the command's answer


if __name__ == "__main__":
    main()

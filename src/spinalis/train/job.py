"""What every training run shares: where things are and how much to do, the simulated studies, what is exported."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from torch import Tensor, nn

from spinalis.models import Score
from spinalis.train import grade
from spinalis.train.data import resynthesized
from spinalis.train.data.simulated import Harvest, fingerprint, harvest
from spinalis.train.export import PackText, export_onnx, write_pack
from spinalis.train.fit import FitOptions
from spinalis.train.recipes import load

VERSION = "0.4.0"
TRAINING_SEED, CALIBRATION_SEED = 11, 12
"""Seeds of the simulated studies; that of the benchmark set, on which packs are judged, differs from both."""

STUDIES: Mapping[str, int] = {"lumbar-balanced": 240, "cervical": 150, "thoracic": 80, "whole": 20, "other": 130}
CALIBRATION_STUDIES: Mapping[str, int] = {"lumbar": 60, "cervical": 8, "thoracic": 8, "other": 16}

SIMULATED = "simulated studies by spinalis.simulate (no patient)"
LIMITS = (
    "Trained in part or wholly on simulated pictures; not validated on patients beyond the figures above.",
    "Transitional vertebrae, implants, tumours, infection and fractures were not studied.",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trained:
    """A trained network as it is exported, an example of its inputs, and what its pack says of itself."""

    network: nn.Module
    example: Mapping[str, Tensor]
    outputs: Sequence[str]
    text: PackText

    def export(self, folder: Path) -> None:
        """Write the pack: model, manifest, card.

        Raises:
            PackError: torch and ONNX Runtime answer differently.
        """
        export_onnx(self.network, self.example, self.outputs, folder / "model.onnx")
        write_pack(folder, self.text)


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """Where things are and how much to do. `scale` shrinks data and steps alike, for a quick trial.

    `jobs` processes work at once: they simulate or cut crops, or one trains and the others prepare its samples.

    `data` holds the open real images; a run of a task goes to `folder`, by default `runs/<task>`, and what it reads is
    kept in `runs/cache`. `redrawn_share` is the share of the real batches (levels) or of all batches (triage) that is
    real anatomy in other contrasts. `sources` are public sets that the triage trunk learns from besides: name (see
    `public_sets`) and path.
    """

    data: Path | None
    runs: Path
    out: Path
    jobs: int = 2
    scale: float = 1.0
    threads: int = 1
    accelerator: str = "auto"
    folder: Path | None = None
    redrawn_share: float = 0.0
    sources: Sequence[tuple[str, Path]] = ()

    def other_contrasts(self) -> Iterator[resynthesized.Resynthesized]:
        """Real anatomy in other contrasts; none where the job wants none."""
        if self.data and self.redrawn_share:
            yield from resynthesized.read(self.data, TRAINING_SEED)

    def recipe(self, name: str) -> dict[str, Any]:
        """A shipped recipe, its steps scaled where it counts steps and not epochs."""
        settings = load(name)
        counted = {"steps", "settled_steps"} & set(settings)
        return {**settings, **{name: max(4, round(settings[name] * self.scale)) for name in counted}}

    def run(self, name: str) -> Path:
        """The folder of a run: checkpoint and journal."""
        return self.folder or self.runs / name

    def options(self, recipe: Mapping[str, Any], examples: int) -> FitOptions:
        """Training options; the recipe, the number of examples and the harvest's fingerprint name the run."""
        crops = grade.input_spec(load("grade"))
        return FitOptions(
            steps=recipe["steps"],
            batch=recipe["batch"],
            learning_rate=recipe["learning_rate"],
            seed=recipe.get("seed", 1),
            precision=recipe.get("precision", "32-true"),
            processes=recipe.get("processes", 1),
            threads=self.threads,
            workers=max(1, self.jobs - 1),
            accelerator=self.accelerator,
            origin=repr((sorted(recipe.items()), examples, fingerprint(crops), *map(str, self.sources))),
        )

    def studies(self, profile: str, seed: int = TRAINING_SEED) -> list[Path]:
        """Harvested studies of a profile."""
        counts = CALIBRATION_STUDIES if seed == CALIBRATION_SEED else STUDIES
        wanted = Harvest(profile=profile, seed=seed, studies=max(2, round(counts[profile] * self.scale)))
        return harvest(wanted, self.runs / "cache", grade.input_spec(load("grade")), self.jobs)


def unjudged(output: str) -> Score:
    """Stands for the score of an output until it is judged."""
    return Score(output=output, on="simulation", figures="not judged yet")

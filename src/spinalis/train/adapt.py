"""Adapt the grader of a pack to a site's own graded studies, mixing in simulated ones so that nothing is forgotten."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from spinalis.errors import RecipeError
from spinalis.grade.grade import VIEWS_OF, slots_of
from spinalis.models import Pack
from spinalis.records import FloatArray
from spinalis.train import grade, operating
from spinalis.train.data import rsna
from spinalis.train.data.bags import UNLABELLED
from spinalis.train.data.simulated import Harvest, harvest
from spinalis.train.fit import Draw, Sample, fit
from spinalis.train.from_pack import freeze_statistics, load_grader
from spinalis.train.grade import Bags
from spinalis.train.grade_scores import judge_logits
from spinalis.train.job import LIMITS, SIMULATED, TRAINING_SEED, Job, Trained
from spinalis.train.networks.bag_grader import BagGrader
from spinalis.train.packs import grade_text, trained_grade

FEWEST_TO_CALIBRATE = 20
"""Studies from which calibration and operating points are fitted on their grades; below, the known prevalence serves.

About 100 canals, 200 foramina: some five severe canals, at the shares of `spinalis.prevalence`.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A site's bags, its studies' names in the order of `bags.studies`, and what was left out and why."""

    bags: Bags
    names: tuple[str, ...]
    simulated: bool
    left_out: str

    @property
    def on(self) -> str:
        """What its figures are proven on."""
        return "simulation" if self.simulated else "real"

    @property
    def what(self) -> str:
        """Its studies in words."""
        return f"{len(self.names)} {'simulated studies' if self.simulated else 'patients'} in RSNA 2024 layout"


def site(root: Path, pack: Pack, cache: Path, points: str, jobs: int) -> Site:
    """The bags of a site's studies, cut as a pack wants them.

    Raises:
        RecipeError: there is no set, or no study gave a bag.
        TableError: a table of the set breaks a rule.
    """
    files, lost = rsna.harvest(rsna.read(root), cache, pack.manifest.input("crops"), points, jobs)
    return Site(
        bags=grade.load_bags([file for _, file in files]),
        names=tuple(item.name for item, _ in files),
        simulated=any(rsna.is_simulated(file) for _, file in files),
        left_out="".join(f"; {count} left out: {reason}" for reason, count in sorted(Counter(lost).items())),
    )


def settings_of(pack: Pack) -> dict[str, Any]:
    """The settings of a network's shape, as a recipe holds them."""
    spec, network = pack.manifest.input("crops"), load_grader(pack)
    return {"widths": list(network.widths), "size": spec.height, "spacing_mm": spec.spacing_mm}


def train_adapted(job: Job, recipe: Mapping[str, Any], root: Path, pack: Pack) -> Trained:
    """Adapt a pack; goes on where it was cut short.

    Networks that each leave out a part of the studies judge them; the one that is kept has seen all.

    Args:
        job: where the run and the kept crops go.
        recipe: `adapt`, with `settings_of` the pack.
        root: a set in RSNA 2024 layout.
        pack: a `grade` pack.

    Raises:
        RecipeError: the folder holds no set, or fewer studies than folds.
        PackError: its network cannot be loaded back.
        TableError: a table of the set breaks a rule.
    """
    return adapt_to(job, recipe, site(root, pack, job.runs / "cache" / "rsna", recipe["points"], job.jobs), pack)


def adapt_to(job: Job, recipe: Mapping[str, Any], own: Site, pack: Pack) -> Trained:
    """The same, to a site whose bags are cut already.

    Raises:
        RecipeError: fewer studies than folds.
        PackError: its network cannot be loaded back.
    """
    part = parts_of(own, int(recipe["folds"]))
    replay = replay_bags(job, recipe, pack)

    def fitted(bags: Bags, folder: Path) -> BagGrader:
        return _fit(job, recipe, pack, (bags, replay), folder)

    network, logits = cross_fitted(own.bags, part, fitted, job.run("adapt"))
    settings = calibrate(logits, own, pack, level_prior=recipe["level_prior"])  # last: see `fit` on processes
    return trained_grade(network, _text(recipe, settings, own, (pack, replay, logits)))


def parts_of(own: Site, folds: int) -> NDArray[np.int64]:
    """(n,), the part of each of a site's bags; a study is in one part.

    Raises:
        RecipeError: fewer studies than folds.
    """
    if not 2 <= folds <= len(own.names):
        raise RecipeError(
            f"Adaptation: expected 2 to {len(own.names)} folds, as there are {len(own.names)} studies, got {folds}. "
            "Take more studies, or set folds."
        )
    return fold_of(own.names, folds)[own.bags.studies]


def cross_fitted(
    bags: Bags, part: NDArray[np.int64], fitted: Callable[[Bags, Path], BagGrader], folder: Path
) -> tuple[BagGrader, dict[str, FloatArray]]:
    """A network of all bags, and what networks that each left a part out say of that part.

    Args:
        bags: of a site.
        part: see `parts_of`.
        fitted: (bags, folder of its run) -> network.
        folder: of the run of the network that has seen all; the others have folders in it.

    Returns:
        The network, and logits (n, 3) of every output.
    """
    logits = {name: np.zeros((len(part), 3)) for name in VIEWS_OF}
    for fold in range(int(part.max()) + 1):
        network = fitted(bags.rows(part != fold), folder / f"fold-{fold}")
        for name, found in grade.logits_of(network, bags.rows(part == fold)).items():
            logits[name][part == fold] = found
    return fitted(bags, folder), logits


def calibrate(logits: operating.Logits, own: Site, pack: Pack, *, level_prior: bool) -> dict[str, Any]:
    """Settings for a site: from its grades where there are enough of them, else by the known prevalence."""
    cases = {name: operating.labelled(name, logits, own.bags) for name in VIEWS_OF}
    graded = own.bags.studies[(own.bags.grades != UNLABELLED).any(axis=1)]
    if len(np.unique(graded)) >= FEWEST_TO_CALIBRATE and all(len(item.grades) for item in cases.values()):
        by = f"readers' grades of {len(np.unique(graded))} studies"
        return operating.settings(cases, level_prior=level_prior, by=by)
    before = {**pack.manifest.settings, "level_prior": level_prior}
    shown = {name: np.asarray(own.bags.mask[:, slots_of(name)].any(axis=1)) for name in VIEWS_OF}
    return operating.matched(before, logits, own.bags.levels.astype(np.int64), shown)


def fold_of(names: Sequence[str], folds: int) -> NDArray[np.int64]:
    """Which fold each study is judged in: even shares, by a hash of the names."""
    order = np.argsort([sha256(name.encode()).hexdigest() for name in names])
    part = np.empty(len(names), np.int64)
    part[order] = np.arange(len(names)) % folds
    return part


def mixed(own: Draw, replay: Draw, share: float) -> Draw:
    """Draw from `replay` with a probability of `share`, else from `own`."""

    def draw(rng: np.random.Generator) -> Sample:
        return (replay if rng.random() < share else own)(rng)

    return draw


class Anchored:
    """The grader's loss, and how far the weights have gone from where they were.

    Source: Li et al., Explicit Inductive Bias for Transfer Learning with Convolutional Networks (L2-SP), ICML 2018.
    """

    def __init__(self, network: nn.Module, strength: float) -> None:
        self.strength = strength
        self.before = [weight.detach().clone() for weight in network.parameters()]

    def __call__(self, network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
        """The loss of a batch."""
        pairs = zip(network.parameters(), self.before, strict=True)
        moved = torch.stack([((now - before.to(now.device)) ** 2).sum() for now, before in pairs]).sum()
        return grade.loss(network, batch) + self.strength * moved


def replay_bags(job: Job, recipe: Mapping[str, Any], pack: Pack) -> Bags | None:
    """The simulated bags that are mixed in; None where the recipe mixes in none."""
    if not recipe["replay_share"]:
        return None
    studies = max(2, round(recipe["replay_studies"] * job.scale))
    wanted = Harvest(profile="lumbar-balanced", seed=TRAINING_SEED, studies=studies)
    return grade.load_bags(harvest(wanted, job.runs / "cache", pack.manifest.input("crops"), job.jobs))


def _fit(job: Job, recipe: Mapping[str, Any], pack: Pack, bags: tuple[Bags, Bags | None], folder: Path) -> BagGrader:
    own, replay = bags
    network = load_grader(pack)
    draw = grade.draw_from(own)
    if replay is not None:
        draw = mixed(draw, grade.draw_from(replay), recipe["replay_share"])
    options = job.options(recipe, len(own.crops))
    options = replace(options, origin=f"{options.origin} {pack.info.sha256}")
    fit(freeze_statistics(network), draw, Anchored(network, recipe["anchor"]), options, folder)
    return network


def _text(
    recipe: Mapping[str, Any],
    settings: Mapping[str, Any],
    own: Site,
    made_of: tuple[Pack, Bags | None, Mapping[str, FloatArray]],
) -> Any:
    pack, replay, logits = made_of
    words = f"studies ({own.what}), each judged by a network that had not seen it but at operating points set on all,"
    replayed = [] if replay is None else [f"{len(replay.crops)} bags of crops from {SIMULATED}, mixed in"]
    return grade_text(
        recipe,
        settings,
        training_data=[
            f"adapted from pack {pack.info.name} {pack.info.version} (SHA-256 {pack.info.sha256[:12]}), trained on:",
            *pack.manifest.training_data,
            f"{len(own.bags.crops)} bags of crops from {own.what}",
            *replayed,
        ],
        scores=judge_logits(logits, settings, own.bags, own.on, words),
        note=(
            f"Adapted to readers' grades of {own.what}, with crops cut at points from the {recipe['points']}"
            f"{own.left_out}. Operating points were set by the {settings['operating_points']['by']}."
        ),
        limits=("Judged on crops alone: errors of triage and of the levels are not in the figures.", LIMITS[1]),
    )

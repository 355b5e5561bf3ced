"""Train the header network: what simulated headers are worth, tags dropped and corrupted."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from spinalis.evaluate.metrics import Share
from spinalis.evaluate.tables import percent
from spinalis.models import Score
from spinalis.train.data.header_examples import HeaderSet, Spoiling, simulated_headers, spoilt
from spinalis.train.export import PackText
from spinalis.train.fit import Draw, Sample, fit
from spinalis.train.job import CALIBRATION_SEED, TRAINING_SEED, VERSION, Job, Trained
from spinalis.train.judge import JUDGED_SEED
from spinalis.train.networks.header_network import HeaderNetwork
from spinalis.train.sharing import mean_over_processes
from spinalis.train.triage import best_temperature
from spinalis.triage.header import FEATURES, OUTPUTS, TAG_FEATURES, WITH_GEOMETRY

SPOILING = Spoiling()
CALIBRATION_ROUNDS = 4
"""How often each header of the calibration set is spoilt anew."""

JUDGED_BODIES: Mapping[str, int] = {"lumbar": 12, "cervical": 12, "thoracic": 10, "whole": 10, "other": 12}
CALIBRATION_BODIES: Mapping[str, int] = {"lumbar": 12, "cervical": 12, "thoracic": 10, "whole": 10, "other": 12}


def build(recipe: Mapping[str, Any]) -> HeaderNetwork:
    """The untrained network of a recipe."""
    heads = {name: len(classes) for name, classes in OUTPUTS.items()}
    return HeaderNetwork(len(FEATURES), TAG_FEATURES, heads, WITH_GEOMETRY, recipe["width"])


def draw_from(given: HeaderSet) -> Draw:
    """Make samples `features` (F,) and `labels` (outputs,): a series with its header spoilt by another's."""

    def draw(rng: np.random.Generator) -> Sample:
        own, other = (int(place) for place in rng.integers(len(given.labels), size=2))
        return {
            "features": spoilt(rng, given.features[own], given.features[other], SPOILING),
            "labels": given.labels[own],
        }

    return draw


def loss(network: nn.Module, batch: Mapping[str, Tensor]) -> Tensor:
    """Sum of the heads' cross-entropies, each over the series that have a class there."""
    labels = batch["labels"]
    return torch.stack(
        [
            nn.functional.cross_entropy(logits, labels[:, column], ignore_index=-1, reduction="sum")
            / mean_over_processes((labels[:, column] >= 0).sum().float()).clamp(min=1)
            for column, logits in enumerate(network(batch["features"]))
        ]
    ).sum()


def train_header(job: Job, recipe: Mapping[str, Any]) -> Trained:
    """Train and calibrate the header network, and judge it on headers of other studies."""
    torch.manual_seed(recipe["seed"])
    network = build(recipe)
    given = simulated_headers(_scaled(recipe["bodies"], job.scale), recipe["visits"], TRAINING_SEED)
    options = replace(job.options(recipe, len(given.labels)), workers=0)
    fit(network, draw_from(given), loss, options, job.run("header"))
    unseen = simulated_headers(_scaled(CALIBRATION_BODIES, job.scale), recipe["visits"], CALIBRATION_SEED)
    calibrate(network, unseen)
    text = PackText(
        name="header",
        task="header",
        version=VERSION,
        inputs={},
        labels=OUTPUTS,
        settings={"features": FEATURES, "prior": given.prior()},
        training_data=[
            f"{len(given.labels)} headers of simulated studies by spinalis.simulate (no patient, no pixels)",
            "each drawn anew with tags dropped and corrupted: " + _words(SPOILING),
        ],
        scores=judge(network, _scaled(JUDGED_BODIES, job.scale), recipe["visits"]),
        notes=[
            "What header and geometry say of a series, as probabilities beside those of the pixels. Temperatures were "
            "fitted on spoilt headers of studies that were not trained on."
        ],
        limits=(
            "How often real headers lack a tag or lie is not known; the shares above are assumptions.",
            "Words of a site that no flag knows count as nothing.",
        ),
    )
    return trained_header(network, text)


def trained_header(network: nn.Module, text: PackText) -> Trained:
    """What is exported of a header network."""
    example = {"features": torch.rand(4, len(FEATURES))}
    return Trained(network=network.eval(), example=example, outputs=list(OUTPUTS), text=text)


def calibrate(network: HeaderNetwork, unseen: HeaderSet) -> None:
    """Set one temperature per head by maximum likelihood on spoilt headers that were not trained on."""
    rng = np.random.default_rng(CALIBRATION_SEED)
    rows = np.tile(np.arange(len(unseen.labels)), CALIBRATION_ROUNDS)
    others = rng.permutation(rows)
    made = [
        spoilt(rng, unseen.features[own], unseen.features[other], SPOILING)
        for own, other in zip(rows, others, strict=True)
    ]
    labels = torch.from_numpy(unseen.labels[rows])
    with torch.inference_mode():
        answers = network.eval()(torch.from_numpy(np.stack(made)))
    for column, logits in enumerate(answers):
        known = labels[:, column] >= 0
        network.temperatures[column] = best_temperature(logits[known].double().clone(), labels[known, column])


def judge(network: nn.Module, bodies: Mapping[str, int], visits: int) -> list[Score]:
    """One score per head: headers as the simulated sites write them, of studies that were not trained on."""
    given = simulated_headers(bodies, visits, JUDGED_SEED)
    with torch.inference_mode():
        answers = network.eval()(torch.from_numpy(given.features))
    scores = []
    for column, (name, logits) in enumerate(zip(OUTPUTS, answers, strict=True)):
        truth = given.labels[:, column]
        known = truth >= 0
        right = int((logits.numpy().argmax(axis=1) == truth)[known].sum())
        floor = int(np.bincount(truth[known]).max())
        figures = f"{percent(Share(count=right, total=int(known.sum())))} of series right, no skill "
        scores.append(
            Score(
                output=name,
                on="simulation",
                figures=figures + percent(Share(count=floor, total=int(known.sum()))),
            )
        )
    return scores


def _scaled(bodies: Mapping[str, int], scale: float) -> dict[str, int]:
    return {profile: max(1, round(count * scale)) for profile, count in bodies.items()}


def _words(how: Spoiling) -> str:
    return (
        f"{how.whole:.0%} keep all tags, the others lose each with a chance of up to {how.most_missing:.0%}; "
        f"{how.swapped:.0%} carry another study's header, {how.mixed:.0%} groups of its tags, "
        f"{how.misled:.0%} wrong words"
    )

"""How unlike the training a slice is: the Gaussian of the trunk's textures, and the limit of what is answered."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from spinalis.errors import RecipeError
from spinalis.models.prepare import InputSpec
from spinalis.records import FloatArray
from spinalis.train.networks.triage_trunk import TriageExport
from spinalis.train.triage import Example, batches

MOST_SLICES = 2000
"""Of each group of slices, so many are looked at, evenly taken."""

RIDGE = 1e-3
"""Added to the eigenvalues of the textures' correlation matrix, so that directions without any spread do not rule."""

LOST = 0.005
"""Share of the calibration slices beyond the limit: a spine withheld costs more than a phantom that is not."""


def set_reference(
    export: TriageExport, groups: Sequence[Sequence[Example]], shares: Sequence[float], spec: InputSpec
) -> None:
    """Fit the Gaussian on the slices that the trunk was trained on, each group by its share of the batches.

    Raises:
        RecipeError: there is no slice to fit it on.
    """
    known = [
        (group[:: -(-len(group) // MOST_SLICES)], share) for group, share in zip(groups, shares, strict=True) if group
    ]
    if not known:
        raise RecipeError("Novelty: expected slices of the training, got none. Train on some studies.")
    looks = [np.concatenate(list(_textures(export, group, spec))) for group, _ in known]
    weights = np.concatenate(
        [np.full(len(found), share / len(found)) for found, (_, share) in zip(looks, known, strict=True)]
    )
    mean, whitening = gaussian(np.concatenate(looks), weights)
    export.mean.copy_(torch.from_numpy(mean))
    export.whitening.copy_(torch.from_numpy(whitening))


def gaussian(values: FloatArray, weights: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean (T,) and whitening matrix (T, T) of weighted values (N, T); textures without spread count for nothing."""
    weights = weights / weights.sum()
    mean = weights @ values
    away = values - mean
    covariance = (away * weights[:, None]).T @ away
    spread = np.sqrt(np.diag(covariance))
    scale = np.where(spread > 1e-6 * spread.max(), 1.0 / np.maximum(spread, 1e-12), 0.0)
    variances, directions = np.linalg.eigh(covariance * scale * scale[:, None])
    return mean, scale[:, None] * directions / np.sqrt(np.maximum(variances, 0.0) + RIDGE)


def limit(export: TriageExport, unseen: Sequence[Example], spec: InputSpec) -> float:
    """The distance that `LOST` of the slices of studies kept out of training exceed."""
    return round(float(np.quantile(distances(export, unseen, spec), 1 - LOST)), 4)


def distances(export: TriageExport, examples: Sequence[Example], spec: InputSpec) -> FloatArray:
    """The distance of each slice, (N,)."""
    with torch.inference_mode():
        return np.concatenate([export(batch)[-1].double().numpy() for batch in batches(examples, spec)])


def _textures(export: TriageExport, examples: Sequence[Example], spec: InputSpec) -> Iterator[FloatArray]:
    with torch.inference_mode():
        for batch in batches(examples, spec):
            yield export.network.look(batch)[1].double().numpy()

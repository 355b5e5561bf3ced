"""Paper 5, stage 1c: the axial slice of each level and the recesses in it, by projection and by a network."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from spinalis.records import FloatArray
from spinalis.train.data.whole import Stack, Whole
from spinalis.train.job import Job
from spinalis.train.networks.coordinates import Coordinates
from spinalis.train.papers import coordinates
from spinalis.train.papers.coordinates import Pointed, neighbours
from spinalis.train.papers.places import LEFT_RECESS, RIGHT_RECESS
from spinalis.vocabulary import LEVELS

VIEW = "axial_t2"
BETWEEN = len(LEVELS)
"""Class of a slice at no disc: farther than `BETWEEN_MM` from every labelled recess of a fully labelled study."""

BETWEEN_MM = 8.0
"""About a quarter of the pitch between levels, 31.6 mm (measured on SPIDER)."""

RECESSES = (LEFT_RECESS, RIGHT_RECESS)
METHODS = ("projection", "network")


def mean_offsets(studies: Sequence[Whole]) -> FloatArray:
    """(2, 3) mm from the canal's point to the left and the right recess, the mean over all labelled levels."""
    gaps = np.concatenate([item.points[list(RECESSES)] - item.points[:1] for item in studies], axis=1)
    return np.asarray(np.nanmean(gaps, axis=1), float)


def by_projection(stack: Stack, canal: FloatArray, offsets: FloatArray) -> FloatArray:
    """Places (2, 5, 3) of both recesses from the canal's points (5, 3) in LPS mm; NaN where a level meets no slice."""
    found = np.full((len(RECESSES), len(LEVELS), 3), np.nan)
    for column, point in enumerate(canal):
        spot = None if np.isnan(point).any() else stack.spot(point)
        if spot is not None:
            for side, offset in enumerate(offsets):
                found[side, column] = (spot.index, *stack.drop(spot.index, point + offset))
    return found


def slices(studies: Sequence[Whole]) -> list[Pointed]:
    """Axial slices with the points of both recesses and their level as class; slices between levels with theirs."""
    found = []
    for study in studies:
        if VIEW not in study.views:
            continue
        stack, recesses = study.views[VIEW], study.points[list(RECESSES)]
        spots = [[None if np.isnan(point).any() else stack.spot(point) for point in side] for side in recesses]
        for column in range(len(LEVELS)):
            for index in {spot.index for side in spots if (spot := side[column]) is not None}:
                points = np.array([stack.drop(index, recesses[side, column]) for side in range(len(RECESSES))])
                found.append(Pointed(images=neighbours(stack, index), points=points, classes=column))
        if np.isfinite(recesses).all():
            nothing = np.full((len(RECESSES), 2), np.nan)
            for index in range(len(stack.pixels)):
                if min(stack.distance(index, point) for point in recesses.reshape(-1, 3)) > BETWEEN_MM:
                    found.append(Pointed(images=neighbours(stack, index), points=nothing, classes=BETWEEN))
    return found


def train(studies: Sequence[Whole], encoder: str, recipe: Mapping[str, Any], job: Job, folder: Path) -> None:
    """Train the axial network: level of the slice, and both recesses in it."""
    coordinates.train(slices(studies), build(recipe, encoder), recipe["coordinate_epochs"], recipe, job, folder)


def build(recipe: Mapping[str, Any], encoder: str) -> Coordinates:
    """An untrained axial network."""
    return coordinates.build(recipe, encoder, targets=len(RECESSES), classes=len(LEVELS) + 1)


def by_network(networks: Sequence[Coordinates], stack: Stack, size: int) -> tuple[FloatArray, FloatArray]:
    """What the networks say, averaged.

    Returns:
        Places (2, 5, 3), each level on the slice most likely its own; points (n, 2, 2), column and row, of every slice.
    """
    asked = [coordinates.ask(network, stack, range(len(stack.pixels)), size) for network in networks]
    points = np.mean([item[0] for item in asked], axis=0)
    logits = np.mean([item[1] for item in asked], axis=0)
    shares = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares = shares / shares.sum(axis=1, keepdims=True)
    chosen = shares[:, : len(LEVELS)].argmax(axis=0)
    found = np.empty((len(RECESSES), len(LEVELS), 3))
    found[:, :, 0] = chosen
    found[:, :, 1:] = points[chosen].swapaxes(0, 1)
    return found, points

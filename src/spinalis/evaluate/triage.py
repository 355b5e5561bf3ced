"""How well a chain of questions finds the slices that it is asked for, question by question and end to end.

Pure functions on arrays. A *target* is the class of a node that its figures are about; a slice is found when every node
of the chain answers with its target. Source of the measures and of the vote: Cahyadi D et al., A hierarchical
multi-label classification approach for the automated interpretation of spinal MRI series, sections IV.E and V.B.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinalis.evaluate.metrics import BoolArray, IntArray, Interval, bootstrap_interval, confusion_matrix
from spinalis.evaluate.votes import VOTES, early_winner, winner
from spinalis.records import FloatArray
from spinalis.triage.hierarchy import Node

UNKNOWN = -1
"""In truths: the slice does not come to the node. In decisions: the node was not asked, or knew no answer."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Slices:
    """N slices in their order within their series: which series, whose, and what is true of them.

    Attributes:
        series: (N,), a number per series.
        patients: (N,), a key per patient.
        truth: node -> (N,), class index where the slice comes to the node by right answers, else `UNKNOWN`.
    """

    series: IntArray
    patients: NDArray[np.str_]
    truth: Mapping[str, IntArray]


@dataclass(frozen=True, slots=True, kw_only=True)
class Detection:
    """Slices found, found wrongly and missed, of `total` of so many patients.

    The 95 % intervals are by bootstrap over patients; None with one patient, who tells nothing of the spread.
    """

    found: int
    wrong: int
    missed: int
    total: int
    patients: int
    intervals: Mapping[str, Interval | None]

    @property
    def positives(self) -> int:
        """How many there were to find."""
        return self.found + self.missed

    @property
    def precision(self) -> float | None:
        """Share of the found ones that are right; None where none was found."""
        return _ratio(self.found, self.found + self.wrong)

    @property
    def recall(self) -> float | None:
        """Share of the right ones that were found; None where there is none."""
        return _ratio(self.found, self.positives)

    @property
    def f1(self) -> float | None:
        """Harmonic mean of both; None where there is nothing to find and nothing was found."""
        return _ratio(2 * self.found, 2 * self.found + self.wrong + self.missed)


MEASURES = ("precision", "recall", "f1")


def detect(truth: BoolArray, predicted: BoolArray, patients: NDArray[np.str_], repeats: int = 1000) -> Detection:
    """Count and bound.

    Args:
        truth: (N,), is it one to find?
        predicted: (N,), was it found?
        patients: (N,), whole patients are drawn for the intervals.
        repeats: draws of the bootstrap.
    """
    names, of_row = np.unique(patients, return_inverse=True)
    kinds = (truth & predicted, ~truth & predicted, truth & ~predicted)
    counts = np.stack([np.bincount(of_row, weights=kind, minlength=len(names)) for kind in kinds])

    def figure(measure: str) -> Interval | None:
        def statistic(drawn: IntArray) -> float | None:
            found, wrong, missed = counts[:, drawn].sum(axis=1)
            below = {"precision": found + wrong, "recall": found + missed}
            if measure == "f1":
                return _ratio(2 * found, 2 * found + wrong + missed)
            return _ratio(found, below[measure])

        if len(names) < 2:
            return None
        return bootstrap_interval(statistic, np.arange(len(names)), repeats=repeats)

    found, wrong, missed = (int(kind.sum()) for kind in kinds)
    return Detection(
        found=found,
        wrong=wrong,
        missed=missed,
        total=len(truth),
        patients=len(names),
        intervals={measure: figure(measure) for measure in MEASURES},
    )


def decide(
    probabilities: Mapping[str, FloatArray], slices: Slices, chain: Sequence[Node], vote: str | None
) -> dict[str, IntArray]:
    """What every node says of every slice.

    Args:
        probabilities: node -> (N, K); rows of NaN where the node was not asked.
        slices: the slices.
        chain: the nodes.
        vote: one of `VOTES` for the nodes that answer by series; None lets every slice speak for itself.

    Returns:
        Node -> (N,) class index, `UNKNOWN` where it was not asked.
    """
    found = {}
    for node in chain:
        given = probabilities[node.name]
        asked = ~np.isnan(given).any(axis=1)
        decided = np.full(len(given), UNKNOWN, np.int64)
        decided[asked] = given[asked].argmax(axis=1)
        if vote is not None and node.by == "series":
            for series in np.unique(slices.series[asked]):
                rows = np.flatnonzero(asked & (slices.series == series))
                decided[rows] = winner(VOTES[vote](given[rows]))
        found[node.name] = decided
    return found


def node_detection(slices: Slices, node: Node, decided: IntArray, repeats: int = 1000) -> Detection:
    """How well a node finds its target among the slices that come to it by right answers."""
    here = slices.truth[node.name] != UNKNOWN
    target = node.names.index(node.target)
    truth, predicted = slices.truth[node.name][here] == target, decided[here] == target
    return detect(truth, predicted, slices.patients[here], repeats)


def end_to_end(
    slices: Slices, chain: Sequence[Node], decisions: Mapping[str, IntArray], repeats: int = 1000
) -> Detection:
    """How well the whole chain finds the slices of which every node's target is true."""
    return detect(is_target(chain, slices.truth), is_target(chain, decisions), slices.patients, repeats)


def is_target(chain: Sequence[Node], answers: Mapping[str, IntArray]) -> BoolArray:
    """(N,), whether every node of a chain says its target; of truths and of decisions alike."""
    said = [answers[node.name] == node.names.index(node.target) for node in chain]
    return np.asarray(np.logical_and.reduce(said))


def fault(slices: Slices, chain: Sequence[Node], decisions: Mapping[str, IntArray]) -> NDArray[np.str_]:
    """The first node that answered wrongly for each slice, (N,); empty where none did.

    Only nodes to which the slice comes by right answers count, so there is at most one first fault.
    """
    found = np.full(len(slices.series), "", dtype="U64")
    for node in chain:
        truth = slices.truth[node.name]
        wrong = (truth != UNKNOWN) & (decisions[node.name] != truth) & (found == "")
        found[wrong] = node.name
    return found


def needed_share(probabilities: FloatArray, slices: Slices, vote: str) -> tuple[float | None, int]:
    """The share of the slices that an exact early end of a vote has to look at, and of how many series.

    Args:
        probabilities: (N, K) of one node; rows of NaN where it was not asked.
        slices: the slices.
        vote: one of `VOTES`.
    """
    asked = ~np.isnan(probabilities).any(axis=1)
    used = total = 0
    every = np.unique(slices.series[asked])
    for series in every:
        rows = np.flatnonzero(asked & (slices.series == series))
        used += early_winner(VOTES[vote](probabilities[rows]))[1]
        total += len(rows)
    return _ratio(used, total), len(every)


def node_confusion(slices: Slices, node: Node, decided: IntArray) -> IntArray:
    """(K, K) rows truth, columns answer, of the slices that come to a node and were answered."""
    here = (slices.truth[node.name] != UNKNOWN) & (decided != UNKNOWN)
    return confusion_matrix(slices.truth[node.name][here], decided[here], len(node.names))


def _ratio(above: float, below: float) -> float | None:
    return float(above / below) if below else None

"""One answer from pixels and header: a product of experts, and what is said where they contradict each other.

The log-probability of the slices' vote and the header's log-ratio (its prior divided out, so that no prior counts
twice) are added. So the surer side wins: a header is never surer than headers deserve, since its network has seen many
wrong ones; pixels grow surer with the number of slices. A few clear slices overrule any header, and any sound header
helps pixels that are in doubt.

A header may be another series' altogether. Then it errs in all its answers at once, so one that the pixels bear out in
some answers is believed more in the others, and one that is caught lying less: each answer is a mixture of what it says
and of nothing, with the odds that its other answers give it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

import numpy as np

from spinalis.records import Contradiction, FloatArray, Judgement
from spinalis.triage.header import HeaderView

CONTRADICTION = 0.8
"""Header and pixels contradict each other where both are surer than this of different answers. A convention."""

VOTE_WEIGHT = 0.25
"""Neighbouring slices err together: the mean log-probability of a series counts as about this share of its slices."""

MOST_VOTES = 6.0
"""Cap on the independent votes of one series."""

SUREST = 1e-3
"""No slice is believed beyond this probability of an error."""

LYING = 0.1
"""Share of headers that say nothing true of their series. An assumption; from .05 to .3 the answers hardly differ."""

WITNESSES = ("anatomy", "region", "sequence")
"""Answers that speak for a header. Not the plane: there the header's network hears the geometry, too."""

Word = TypeVar("Word", bound=StrEnum)


def vote(logs: FloatArray) -> FloatArray | None:
    """Log-probability of a series from its slices' (N, classes); None without a slice."""
    if not len(logs):
        return None
    votes = min(MOST_VOTES, max(1.0, VOTE_WEIGHT * len(logs)))
    return normalized(logs.clip(min=np.log(SUREST)).mean(axis=0) * votes)


def agreement(votes: Mapping[str, FloatArray | None], header: HeaderView) -> dict[str, float]:
    """How well a header's answers agree with the slices' votes.

    Args:
        votes: head -> (classes,), log-probability, see `vote`; None where no slice was readable.
        header: what the header says.

    Returns:
        Of `WITNESSES`: head -> log of how much likelier the header's answer is if it is of this series than if it is of
        another.
    """
    found = {head: logs for head in WITNESSES if (logs := votes[head]) is not None}
    return {head: float(np.logaddexp.reduce(logs + header.ratios[head])) for head, logs in found.items()}


def fuse(
    head: str,
    words: tuple[Word, ...],
    pixels: FloatArray | None,
    header: HeaderView | None,
    agreed: Mapping[str, float],
) -> tuple[Judgement[Word] | None, Contradiction | None]:
    """Judge one head of a series.

    Args:
        head: `anatomy`, `region`, `plane` or `sequence`.
        words: its classes in order.
        pixels: (classes,), log-probability by the slices' vote, see `vote`; None without a readable slice.
        header: what the header says; None where it is silent.
        agreed: how well its answers agree with the pixels, see `agreement`; those to other heads speak for it.

    Returns:
        The judgement, None where neither says anything, and the contradiction between the two, if there is one.
    """
    if header is None:
        return (None if pixels is None else _judgement(words, pixels, "pixels")), None
    if pixels is None:
        return _judgement(words, header.logs[head], "header"), None
    ratio, others = header.ratios[head], sum(value for name, value in agreed.items() if name != head)
    said_or_not = np.logaddexp(np.log(1 - LYING) + others + ratio, np.log(LYING))
    fused = _judgement(words, normalized(pixels + said_or_not), "fusion")
    shown, said = (_judgement(words, logs, "") for logs in (pixels, normalized(ratio)))
    if shown.label is said.label or min(shown.probability, said.probability) <= CONTRADICTION:
        return fused, None
    return fused, Contradiction(head=head, header=str(said.label), pixels=str(shown.label), taken=str(fused.label))


def normalized(logs: FloatArray) -> FloatArray:
    """The same log-probabilities, shifted so that the probabilities sum to 1."""
    shifted = logs - logs.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), float)


def _judgement(words: tuple[Word, ...], logs: FloatArray, source: str) -> Judgement[Word]:
    best = int(logs.argmax())
    return Judgement(label=words[best], probability=float(np.exp(logs[best])), source=source)

"""When triage answers "unknown": pictures unlike those of the training, and answers that are not sure enough."""

from dataclasses import dataclass
from enum import StrEnum
from typing import TypeVar

import numpy as np

from spinalis.records import FloatArray, Judgement

DISTANCE = "distance"
"""Output (N,) of a triage pack: how far a slice's features lie from those of the training. Packs may lack it."""

UNLIKE = "unlike_training"
"""Flag of a series whose pixels are set aside."""

UNSURE = "unsure_"
"""How the flags begin that name an answer withheld."""

LEAST_SURE = 0.5
"""A series' answer is withheld where it is likelier wrong than right. By that meaning, not fitted."""

Word = TypeVar("Word", bound=StrEnum)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Novelty:
    """How unlike the training each slice is (N,), in units of the pack's limit; None where it is not measured."""

    slices: FloatArray | None

    @property
    def series(self) -> float | None:
        """The median of the slices; None where nothing was measured."""
        return None if self.slices is None or not len(self.slices) else float(np.median(self.slices))

    @property
    def unlike(self) -> bool:
        """The series lies beyond the limit."""
        return self.series is not None and self.series > 1.0

    def of(self, row: int) -> float | None:
        """That of one slice."""
        return None if self.slices is None else float(self.slices[row])

    def believed(self, logs: FloatArray) -> FloatArray:
        """Of what the slices say, (N, classes), the rows that count: none of an unlike series, no unlike slice."""
        if self.slices is None:
            return logs
        return logs[(self.slices <= 1.0) & (not self.unlike)]


def novelty(distances: FloatArray | None, limit: float | None) -> Novelty:
    """Measure slices by the pack's setting `novelty_limit`; without it, or without distances, nothing is measured."""
    return Novelty(slices=None if distances is None or limit is None else distances / limit)


def withheld(judgement: Judgement[Word], unknown: Word) -> Judgement[Word]:
    """The same judgement, `unknown` where it is less sure than `LEAST_SURE`; probability and source stay."""
    if judgement.probability >= LEAST_SURE:
        return judgement
    return Judgement(label=unknown, probability=judgement.probability, source=judgement.source)

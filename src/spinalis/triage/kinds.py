"""What kind of picture a series is, beside what it shows: localizer, reformat, projection, subtraction, phase, map.

And its contrast finer than the pixels are asked for, as far as the header tells it.
"""

from collections.abc import Mapping

import numpy as np

from spinalis.records import Judgement, Series
from spinalis.triage.header import DETAILS, LOCALIZER, OUTPUTS, HeaderView
from spinalis.triage.words import FLAGS, flags_of
from spinalis.vocabulary import Detail, Sequence

SURE_LOCALIZER = 0.9
"""From this probability on the header's words, times and geometry make a series a localizer. A convention."""

IMAGE_TYPES: Mapping[str, frozenset[str]] = {
    "localizer": frozenset({"LOCALIZER", "SCOUT", "SURVEY"}),
    "reformat": frozenset({"MPR", "REFORMATTED", "RESAMPLED", "MPR THICK RANGE"}),
    "projection": frozenset({"PROJECTION IMAGE", "MIP", "MIN IP", "MINIP", "MAX_IP"}),
    "subtraction": frozenset({"SUBTRACTION", "SUB", "SUBTRACT"}),
    "phase": frozenset({"P", "PHASE", "PHASE MAP", "VELOCITY", "PCA", "PHASE CONTRAST"}),
    "map": frozenset({"ADC", "T1 MAP", "T2 MAP", "T2_STAR MAP", "FA", "B0 MAP", "FIELD_MAP", "MAP", "ADC_UNSPECIFIED"}),
    "secondary": frozenset({"SECONDARY"}),
}
"""Values of ImageType by kind. PS3.3 C.7.6.1.1.2 and C.8.16.1.3, and values that vendors add, from memory."""

_WORDS: Mapping[str, str] = {"reformat": "reformat", "subtraction": "subtraction"}
"""Kinds that are also told by a flag of `words` in the description, where ImageType says DERIVED."""

OF_SEQUENCE: Mapping[Sequence, frozenset[Detail]] = {
    Sequence.T1W: frozenset({Detail.T1W, Detail.T1_POST, Detail.T1_FLAIR}),
    Sequence.T2W: frozenset({Detail.T2W, Detail.T2W_FS, Detail.T2_SPACE, Detail.DIXON_WATER}),
    Sequence.STIR: frozenset({Detail.STIR}),
    Sequence.OTHER: frozenset(
        {Detail.PD, Detail.GRE, Detail.DIXON_WATER, Detail.DIXON_FAT, Detail.DIXON_IN, Detail.DIXON_OPPOSED}
        | {Detail.MYELOGRAPHY, Detail.DWI, Detail.ADC}
    ),
}
"""The finer contrasts that a sequence can be. A Dixon water image is T2w by a long echo, else other."""


def kinds(series: Series, header: HeaderView | None) -> tuple[str, ...]:
    """The kinds of a series in the order of `IMAGE_TYPES`: by ImageType, words, or (localizer) the whole header."""
    values = set(series.header.image_type)
    found = {kind for kind, terms in IMAGE_TYPES.items() if values & terms}
    if "DERIVED" in values:
        raised = dict(zip(FLAGS, flags_of(series.header.description), strict=True))
        found |= {kind for kind, flag in _WORDS.items() if raised[flag]}
    if header is not None:
        place = OUTPUTS["localizer"].index(LOCALIZER)
        if np.exp(header.logs["localizer"][place]) > SURE_LOCALIZER:
            found.add("localizer")
    return tuple(kind for kind in IMAGE_TYPES if kind in found)


def detail(sequence: Judgement[Sequence], header: HeaderView | None) -> Judgement[Detail] | None:
    """The finer contrast by the header, among those that the sequence can be; None without a header or a sequence."""
    if header is None or sequence.label not in OF_SEQUENCE:
        return None
    fitting = np.array([word in OF_SEQUENCE[sequence.label] for word in DETAILS])
    shares = np.where(fitting, np.exp(header.logs["detail"]), 0.0)
    if shares.sum() <= 0:
        return None
    best = int(shares.argmax())
    return Judgement(label=DETAILS[best], probability=float(shares[best] / shares.sum()), source="header")

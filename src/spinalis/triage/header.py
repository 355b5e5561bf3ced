"""What the header says of anatomy, region and sequence, as odds beside the pixels.

The header is evidence, not truth: every rule has a reliability below 1, so that clear pixels can overrule it.
"""

import re
from collections.abc import Iterable
from enum import StrEnum
from typing import TypeVar

import numpy as np

from spinalis.records import FloatArray, Header
from spinalis.vocabulary import Anatomy, Region, Sequence

Word = TypeVar("Word", bound=StrEnum)

ANATOMIES = (Anatomy.MR_SPINE, Anatomy.OTHER)
REGIONS = (Region.CERVICAL, Region.THORACIC, Region.LUMBAR)
SEQUENCES = (Sequence.T1W, Sequence.T2W, Sequence.STIR, Sequence.OTHER)

BODY_PART_RELIABILITY = 0.90
DESCRIPTION_RELIABILITY = 0.93
TIMING_RELIABILITY = 0.95
"""How often a rule is right where it speaks. Working values, assumed; learned reliabilities are planned."""

T1W_ECHO_MS, T2W_ECHO_MS = 30.0, 60.0
"""Spin echo: T1w below the first, T2w above the second. Source: SPIDER acquisition table (T1w TE 7-14, T2w 80-124)."""

STIR_INVERSION_MS = (90.0, 280.0)
"""Inversion times that null fat, 0.5-3 T. Source: fat T1 of 200-390 ms times ln 2, with a margin."""

_SPINE = re.compile(
    r"spin(e|al)|lumbar|lumbal|\blws\b|cervic|\bhws\b|thorac|\bbws\b|sacr|\b[clt]-?sp\b|wirbel|myelo", re.I
)
_ELSEWHERE = re.compile(
    r"brain|head|skull|cran|knee|shoulder|hip\b|ankle|foot|wrist|hand\b|elbow|liver|kidney|abdom|pelvis|prostate|"
    r"heart|cardiac|breast|chest|\blungs?\b",
    re.I,
)
_REGION_WORDS = {
    Region.CERVICAL: re.compile(r"cerv|\bhws\b|\bc-?\s?sp", re.I),
    Region.THORACIC: re.compile(r"thora|dorsal|\bbws\b|\bt-?\s?sp", re.I),
    Region.LUMBAR: re.compile(r"lumb|\blws\b|sacr|\bl-?\s?sp", re.I),
}
_T1_WORD, _T2_WORD = re.compile(r"t1(?![0-9])", re.I), re.compile(r"t2(?![0-9])", re.I)
"""T12 is a vertebra."""

_SEQUENCE_WORDS = (
    (Sequence.STIR, re.compile(r"stir|tirm|\bir\b", re.I)),
    (
        Sequence.OTHER,
        re.compile(r"dwi|diff|\badc\b|medic|\bmerge\b|t2\s?\*|t2star|dess|ciss|fiesta|\bpd|\bswi\b", re.I),
    ),
    (Sequence.T1W, _T1_WORD),
    (Sequence.T2W, _T2_WORD),
)


def anatomy_odds(header: Header) -> FloatArray | None:
    """Log-probability over `ANATOMIES`, (2,); None where the header says nothing of it."""
    words = " ".join(_plain(text) for text in (header.body_part, header.description, header.protocol))
    spine, elsewhere = bool(_SPINE.search(words)), bool(_ELSEWHERE.search(words))
    if spine == elsewhere:
        return None
    return _vote(ANATOMIES, Anatomy.MR_SPINE if spine else Anatomy.OTHER, BODY_PART_RELIABILITY)


def region_odds(header: Header) -> FloatArray | None:
    """Log-probability over `REGIONS`, (3,); None where the header names no region, or several."""
    for text, reliability in (
        (header.description, DESCRIPTION_RELIABILITY),
        (header.body_part, BODY_PART_RELIABILITY),
        (header.protocol, DESCRIPTION_RELIABILITY),
    ):
        named = [region for region, pattern in _REGION_WORDS.items() if pattern.search(_plain(text))]
        if len(named) == 1:
            return _vote(REGIONS, named[0], reliability)
    return None


def sequence_odds(header: Header) -> FloatArray | None:
    """Log-probability over `SEQUENCES`, (4,), from echo and inversion times and from words; None without either."""
    votes = [vote for vote in (_from_timing(header), _from_words(header)) if vote is not None]
    if not votes:
        return None
    total = np.sum(votes, axis=0)
    return np.asarray(total - np.log(np.exp(total).sum()), float)


def _from_words(header: Header) -> FloatArray | None:
    for text in (_plain(header.description), _plain(header.protocol)):
        if _T1_WORD.search(text) and _T2_WORD.search(text):
            continue
        for sequence, pattern in _SEQUENCE_WORDS:
            if pattern.search(text):
                return _vote(SEQUENCES, sequence, DESCRIPTION_RELIABILITY)
    return None


def _plain(text: str | None) -> str:
    """Words apart from each other: an underscore is no letter here."""
    return (text or "").replace("_", " ")


def _from_timing(header: Header) -> FloatArray | None:
    inversion, echo = header.inversion_time_ms, header.echo_time_ms
    if inversion is not None and STIR_INVERSION_MS[0] <= inversion <= STIR_INVERSION_MS[1]:
        return _vote(SEQUENCES, Sequence.STIR, TIMING_RELIABILITY)
    if echo is None or echo <= 0:
        return None
    if "GR" in header.scanning_sequence and "SE" not in header.scanning_sequence:
        return _vote(SEQUENCES, Sequence.OTHER, TIMING_RELIABILITY)
    if echo < T1W_ECHO_MS and (header.repetition_time_ms or 0.0) < 2500.0:
        return _vote(SEQUENCES, Sequence.T1W, TIMING_RELIABILITY)
    if echo > T2W_ECHO_MS:
        return _vote(SEQUENCES, Sequence.T2W, TIMING_RELIABILITY)
    return None


def _vote(words: Iterable[Word], chosen: Word, reliability: float) -> FloatArray:
    listed = tuple(words)
    rest = (1.0 - reliability) / (len(listed) - 1)
    return np.log([reliability if word is chosen else rest for word in listed])

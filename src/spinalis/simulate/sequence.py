"""Pulse sequences: what is drawn for a series, and the signal a tissue gives.

Source:
    Spin echo, inversion recovery and spoiled gradient echo: Bernstein, King, Zhou, Handbook of MRI Pulse Sequences
    (2004), chapters 14 and 15. Ranges of TR, TE and TI: the acquisition table of SPIDER (van der Graaf et al. 2024)
    and common vendor protocols.
"""

from dataclasses import dataclass, replace

import numpy as np

from spinalis.records import FloatArray
from spinalis.simulate.tissue import MARROW_TISSUES, Tissue, TissueTable
from spinalis.vocabulary import Sequence


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """One drawn sequence: times in ms; `kind` is `se`, `ir` or `gre`."""

    sequence: Sequence
    kind: str
    repetition_ms: float
    echo_ms: float
    inversion_ms: float | None = None
    flip_deg: float = 90.0
    fat_saturated: bool = False
    field_t: float = 1.5


def sample_protocol(rng: np.random.Generator, sequence: Sequence, field_t: float) -> Protocol:
    """Draw the times of a T1w, T2w, STIR or (OTHER) proton-density series."""
    high = field_t > 2
    if sequence is Sequence.T1W:
        if high and rng.random() < 1 / 3:
            return Protocol(
                sequence=sequence,
                kind="ir",
                repetition_ms=rng.uniform(1800, 2400),
                echo_ms=rng.uniform(8, 16),
                inversion_ms=rng.uniform(750, 950),
                field_t=field_t,
            )
        return _spin_echo(sequence, rng.uniform(450, 800), rng.uniform(7, 18), field_t)
    if sequence is Sequence.STIR:
        inversion = rng.uniform(195, 235) if high else rng.uniform(145, 175)
        return Protocol(
            sequence=sequence,
            kind="ir",
            repetition_ms=rng.uniform(3000, 5500),
            echo_ms=rng.uniform(35, 80),
            inversion_ms=inversion,
            field_t=field_t,
        )
    if sequence is Sequence.T2W:
        protocol = _spin_echo(sequence, rng.uniform(2500, 5500), rng.uniform(80, 125), field_t)
        return replace(protocol, fat_saturated=bool(rng.random() < 0.08))
    return _spin_echo(sequence, rng.uniform(1800, 3500), rng.uniform(15, 40), field_t)


def _spin_echo(sequence: Sequence, repetition_ms: float, echo_ms: float, field_t: float) -> Protocol:
    return Protocol(sequence=sequence, kind="se", repetition_ms=repetition_ms, echo_ms=echo_ms, field_t=field_t)


def signal(protocol: Protocol, t1: FloatArray, t2: FloatArray) -> FloatArray:
    """Magnitude per unit density for T1, T2 in ms (any shape)."""
    decay = np.exp(-protocol.echo_ms / t2)
    full = np.exp(-protocol.repetition_ms / t1)
    if protocol.kind == "ir":
        inversion = protocol.inversion_ms or 0.0
        return np.asarray(np.abs(1 - 2 * np.exp(-inversion / t1) + full) * decay, float)
    if protocol.kind == "gre":
        flip = np.radians(protocol.flip_deg)
        return np.asarray(np.sin(flip) * (1 - full) / (1 - np.cos(flip) * full) * decay, float)
    return np.asarray((1 - full) * decay, float)


def signal_table(protocol: Protocol, tissues: TissueTable) -> tuple[FloatArray, FloatArray]:
    """The signal of the water and of the fat of every label, two arrays (36,).

    STIR nulls fat: T1 of fat is set to the one its inversion time nulls, less a small miss, as the operator does.
    """
    water = tissues.water * signal(protocol, tissues.t1, tissues.t2)
    fat_t1 = tissues.fat_t1
    if protocol.sequence is Sequence.STIR:
        fat_t1 = 0.93 * float(protocol.inversion_ms or 0.0) / np.log(2.0)
    fat = tissues.fat * float(signal(protocol, np.array(fat_t1), np.array(tissues.fat_t2)))
    if protocol.fat_saturated:
        fat = 0.12 * fat
    if protocol.kind == "gre":
        for tissue in MARROW_TISSUES:
            water[tissue] *= 0.45
            fat[tissue] *= 0.45
    if protocol.sequence is not Sequence.T1W and protocol.kind == "se":
        fat[Tissue.SKIN] *= 0.8
    return water, fat

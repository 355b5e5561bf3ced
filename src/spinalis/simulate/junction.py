"""Where the lumbar spine ends: regular and transitional lumbosacral junctions, and how levels are named there.

A transitional junction is the ordinary anatomy read at a shifted place: with a shift of +0.8 the first sacral vertebra
takes four fifths of what a fifth lumbar one is, with -0.8 the fifth lumbar one is mostly sacrum. No array changes its
size.

Levels are counted from the sacrum upwards: L5/S1 is the last well-formed disc, one that reaches across the whole depth
of the body above it. So five levels exist in everybody, and a study of the lumbar spine alone can be read; counted
from C2 the same disc may bear another name.

Thirteenth ribs are the variant at the other end: the first lumbar vertebra bears a short pair, so that whoever counts
ribs finds four lumbar vertebrae. The sacrum and the names counted from it stay. They are drawn on request only.

Source:
    Well-formed against residual discs: O'Driscoll et al., Skeletal Radiol 1996 (types 1-2 residual, 3-4 well-formed).
    Broad transverse processes and their joints with the ala: Castellvi et al., Spine 1984. Frequency about 12 %, men
    more often: Konin and Walz, AJNR 2010. All cited from memory; the split between the two kinds is an assumption.
"""

from enum import StrEnum

import numpy as np
from numpy.typing import ArrayLike

from spinalis.errors import SimulationError
from spinalis.records import FloatArray
from spinalis.vocabulary import Level


class Junction(StrEnum):
    """How the lumbar spine meets the sacrum, or the chest."""

    REGULAR = "regular"
    SACRALIZED = "sacralized L5"
    LUMBARIZED = "lumbarized S1"
    THIRTEENTH_RIBS = "thirteenth ribs"

    @property
    def extra(self) -> int:
        """Well-formed lumbar discs more (1) or fewer (-1) than usual."""
        return {Junction.SACRALIZED: -1, Junction.LUMBARIZED: 1}.get(self, 0)


SHARES_MEN = {Junction.SACRALIZED: 0.06, Junction.LUMBARIZED: 0.05}
SHARES_WOMEN = {Junction.SACRALIZED: 0.045, Junction.LUMBARIZED: 0.04}


def sample_junction(
    rng: np.random.Generator, female: bool, wanted: Junction | str | None = None
) -> tuple[Junction, float]:
    """Draw the kind and how far the anatomy is shifted (-0.95..0.95, in vertebrae); `wanted` forces the kind.

    Raises:
        SimulationError: `wanted` is no junction.
    """
    shares = SHARES_WOMEN if female else SHARES_MEN
    chance, amount, little = rng.random(), rng.uniform(0.75, 0.95), rng.uniform(-0.12, 0.12)
    kind = Junction.REGULAR
    if chance < shares[Junction.SACRALIZED]:
        kind = Junction.SACRALIZED
    elif chance < sum(shares.values()):
        kind = Junction.LUMBARIZED
    if wanted is not None:
        try:
            kind = Junction(wanted)
        except ValueError as error:
            known = ", ".join(Junction)
            raise SimulationError(f"Junction: expected one of {known}, got {wanted!r}. Choose one of these.") from error
    return kind, kind.extra * amount if kind.extra else little


def shifted(table: ArrayLike, shift: float) -> FloatArray:
    """Read a prior (one value per plane or vertebra, from the top) with the lower lumbar spine and sacrum shifted.

    The shift grows from nothing at L1 to its whole at L5.
    """
    values = np.asarray(table, float)
    place = np.arange(len(values))
    return np.asarray(np.interp(place - shift * np.clip((place - 19) / 4, 0, 1), place, values), float)


def planes_of_levels(last: int) -> dict[Level, int]:
    """The plane of every lumbar level, counted upwards from `last`, the plane of the last well-formed disc."""
    return {level: last - len(Level) + 1 + index for index, level in enumerate(Level)}

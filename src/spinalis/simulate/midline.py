"""What tells one midline from another beside sizes and curves: fat pads, hollow walls, marrow, the cauda equina.

Shapes after the mid-sagittal slices of the training part of SPIDER, by eye: a pad of fat behind the sac at every disc,
5 to 8 mm thick and about 20 mm tall; posterior walls hollowed by 1 to 2 mm; neighbouring bodies that differ by a few
per cent; roots that lie behind, as in a patient on the back.
"""

import numpy as np
from numpy.typing import NDArray


def draw_midline(
    rng: np.random.Generator,
    planes: NDArray[np.void],
    vertebrae: NDArray[np.void],
    whole: NDArray[np.void],
    sacrum: int,
) -> None:
    """Fill what of the subject's records belongs to the midline alone, in place.

    `pad` and `pad_apex` are the thickness (mm) of the fat between two laminae and where it is greatest (in heights of
    the vertebra above the disc), `hollow` how far the posterior wall is sunk (mm), `tone` how much brighter the marrow
    of a body is (in standard deviations of its texture), `sheaf` where the roots begin (-1 front of the sac, 1 back)
    and `strands` how loosely they lie (in standard deviations of the noise that scatters them).

    Args:
        rng: a stream of its own, so that these draws change nothing else of the body.
        planes: (31,) of `anatomy.PLANE_TYPE`.
        vertebrae: (30,) of `anatomy.VERTEBRA_TYPE`.
        whole: (1,) of `anatomy.WHOLE_TYPE`.
        sacrum: the first sacral vertebra.
    """
    place, bone = np.arange(len(planes)), np.arange(len(vertebrae))
    thick = np.interp(place, (0, 7, 17, 21, 24, 25, 30), (0.3, 0.4, 0.6, 1, 1.1, 0.5, 0.2))
    planes["pad"] = np.clip(rng.normal(6.5, 1.2) + rng.normal(0, 1.2, len(planes)), 2.5, 10) * thick
    planes["pad_apex"] = rng.uniform(-0.22, -0.06, len(planes))
    vertebrae["hollow"] = rng.uniform(0.7, 2.0, len(vertebrae)) * np.interp(bone, (3, 18), (0.3, 1))
    vertebrae["hollow"][sacrum:] *= 0.3
    vertebrae["tone"] = rng.normal(0, 0.5, len(vertebrae))
    whole["sheaf"] = rng.uniform(-0.1, 0.35)
    whole["strands"] = rng.uniform(0.0, 0.8)

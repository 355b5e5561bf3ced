"""Label maps of a series: every vertebra, every disc, the canal and the cord, from the anatomy that is rendered."""

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from spinalis.simulate.anatomy import NAMES, S1
from spinalis.simulate.compiler import compiled
from spinalis.simulate.coordinates import locate, warp
from spinalis.simulate.kernel import NOTHING
from spinalis.simulate.lesions import spine_tissue
from spinalis.simulate.scanner import Stack
from spinalis.simulate.tissue import Tissue

if TYPE_CHECKING:
    from spinalis.simulate.coordinates import Body

L6, SACRUM, FIRST_DISC, CANAL, CORD = 25, 26, 100, 200, 201
FIRST_PLANE = 2
"""That of C2/C3: there is no disc above it."""
MASK_NAMES: dict[int, str] = {
    **{index + 1: name for index, name in enumerate(NAMES[:S1])},
    L6: "L6",
    SACRUM: "sacrum and coccyx",
    **{FIRST_DISC + k: f"disc {NAMES[k - 1]}/{NAMES[k]}" for k in range(FIRST_PLANE, S1 + 3)},
    CANAL: "canal",
    CORD: "cord",
}
"""The values of a label map, counted from C1: 1 to 24 are C1 to L5 with their arches, 25 is a sixth lumbar vertebra;
100 + n is the disc below vertebra n; the canal is what surrounds the cord: fluid, roots and fat."""

VERTEBRAL = frozenset(
    (
        *("CORTEX", "MARROW", "PEDICLE", "OSTEOPHYTE", "BODY_VEIN", "MODIC_1", "MODIC_2", "HAEMANGIOMA", "OEDEMA"),
        *("SCLEROSIS", "CARTILAGE"),
    )
)
DISCAL = frozenset(("ANNULUS", "NUCLEUS_0", "NUCLEUS_1", "NUCLEUS_2", "NUCLEUS_3"))
IN_CANAL = frozenset(("CSF", "ROOTLET", "EPIDURAL_FAT"))
IN_CORD = frozenset(("CORD_WHITE", "CORD_GREY"))
KINDS = np.array(
    [
        next((kind for kind, names in enumerate((VERTEBRAL, DISCAL, IN_CANAL, IN_CORD), 1) if tissue.name in names), 0)
        for tissue in sorted(Tissue)
    ],
    np.uint8,
)
"""By label of the kernel: 0 nothing, 1 vertebra, 2 disc, 3 canal, 4 cord."""


def label_map(body: "Body", stack: Stack) -> NDArray[np.uint8]:
    """The label map of a stack at the centres of its pixels: (slices, rows, columns), values as in `MASK_NAMES`."""
    masks = np.zeros((stack.count, stack.rows, stack.columns), np.uint8)
    _fill(body, stack.kernel_planes(), KINDS, masks)
    return masks


@compiled
def _value(kind: int, vertebra: int, disc: int, last: int, central: bool) -> int:
    """The value of a pixel: `vertebra` is the one it lies in, `disc` the plane next to it, `last` that of L5/S1."""
    if kind == 1:
        return vertebra + 1 if vertebra < last else SACRUM
    if kind == 2:
        return SACRUM if disc > last + 1 else FIRST_DISC + disc if disc >= FIRST_PLANE else 0
    if kind == 3:
        return CANAL if central else 0
    return CORD if kind == 4 else 0


@compiled
def _fill(body: Any, planes: Any, kinds: Any, masks: Any) -> None:
    """Fill masks (S, rows, columns); planes as in `render.render_slices`."""
    contour = body.contour
    last = int(body.whole[0].last_disc)
    for s in range(planes.shape[0]):
        p = planes[s]
        for row in range(masks.shape[1]):
            hint = 22
            for column in range(masks.shape[2]):
                x = p[0, 0] + column * p[1, 0] + row * p[2, 0]
                y = p[0, 1] + column * p[1, 1] + row * p[2, 1]
                z = p[0, 2] + column * p[1, 2] + row * p[2, 2]
                x, y, z = warp(body, x, y, z)
                near = int(min(max((z - body.contour_z) * 0.5, 0.0), contour.shape[0] - 1.0))
                if abs(x - contour[near, 0]) > 60 or abs(y - contour[near, 1]) > 80:
                    continue
                i, t, u, v, up, down = locate(body, x, y, z, hint)
                if i < 0:
                    continue
                hint = i
                label = spine_tissue(body, i, t, u, v, up, down)
                if label != NOTHING:
                    k = i if up < down else i + 1
                    masks[s, row, column] = _value(kinds[label], i, k, last, abs(u) <= body.planes[k].canal_half_width)

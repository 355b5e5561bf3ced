"""The words by which a folder or a table of one's own names what a slice shows."""

from collections.abc import Mapping
from typing import Any

from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

HEADS: Mapping[str, Mapping[str, Any]] = {
    "anatomy": {"spine": Anatomy.MR_SPINE, "elsewhere": Anatomy.OTHER},
    "region": {word.value: word for word in (Region.CERVICAL, Region.THORACIC, Region.LUMBAR)},
    "plane": {word.value: word for word in (Plane.SAGITTAL, Plane.AXIAL, Plane.CORONAL)},
    "sequence": {word.value.lower(): word for word in (Sequence.T1W, Sequence.T2W, Sequence.STIR, Sequence.OTHER)},
    "cord": {"cord": True, "nocord": False},
}
"""Head -> word in small letters -> its meaning. `elsewhere` is anything but magnetic resonance of the spine."""

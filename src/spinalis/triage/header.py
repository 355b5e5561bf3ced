"""What the header and the geometry say of a series: probabilities of a small network, beside those of the pixels.

The header is evidence, not truth. The network of the pack `header` was trained on headers with tags missing and wrong,
so that a tag counts for as much as it is worth, and tags that disagree make it unsure. It sees `features`: no text,
only the flags of `words`, coded terms, and numbers in soft bins.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spinalis.errors import PackError
from spinalis.geometry import normal_of, patient_plane, position_along
from spinalis.models import Pack
from spinalis.records import FloatArray, Header, Series
from spinalis.triage import words
from spinalis.vocabulary import Anatomy, Detail, Plane, Region
from spinalis.vocabulary import Sequence as Contrast

ANATOMIES = (Anatomy.MR_SPINE, Anatomy.OTHER)
REGIONS = (Region.CERVICAL, Region.THORACIC, Region.LUMBAR)
PLANES = (Plane.SAGITTAL, Plane.AXIAL, Plane.CORONAL)
SEQUENCES = (Contrast.T1W, Contrast.T2W, Contrast.STIR, Contrast.OTHER)
DETAILS = tuple(Detail)
LOCALIZER, NO_LOCALIZER = "localizer", "no localizer"
COVERAGES: tuple[tuple[Region, ...], ...] = (
    (Region.CERVICAL,),
    (Region.THORACIC,),
    (Region.LUMBAR,),
    (Region.CERVICAL, Region.THORACIC),
    (Region.THORACIC, Region.LUMBAR),
    REGIONS,
)
"""The neighbouring regions that one series can cover."""

OUTPUTS: Mapping[str, tuple[str, ...]] = {
    "anatomy": ANATOMIES,
    "region": REGIONS,
    "plane": PLANES,
    "sequence": SEQUENCES,
    "detail": DETAILS,
    "coverage": tuple("+".join(regions) for regions in COVERAGES),
    "localizer": (NO_LOCALIZER, LOCALIZER),
}
"""Outputs of the header pack and their classes, in order; each gives logits."""

Vector = NDArray[np.float32]

TEXTS = ("body_part", "description", "protocol")
CODES: Mapping[str, tuple[str, ...]] = {
    "scanning_sequence": ("SE", "IR", "GR", "EP", "RM"),
    "sequence_variant": ("SK", "MTC", "SS", "TRSS", "SP", "MP", "OSP"),
    "image_type": (
        *("ORIGINAL", "DERIVED", "SECONDARY", "LOCALIZER", "MPR", "REFORMATTED", "PROJECTION IMAGE", "SUBTRACTION"),
        *("ADC", "DIFFUSION", "DIXON", "W", "F", "IP", "OP", "IN_PHASE", "OUT_PHASE", "OPP_PHASE", "WATER", "FAT"),
        *("P", "R", "I", "SE", "IR", "FFE", "T1", "T2", "NONE"),
    ),
}
"""Defined terms of DICOM PS3.3 C.8.3.1.1.1 and C.7.6.1.1.2, and values that vendors add, from memory."""

BINS: Mapping[str, tuple[float, ...]] = {
    "repetition_time_ms": (5, 50, 300, 500, 700, 1000, 1500, 2000, 2500, 3500, 5000, 8000),
    "echo_time_ms": (2, 5, 10, 15, 20, 30, 45, 60, 80, 110, 150, 400, 1000),
    "inversion_time_ms": (60, 90, 120, 160, 200, 280, 400, 700, 1000, 2000),
    "flip_angle_deg": (5, 10, 20, 35, 60, 90, 120, 150, 180),
    "field_strength_t": (0.3, 0.5, 1.0, 1.5, 3.0, 7.0),
}
"""Centres of the soft bins of each number."""

GEOMETRY_BINS: Mapping[str, tuple[float, ...]] = {
    "height_mm": (100, 140, 180, 220, 260, 300, 350, 420, 550, 800),
    "width_mm": (100, 140, 180, 220, 260, 300, 350, 420, 550),
    "extent_mm": (5, 15, 30, 50, 65, 80, 100, 130, 170, 250),
    "pixel_mm": (0.3, 0.5, 0.7, 0.9, 1.2, 1.6),
    "thickness_mm": (0.6, 1, 2, 3, 4, 5, 7, 10, 30),
    "step_mm": (0.6, 1, 2, 3, 4, 5, 7, 10, 15, 40),
    "slices": (1, 3, 5, 8, 12, 16, 24, 40, 80, 200),
}
"""Height is the side nearest to the patient's head-feet axis (front-back in axial slices); extent is across slices."""


def _layout() -> tuple[tuple[str, ...], dict[str, slice]]:
    """The names of the features, and the place of each tag in them."""
    parts: dict[str, tuple[str, ...]] = {
        **dict.fromkeys(TEXTS, ("given", *words.FLAGS)),
        **{code: ("given", *terms) for code, terms in CODES.items()},
        **{number: ("given", *map(str, centres)) for number, centres in BINS.items()},
        "plane": ("given", *PLANES),
        **{number: ("given", *map(str, centres)) for number, centres in GEOMETRY_BINS.items()},
    }
    names: list[str] = []
    places: dict[str, slice] = {}
    for tag, own in parts.items():
        places[tag] = slice(len(names), len(names) + len(own))
        names += [f"{tag}={name}" for name in own]
    return tuple(names), places


FEATURES, PLACES = _layout()
"""Names of the features in order, and tag -> its features. What a tag says stands in its own features alone."""

GEOMETRY_TAGS = ("plane", *GEOMETRY_BINS)
TAGS = tuple(tag for tag in PLACES if tag not in GEOMETRY_TAGS)
TAG_FEATURES = PLACES["plane"].start
"""The features of the tags come first, so many; those of the geometry follow."""

WITH_GEOMETRY = ("plane", "coverage", "localizer")
"""The outputs that hear the geometry; the others are what the tags say."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderView:
    """What a header says: output -> log-probability, and the same with the prior of the training set divided out.

    `logs` sum to 1 in probability and hold alone; `ratios` are added to the log-probabilities of other evidence: how
    much likelier such a header is with a class than it is at all.
    """

    logs: Mapping[str, FloatArray]
    ratios: Mapping[str, FloatArray]


def features(series: Series) -> Vector:
    """Header and geometry of a series as the network sees them: (len(FEATURES),), 0..1, 0 where a tag is missing."""
    found = np.zeros(len(FEATURES), np.float32)
    header = series.header
    for text in TEXTS:
        value: str | None = getattr(header, text)
        if value:
            found[PLACES[text]] = (1.0, *words.flags_of(value))
    for code, terms in CODES.items():
        given: tuple[str, ...] = getattr(header, code)
        if given:
            found[PLACES[code]] = (1.0, *(term in given for term in terms))
    for number, centres in BINS.items():
        found[PLACES[number]] = soft_bins(getattr(header, number), centres)
    _add_geometry(found, series)
    return found


def soft_bins(value: float | None, centres: Sequence[float]) -> tuple[float, ...]:
    """1 and how near a positive number is to each centre, on a logarithmic scale; all 0 where there is none.

    Neighbouring centres share a value between them, so that the entries after the first sum to 1.
    """
    if value is None or value <= 0:
        return (0.0,) * (len(centres) + 1)
    place = np.interp(np.log(value), np.log(centres), np.arange(len(centres)))
    return (1.0, *np.maximum(0.0, 1.0 - np.abs(np.arange(len(centres)) - place)))


def silent(header: Header) -> bool:
    """Whether a header says nothing that `features` could show."""
    return not any(getattr(header, tag) for tag in TAGS)


def read_header(series: Series, pack: Pack) -> HeaderView | None:
    """Ask the network.

    Args:
        series: the series; its pixels are not touched.
        pack: the `header` pack.

    Returns:
        Its answers by output; None where the header is silent.

    Raises:
        PackError: the pack was made for other features.
    """
    return None if silent(series.header) else view_of(features(series)[None], pack)[0]


def coverage_ratio(series: Series, header: HeaderView | None, pack: Pack | None) -> FloatArray | None:
    """What header and geometry say of `COVERAGES`, (6,), prior divided out; None without a pack, or without either.

    Args:
        series: the series.
        header: what its header says; where it is silent, the geometry is asked alone.
        pack: the `header` pack.

    Raises:
        PackError: the pack was made for other features.
    """
    if header is None and pack is not None and any(item.plane is not None for item in series.slices):
        header = view_of(features(series)[None], pack)[0]
    return None if header is None else header.ratios["coverage"]


def view_of(given: Vector, pack: Pack) -> tuple[HeaderView, ...]:
    """What the network says to features (N, F), one view each.

    Raises:
        PackError: the pack was made for other features.
    """
    if tuple(pack.manifest.setting("features")) != FEATURES:
        raise PackError(
            f"Pack {pack.manifest.name}: expected the {len(FEATURES)} features of this version, got others. "
            "Train it again: spinalis train header."
        )
    answers = pack.run(features=given)
    priors = pack.manifest.setting("prior")
    views = []
    for row in range(len(given)):
        logs = {name: _log_softmax(np.asarray(values[row], float)) for name, values in answers.items()}
        ratios = {name: log - np.log(priors[name]) for name, log in logs.items()}
        views.append(HeaderView(logs=logs, ratios=ratios))
    return tuple(views)


def _add_geometry(found: Vector, series: Series) -> None:
    planes = [item.plane for item in series.slices if item.plane is not None]
    sizes: dict[str, float | None] = {"slices": float(len(series.slices)), "thickness_mm": series.thickness_mm}
    if planes:
        first = planes[0]
        named = patient_plane(first)
        found[PLACES["plane"]] = (1.0, *(named is plane for plane in PLANES))
        sides = series.rows * first.row_spacing_mm, series.columns * first.column_spacing_mm
        height = 2 if named is not Plane.AXIAL else 1
        turned = abs(first.along_column[height]) < abs(first.along_row[height])
        normal = normal_of(first)
        places = np.sort([position_along(plane, normal) for plane in planes])
        sizes |= {
            "height_mm": sides[1] if turned else sides[0],
            "width_mm": sides[0] if turned else sides[1],
            "pixel_mm": min(first.row_spacing_mm, first.column_spacing_mm),
            "extent_mm": float(places[-1] - places[0]),
            "step_mm": float(np.median(np.diff(places))) if len(places) > 1 else None,
        }
    for number, centres in GEOMETRY_BINS.items():
        found[PLACES[number]] = soft_bins(sizes.get(number), centres)


def _log_softmax(logits: FloatArray) -> FloatArray:
    shifted = logits - logits.max()
    return np.asarray(shifted - np.log(np.exp(shifted).sum()), float)

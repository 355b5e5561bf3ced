"""What is known of a series or a slice, in the words of `where`: its labels, its geometry and its header."""

from dataclasses import dataclass

from spinalis.geometry import slice_spacing_mm
from spinalis.records import Judgement, Series, SeriesLabel, SlicePlane
from spinalis.triage.where import Fact
from spinalis.vocabulary import Anatomy

LABELS = ("anatomy", "region", "covers", "plane", "sequence", "cord")
"""The words that are judged, not read off, and so carry a probability."""

CONTRADICTION = "header_contradicts_pixels_"
"""How the flags of `label_series` begin that name what header and pixels are sure of differently."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """A judged label of a unit: None where it is unknown. `source` is that of a `Judgement`."""

    value: Fact | None
    probability: float
    source: str


def answers(label: SeriesLabel, index: int | None) -> dict[str, Answer]:
    """The labels of a series, or of its slice `index`.

    A slice takes all but the cord from its series, where all slices voted and the header had its say; the cord is its
    own. The cord of a series is that of its surest slice.
    """
    found = {
        "anatomy": _answer(label.anatomy),
        "region": _answer(label.region),
        "covers": _covers(label),
        "plane": _answer(label.plane),
        "sequence": _answer(label.sequence),
    }
    return {**found, "cord": _cord(label, index)}


def facts(
    measured: dict[str, Fact | None], found: dict[str, Answer], min_probability: float = 0.0
) -> dict[str, Fact | None]:
    """Everything that a rule may ask of a unit.

    Args:
        measured: what was read off its series, see `measure`.
        found: the unit's `answers`.
        min_probability: an answer less sure than this counts as unknown.

    Returns:
        A value for each of `where.WORDS`; None where it is unknown.
    """
    sure = {name: found[name].value if found[name].probability >= min_probability else None for name in LABELS}
    return {**sure, **measured}


def measure(series: Series, label: SeriesLabel) -> dict[str, Fact | None]:
    """The facts that a series and its slices share: geometry, header, and what was noticed."""
    header = series.header
    planes = [item.plane for item in series.slices if item.plane is not None]
    return {
        "contradicted": bool(contradictions(label)),
        "novelty": label.novelty,
        "geometry": len(planes) == len(series.slices),
        "localizer": _from_image_type(series, "localizer"),
        "derived": _from_image_type(series, "derived"),
        "slices": len(series.slices),
        "rows": series.rows,
        "columns": series.columns,
        "spacing_mm": _spacing(planes),
        "slice_spacing_mm": slice_spacing_mm(series),
        "thickness_mm": series.thickness_mm,
        "echo_time_ms": header.echo_time_ms,
        "repetition_time_ms": header.repetition_time_ms,
        "inversion_time_ms": header.inversion_time_ms,
        "flip_angle_deg": header.flip_angle_deg,
        "field_strength_t": header.field_strength_t,
        "modality": header.modality,
        "manufacturer": header.manufacturer,
    }


def contradictions(label: SeriesLabel) -> tuple[str, ...]:
    """What header and pixels of a series are sure of differently."""
    return tuple(flag.removeprefix(CONTRADICTION) for flag in label.flags if flag.startswith(CONTRADICTION))


def _answer(judgement: Judgement) -> Answer:  # type: ignore[type-arg]  # of any of the four enums
    value = str(judgement.label)
    return Answer(
        value=None if value == "unknown" else value, probability=judgement.probability, source=judgement.source
    )


def _covers(label: SeriesLabel) -> Answer:
    found = label.coverage
    if found is None:
        return Answer(value=None, probability=0.0, source="none")
    return Answer(value=tuple(map(str, found.label)), probability=found.probability, source=found.source)


def _cord(label: SeriesLabel, index: int | None) -> Answer:
    if label.anatomy.label is not Anatomy.MR_SPINE:
        elsewhere = False if label.anatomy.label is Anatomy.OTHER else None
        return Answer(value=elsewhere, probability=label.anatomy.probability, source=label.anatomy.source)
    seen = {item.index: item.cord for item in label.slices if index in (None, item.index)}
    if not seen:
        return Answer(value=None, probability=0.0, source="none")
    shown = set(seen) & set(label.cord_slices)
    surest = max(seen[item] for item in shown or seen)
    return Answer(value=bool(shown), probability=surest if shown else 1.0 - surest, source="pixels")


def _from_image_type(series: Series, flag: str) -> bool | None:
    """Without an ImageType nothing is known of it."""
    if flag in series.flags:
        return True
    return False if series.header.image_type else None


def _spacing(planes: list[SlicePlane]) -> float | None:
    return max(planes[0].row_spacing_mm, planes[0].column_spacing_mm) if planes else None

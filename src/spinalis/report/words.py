"""The words of the report: what stands for a probability, a level's place, a condition, a list of slices."""

from collections.abc import Collection, Iterable
from collections.abc import Sequence as Ordered

from spinalis.records import Finding, NotAssessed, Series, Vector
from spinalis.vocabulary import CONDITIONS, LEVELS, Condition, Level, Region

RESEARCH_USE_ONLY = (
    "Research use only. Not a medical device and not validated clinically; never use it for diagnosis or treatment."
)
EXPERIMENTAL = "Experimental index, not validated on patients"

RADIOLOGICAL_ORDER: tuple[Condition, ...] = (
    Condition.RIGHT_NEURAL_FORAMINAL_NARROWING,
    Condition.RIGHT_SUBARTICULAR_STENOSIS,
    Condition.SPINAL_CANAL_STENOSIS,
    Condition.LEFT_SUBARTICULAR_STENOSIS,
    Condition.LEFT_NEURAL_FORAMINAL_NARROWING,
)
"""The conditions as they lie in an axial picture: the patient's right on the left."""

SHORT_NAMES: dict[Condition, str] = {
    Condition.RIGHT_NEURAL_FORAMINAL_NARROWING: "Right foramen",
    Condition.RIGHT_SUBARTICULAR_STENOSIS: "Right subarticular",
    Condition.SPINAL_CANAL_STENOSIS: "Canal",
    Condition.LEFT_SUBARTICULAR_STENOSIS: "Left subarticular",
    Condition.LEFT_NEURAL_FORAMINAL_NARROWING: "Left foramen",
}

_LIKELIHOOD: tuple[tuple[float, str], ...] = (
    (0.99, "virtually certain"),
    (0.90, "very likely"),
    (0.66, "likely"),
    (0.33, "about as likely as not"),
    (0.10, "unlikely"),
    (0.01, "very unlikely"),
    (0.0, "exceptionally unlikely"),
)


def likelihood(probability: float) -> str:
    """Words for a probability in 0..1.

    Source:
        Mastrandrea et al. 2010, Guidance note on the consistent treatment of uncertainties, IPCC, table 1.
    """
    return next(words for least, words in _LIKELIHOOD if probability >= least)


def percent(probability: float) -> str:
    """A probability in 0..1 as a whole percentage that never claims certainty: `<1 %` ... `>99 %`."""
    if probability < 0.005:
        return "<1 %"
    return ">99 %" if probability >= 0.995 else f"{probability * 100:.0f} %"


_CONTRADICTION = "header_contradicts_pixels_"


def notes(flags: Iterable[str]) -> tuple[str, ...]:
    """The flags of a series in words, each once: `missing pixels`, `header contradicts pixels: region, sequence`."""
    found = dict.fromkeys(flags)
    contradicted = [flag.removeprefix(_CONTRADICTION) for flag in found if flag.startswith(_CONTRADICTION)]
    others = tuple(flag.replace("_", " ") for flag in found if not flag.startswith(_CONTRADICTION))
    return (*others, f"header contradicts pixels: {', '.join(contradicted)}") if contradicted else others


def covering(regions: Ordered[Region]) -> tuple[str, ...]:
    """What a series covers beside its own region: `covers cervical and thoracic`; nothing where it is one."""
    return (f"covers {joined([str(region) for region in regions])}",) if len(regions) > 1 else ()


def joined(words: Ordered[str]) -> str:
    """`a`, `a and b`, `a, b and c`."""
    return " and ".join([", ".join(words[:-1]), words[-1]]) if len(words) > 1 else "".join(words)


def place(point_lps_mm: Vector) -> str:
    """A point in LPS mm with letters instead of signs: `2 L, 31 P, 14 F` (left, posterior, feet)."""
    letters = ("LR", "PA", "HF")
    return ", ".join(f"{abs(v):.0f} {pair[round(v) < 0]}" for v, pair in zip(point_lps_mm, letters, strict=True))


def slice_name(series: Series, index: int) -> str:
    """A slice as a reader finds it again: `series 3, image 12 (slice 4 of 15)`; image is the InstanceNumber."""
    number = series.slices[index].instance_number
    name = "series without number" if series.number is None else f"series {series.number}"
    image = "" if number is None else f", image {number}"
    return f"{name}{image} (slice {index + 1} of {len(series.slices)})"


def ranges(indices: Ordered[int]) -> str:
    """Slice indices (from 0) as slice numbers (from 1), runs joined: (3, 4, 5, 8) gives `4–6, 9`."""
    runs: list[list[int]] = []
    for index in sorted(set(indices)):
        if runs and index == runs[-1][1] + 1:
            runs[-1][1] = index
        else:
            runs.append([index, index])
    return ", ".join(f"{first + 1}" if first == last else f"{first + 1}–{last + 1}" for first, last in runs)


def not_assessed(findings: Ordered[Finding]) -> tuple[tuple[str, str], ...]:
    """The missing answers as (what, why), those with one reason together, in the order of levels."""
    by_reason: dict[str, dict[Condition, list[Level]]] = {}
    for finding in findings:
        if isinstance(finding.result, NotAssessed):
            by_reason.setdefault(finding.result.reason, {}).setdefault(finding.condition, []).append(finding.level)
    return tuple((_what(missing), reason) for reason, missing in by_reason.items())


def named(conditions: Collection[Condition]) -> str:
    """Conditions in words, in radiological order: `right foramen and left foramen`, `all five conditions`."""
    if len(conditions) == len(CONDITIONS):
        return "all five conditions"
    return joined([SHORT_NAMES[condition].lower() for condition in RADIOLOGICAL_ORDER if condition in conditions])


def _what(missing: dict[Condition, list[Level]]) -> str:
    by_levels: dict[tuple[Level, ...], list[Condition]] = {}
    for condition, levels in missing.items():
        by_levels.setdefault(tuple(levels), []).append(condition)
    phrase = "; ".join(f"{named(conditions)} {_at(levels)}" for levels, conditions in by_levels.items())
    return phrase[:1].upper() + phrase[1:]


def _at(levels: Ordered[Level]) -> str:
    if len(levels) == len(LEVELS):
        return "at all levels"
    return f"at {joined([level for level in LEVELS if level in levels])}"

"""The records a report is made of. Everything is ready to be set: words, numbers and encoded pictures."""

from dataclasses import dataclass

from spinalis.vocabulary import Condition, Level, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An encoded picture. `width` and `height` are in pixels; `alt` says in words what there is to see."""

    data: bytes
    media_type: str
    width: int
    height: int
    caption: str
    alt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A label in words, its probability in 0..1, and where it comes from."""

    label: str
    probability: float
    source: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SeriesRow:
    """One series. `cord` lists the slices (from 1) that show cord or cauda; `notes` are the flags in words."""

    number: str
    slices: int
    anatomy: Verdict
    region: Verdict
    plane: Verdict
    sequence: Verdict
    cord: str
    notes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelRow:
    """One level: `seen_in` names series and slice (from 1), `place` the point in the patient (None without)."""

    level: Level
    seen_in: str
    place: str | None
    confidence: float
    confidence_words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenCell:
    """A grade that was judged on real patients; `words` is how likely it is."""

    condition: Condition
    severity: Severity
    probability: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexCell:
    """A grade proven on simulation only: the probabilities of moderate and severe, and no verdict."""

    condition: Condition
    moderate: float
    severe: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenRow:
    """One level; the cells in radiological order, None where nothing is proven on patients."""

    level: Level
    cells: tuple[ProvenCell | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexRow:
    """One level; the cells in radiological order, None where there is no experimental index."""

    level: Level
    cells: tuple[IndexCell | None, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewItem:
    """An experimental finding in the order of review; `rank` counts from 1."""

    rank: int
    level: Level
    condition: Condition
    name: str
    moderate: float
    severe: float


@dataclass(frozen=True, slots=True, kw_only=True)
class ProofNote:
    """What a group of findings was proven on: `on` is `real` or `simulation`."""

    conditions: str
    on: str
    figures: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """What was not assessed, and why."""

    what: str
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MeasurementRow:
    """A measured number, ready to print."""

    name: str
    where: str
    value: str
    method: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LevelPictures:
    """What was looked at for one level: small overviews with outlines, and the crops enlarged."""

    level: Level
    overviews: tuple[Picture, ...]
    crops: tuple[Picture, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRow:
    """A model pack that had a hand in the reading."""

    name: str
    task: str
    version: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A reading in words, tables and pictures.

    `refused` says why nothing was graded (None where something was). `review` orders the experimental findings by
    their probability of severe. `levels_picture` is None where no level was found or its slice cannot be decoded.
    """

    study: str
    banner: str
    summary: tuple[str, ...]
    refused: str | None
    series: tuple[SeriesRow, ...]
    levels: tuple[LevelRow, ...]
    levels_picture: Picture | None
    proven: tuple[ProvenRow, ...]
    experimental: tuple[IndexRow, ...]
    review: tuple[ReviewItem, ...]
    proofs: tuple[ProofNote, ...]
    measurements: tuple[MeasurementRow, ...]
    missing: tuple[Missing, ...]
    looked_at: tuple[LevelPictures, ...]
    warnings: tuple[str, ...]
    packs: tuple[PackRow, ...]
    timings_s: tuple[tuple[str, float], ...]
    version: str

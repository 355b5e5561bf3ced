"""Headers to learn from: simulated ones, with tags dropped and corrupted.

Features of one tag stand apart from those of the others (`triage.header.PLACES`), so a tag is dropped by zeros, and
swapped by taking another series' features of it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from spinalis.train.data.header_studies import HeaderSeries, header_series
from spinalis.triage.header import COVERAGES, GEOMETRY_TAGS, OUTPUTS, PLACES, TAGS, TEXTS, Vector, features
from spinalis.triage.words import FLAGS
from spinalis.vocabulary import Anatomy, Detail

PART_WORDS: Mapping[str, Mapping[str, str]] = {
    "BRAIN": {"en": "BRAIN", "de": "Kopf", "fr": "CRANE", "es": "CEREBRO"},
    "KNEE": {"en": "KNEE", "de": "Knie", "fr": "GENOU", "es": "RODILLA"},
    "SHOULDER": {"en": "SHOULDER", "de": "Schulter", "fr": "EPAULE", "es": "HOMBRO"},
    "ABDOMEN": {"en": "LIVER", "de": "Abdomen", "fr": "FOIE", "es": "ABDOMEN"},
    "PELVIS": {"en": "PELVIS", "de": "Becken", "fr": "BASSIN", "es": "PELVIS"},
    "HEART": {"en": "CARDIAC", "de": "Herz", "fr": "COEUR", "es": "CORAZON"},
    "PROSTATE": {"en": "PROSTATE", "de": "Prostata", "fr": "PROSTATE", "es": "PROSTATA"},
    "ANKLE": {"en": "ANKLE", "de": "Sprunggelenk", "fr": "CHEVILLE", "es": "ANKLE"},
    "WRIST": {"en": "WRIST", "de": "Handgelenk", "fr": "WRIST", "es": "HAND"},
    "BREAST": {"en": "BREAST", "de": "Mamma", "fr": "SEIN", "es": "MAMA"},
    "PHANTOM": {"en": "PHANTOM", "de": "Phantom", "fr": "FANTOME", "es": "FANTOMA"},
}
"""How other anatomy is called in a description. From memory."""

PART_NAMED = 0.4
"""Share of series of other anatomy whose description says of what. An assumption, near that of spines."""


T1_GRADIENT_ECHOES: Mapping[Anatomy, float] = {Anatomy.OTHER: 0.35, Anatomy.MR_SPINE: 0.04}
"""Share of T1w series that are spoiled gradient echoes. Assumptions: usual in head and belly, rare in the spine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SpoiledEcho:
    """A T1-weighted gradient echo: what vendors call it, and from where to where its times (ms) and flip angle go."""

    words: tuple[str, ...]
    codes: tuple[str, ...]
    repetition_ms: tuple[float, float]
    echo_ms: tuple[float, float]
    flip_deg: tuple[float, float]
    inversion_ms: tuple[float, float] | None = None


SPOILED_ECHOES: tuple[SpoiledEcho, ...] = (
    SpoiledEcho(
        words=("MPRAGE", "t1_mprage", "T1 3D TFE", "BRAVO", "T1 MPRAGE ISO"),
        codes=("GR", "IR"),
        repetition_ms=(1500, 2500),
        echo_ms=(2, 4.5),
        flip_deg=(7, 12),
        inversion_ms=(700, 1100),
    ),
    SpoiledEcho(
        words=("3D T1 TFE", "FSPGR BRAVO", "T1 FFE 3D"),
        codes=("GR",),
        repetition_ms=(6, 12),
        echo_ms=(2, 5),
        flip_deg=(8, 25),
    ),
    SpoiledEcho(
        words=("T1 VIBE", "LAVA", "THRIVE", "t1_vibe", "T1 3D FS"),
        codes=("GR",),
        repetition_ms=(3, 6),
        echo_ms=(1, 2.5),
        flip_deg=(8, 15),
    ),
    SpoiledEcho(
        words=("t1_fl2d", "T1 FLASH", "T1 FFE", "T1 SPGR"),
        codes=("GR",),
        repetition_ms=(80, 400),
        echo_ms=(2, 5),
        flip_deg=(50, 90),
    ),
)
"""Usual protocols. Source: Bernstein, King, Zhou, Handbook of MRI Pulse Sequences (2004), chapter 14; from memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoiling:
    """How headers are spoilt in training: shares of the series, all of them assumptions.

    `whole` keep every tag that they have; the others lose each tag by a chance drawn from 0 to `most_missing`. `bare`
    have no geometry. Of all, `swapped` carry the header of another study, and `mixed` one or two groups of its tags;
    `misled` carry words that do not belong there.
    """

    whole: float = 0.4
    most_missing: float = 0.8
    bare: float = 0.1
    swapped: float = 0.05
    mixed: float = 0.12
    misled: float = 0.08


GROUPS: tuple[tuple[str, ...], ...] = (
    ("body_part",),
    ("description", "protocol"),
    ("description",),
    TEXTS,
    ("repetition_time_ms", "echo_time_ms", "inversion_time_ms", "flip_angle_deg"),
    ("scanning_sequence", "sequence_variant"),
    ("image_type",),
)
"""Tags that go wrong together."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class HeaderSet:
    """N series: features (N, F) and class indices (N, outputs) in the order of `OUTPUTS`, -1 where there is none."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]

    def prior(self) -> dict[str, list[float]]:
        """The share of each class of each output, one case added to each."""
        found = {}
        for column, (name, classes) in enumerate(OUTPUTS.items()):
            known = self.labels[:, column][self.labels[:, column] >= 0]
            counts = np.bincount(known, minlength=len(classes)) + 1.0
            found[name] = [round(float(share), 5) for share in counts / counts.sum()]
        return found


def simulated_headers(bodies: Mapping[str, int], visits: int, seed: int) -> HeaderSet:
    """Series of simulated studies without pixels, by profile."""
    rng = np.random.default_rng([seed, 3])
    series = [
        named(rng, spoiled_echo(rng, item))
        for profile, count in bodies.items()
        for item in header_series(seed, count, visits, profile)
    ]
    return HeaderSet(
        features=np.stack([features(item.series) for item in series]),
        labels=np.array(list(map(classes_of, series)), np.int64),
    )


def named(rng: np.random.Generator, item: HeaderSeries) -> HeaderSeries:
    """The same series; other anatomy is named in `PART_NAMED` of the descriptions."""
    header = item.series.header
    if item.part not in PART_WORDS or rng.random() >= PART_NAMED or header.description is None:
        return item
    text = f"{header.description} {PART_WORDS[item.part][item.language]}"
    said = replace(header, description=text, protocol=text if header.protocol else None)
    return replace(item, series=replace(item.series, header=said))


def spoiled_echo(rng: np.random.Generator, item: HeaderSeries) -> HeaderSeries:
    """The same series; of the T1w ones some (`T1_GRADIENT_ECHOES`) become spoiled gradient echoes, by their header.

    The simulator makes T1w with spin echoes only, so that a gradient echo would always be taken for T2*w.
    """
    if item.contrast is not Detail.T1W or rng.random() >= T1_GRADIENT_ECHOES.get(item.anatomy, 0.0):
        return item
    echo = SPOILED_ECHOES[int(rng.integers(len(SPOILED_ECHOES)))]
    header = item.series.header
    text = " ".join([echo.words[int(rng.integers(len(echo.words)))], str(item.plane)[:3]])
    said = replace(
        header,
        description=None if header.description is None else text,
        protocol=None if header.protocol is None else text,
        scanning_sequence=echo.codes if header.scanning_sequence else (),
        sequence_variant=("SP",) if header.sequence_variant else (),
        repetition_time_ms=float(rng.uniform(*echo.repetition_ms)),
        echo_time_ms=float(rng.uniform(*echo.echo_ms)),
        inversion_time_ms=float(rng.uniform(*echo.inversion_ms)) if echo.inversion_ms else None,
        flip_angle_deg=float(rng.uniform(*echo.flip_deg)),
    )
    return replace(item, series=replace(item.series, header=said))


def classes_of(item: HeaderSeries) -> tuple[int, ...]:
    """Class indices of a series in the order of `OUTPUTS`; -1 for a region in other anatomy, or where several share."""
    truth = {
        "anatomy": item.anatomy,
        "region": item.region,
        "plane": item.plane,
        "sequence": item.sequence,
        "detail": item.contrast.value,
        "coverage": "+".join(item.covered) if item.covered in COVERAGES else "",
        "localizer": OUTPUTS["localizer"][item.localizer],
    }
    return tuple(
        list(map(str, classes)).index(str(truth[name])) if str(truth[name]) in map(str, classes) else -1
        for name, classes in OUTPUTS.items()
    )


def spoilt(rng: np.random.Generator, own: Vector, other: Vector, how: Spoiling) -> Vector:
    """Features (F,) of a series with tags dropped and corrupted; `other` are those of a series of another study."""
    found = own.copy()
    for tag in _wrong_tags(rng, how):
        found[PLACES[tag]] = other[PLACES[tag]]
    if rng.random() < how.misled:
        place = PLACES[TEXTS[int(rng.integers(len(TEXTS)))]]
        found[place.start] = 1.0
        found[place.start + 1 + rng.integers(len(FLAGS), size=int(rng.integers(1, 4)))] = 1.0
    if rng.random() >= how.whole:
        chance = rng.uniform(0, how.most_missing)
        for tag in PLACES:
            if rng.random() < chance:
                found[PLACES[tag]] = 0.0
    if rng.random() < how.bare:
        for tag in GEOMETRY_TAGS:
            found[PLACES[tag]] = 0.0
    return found


def _wrong_tags(rng: np.random.Generator, how: Spoiling) -> Iterator[str]:
    draw = rng.random()
    if draw < how.swapped:
        yield from TAGS
    elif draw < how.swapped + how.mixed:
        for place in rng.choice(len(GROUPS), int(rng.integers(1, 3)), replace=False):
            yield from GROUPS[int(place)]

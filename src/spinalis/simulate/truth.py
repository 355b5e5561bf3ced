"""What is true of a simulated body: points, grades, measurements, all taken from the anatomy that is rendered."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from spinalis.records import FloatArray, Vector
from spinalis.simulate.anatomy import NAMES, Subject
from spinalis.simulate.disease import Disease
from spinalis.simulate.grades import Judgement, Measures, measurement_table, severities, side_index
from spinalis.simulate.junction import Junction, planes_of_levels
from spinalis.vocabulary import Condition, Level, Severity, Side

if TYPE_CHECKING:
    from spinalis.simulate.coordinates import Body


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What is true of a simulated body; points in LPS mm.

    `levels` and `landmarks` (T11/T12, T12/L1, S1/S2) are posterior disc edges at the canal in the midline, `foramina`
    the centres of the foramina, `recesses` the places of the traversing roots. Outside the lumbar profiles there are
    no `judgements`, `disease`, `measurements`, `foramina` and `recesses`; in the profile `other` there is nothing.
    Levels are counted from the sacrum (see `junction`); `counted_from_c2` has the same discs' names counted from above.
    """

    levels: dict[Level, Vector] = field(default_factory=dict)
    landmarks: dict[str, Vector] = field(default_factory=dict)
    foramina: dict[tuple[Level, Side], Vector] = field(default_factory=dict)
    recesses: dict[tuple[Level, Side], Vector] = field(default_factory=dict)
    junction: Junction = Junction.REGULAR
    counted_from_c2: dict[Level, str] = field(default_factory=dict)
    judgements: dict[tuple[Condition, Level], Judgement] = field(default_factory=dict)
    disease: Disease | None = None
    measurements: dict[tuple[str, Level, Side | None], float] = field(default_factory=dict)

    @property
    def grades(self) -> dict[tuple[Condition, Level], Severity]:
        """The exact grades."""
        return severities(self.judgements)


def measures_of(body: "Body") -> Measures:
    """The measuring functions of the kernel, bound to a body."""
    from spinalis.simulate.measures import measure_canal, measure_foramen, measure_recess  # noqa: PLC0415

    return Measures(
        plane_of_level=planes_of_levels(int(body.whole["last_disc"][0])),
        canal=lambda k: measure_canal(body, k),
        recess=lambda k, s: measure_recess(body, k, s),
        foramen=lambda k, s: measure_foramen(body, k, s),
    )


def truth_of(
    subject: Subject,
    body: "Body",
    measures: Measures,
    judgements: dict[tuple[Condition, Level], Judgement],
    disease: Disease | None = None,
) -> Truth:
    """Take every point and measure from the anatomy as it is; without judgements, only the discs' edges."""
    from spinalis.simulate.kernel import disc_edge, recess_gap  # noqa: PLC0415

    planes, frames = subject.planes, subject.frames

    def point(k: int, u: float, v: float, q: float) -> Vector:
        slip = 0.5 * float(planes["slip"][k]) * float(np.clip(q / planes["half_height"][k], -1, 1))
        at = frames[k, 0] + u * frames[k, 1] + (v - slip) * frames[k, 2] + q * frames[k, 3]
        return _unwarped(body, at)

    def edge(k: int) -> Vector:
        wall = float(planes["half_depth"][k])
        return point(k, 0.0, disc_edge(planes[k], subject.sides[k, 0], wall, 0.0, 0.0), 0.0)

    foramina: dict[tuple[Level, Side], Vector] = {}
    recesses: dict[tuple[Level, Side], Vector] = {}
    for level, k in subject.plane_of_level.items() if judgements else ():
        wall = float(planes["half_depth"][k])
        for side in Side:
            s = side_index(side)
            sign = 1.0 if side is Side.LEFT else -1.0
            u = sign * (float(planes["canal_half_width"][k]) + 6)
            foramina[level, side] = point(k, u, wall + 4.5, 0.45 * float(subject.vertebrae["pedicle_low"][k - 1]))
            au, front, back, _ = recess_gap(body, k, s, -1.0)
            recesses[level, side] = point(k, sign * au, wall + 0.5 * (front + back), -1.0)
    return Truth(
        levels={level: edge(k) for level, k in subject.plane_of_level.items()},
        landmarks={name: edge(k) for name, k in subject.plane_of_landmark.items()},
        junction=subject.junction,
        counted_from_c2={level: f"{NAMES[k - 1]}/{NAMES[k]}" for level, k in subject.plane_of_level.items()},
        foramina=foramina,
        recesses=recesses,
        judgements=judgements,
        disease=disease,
        measurements=measurement_table(measures) if judgements else {},
    )


def _unwarped(body: "Body", at: FloatArray) -> Vector:
    """Where a place of the smooth anatomy is seen in the warped body."""
    from spinalis.simulate.coordinates import warp  # noqa: PLC0415

    guess = at.copy()
    for _ in range(6):
        guess = guess + at - np.asarray(warp(body, guess[0], guess[1], guess[2]))
    return float(guess[0]), float(guess[1]), float(guess[2])


def truth_document(truth: Truth) -> dict[str, Any]:
    """The truth as plain JSON values."""
    return {
        "levels": {level.value: point for level, point in truth.levels.items()},
        "landmarks": truth.landmarks,
        "junction": truth.junction.value,
        "counted_from_c2": {level.value: name for level, name in truth.counted_from_c2.items()},
        "foramina": [_placed(key, point) for key, point in truth.foramina.items()],
        "recesses": [_placed(key, point) for key, point in truth.recesses.items()],
        "grades": [
            {
                "condition": condition.value,
                "level": level.value,
                "severity": judgement.severity.value,
                "score": round(judgement.score, 3),
                "borderline": judgement.borderline,
                "read": judgement.read.value,
            }
            for (condition, level), judgement in truth.judgements.items()
        ],
        "disease": _diseased(truth.disease) if truth.disease else None,
        "measurements": [
            {"name": name, "level": level.value, "side": side.value if side else None, "value": value}
            for (name, level, side), value in truth.measurements.items()
        ],
    }


def _diseased(disease: Disease) -> dict[str, Any]:
    return {
        "pfirrmann": {level.value: grade for level, grade in disease.pfirrmann.items()},
        "bulging": [level.value for level in disease.bulging],
        "lesions": [
            {
                "kind": lesion.kind.value,
                "place": lesion.place,
                "side": lesion.side.value if lesion.side else None,
                "size_mm": round(lesion.size_mm, 1),
                "upwards": lesion.upwards,
                "acute": lesion.acute,
            }
            for lesion in disease.lesions
        ],
    }


def _placed(key: tuple[Level, Side], point: Vector) -> dict[str, Any]:
    return {"level": key[0].value, "side": key[1].value, "point_lps_mm": point}

"""What must be true of the reading of a tortured study, as data that can be written, read back and checked."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from spinalis.records import Vector
from spinalis.vocabulary import LEVELS, Anatomy, Condition, Level, Plane

Json = dict[str, Any]

OK, FAILURE, PARTIAL, NOTHING_GRADABLE = 0, 1, 3, 4
"""The exit codes of `spinalis read`; see `apps.exit_codes`."""

FINDINGS = 25
SAME_PLACE_MM = 1e-3

SAME_LEVEL_MM = 12.0
"""About a third of the distance between two lumbar levels."""

HALF_PITCH_MM = 18.0
"""About half of it: a level that lies farther from its place bears a wrong name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Likeness:
    """The answer must be that of the plain study with the same variant.

    Levels lie within `within_mm` of its levels (None: only the same levels are found, or their number where the
    patient's axes were turned). `grades` is `equal`, `mirrored` (left and right change places) or `free`.
    """

    within_mm: float | None = 0.01
    grades: str = "equal"


@dataclass(frozen=True, slots=True, kw_only=True)
class ExpectedSeries:
    """What must be said of the series of one number, or of those without one, all parts together.

    `slices` is how many must be there; `parts` the least and the most records it may be divided into; `planes` and
    `anatomies` the labels that may be given (none named: any); `flags` must be on at least one part.
    """

    number: int | None
    slices: int
    parts: tuple[int, int] = (1, 1)
    planes: tuple[Plane, ...] = ()
    anatomies: tuple[Anatomy, ...] = ()
    flags: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """The expected answer of one study.

    `codes` are the exit codes allowed; `studies` how many the input holds; `not_assessed` the findings that must
    carry no grade (condition or level None: all of them), a level being the one that is found within `SAME_LEVEL_MM`
    of where it truly lies, in `places` (LPS mm), whatever the reader calls it; `notices` the kinds of warning that
    must be given; `doubted` that levels are either not given or their numbering is doubted; `placed` that every
    level lies next to its own true place, within `HALF_PITCH_MM`, or the numbering is doubted.
    """

    kind: str
    codes: tuple[int, ...] = (OK,)
    studies: int = 1
    series: tuple[ExpectedSeries, ...] = ()
    like: Likeness | None = None
    not_assessed: tuple[tuple[Condition | None, Level | None], ...] = ()
    places: tuple[tuple[Level, Vector], ...] = ()
    notices: tuple[str, ...] = ()
    doubted: bool = False
    placed: bool = False

    def document(self) -> Json:
        """As plain JSON values."""
        return asdict(self)

    def check(self, answer: "Answer", plain: "Answer") -> tuple[str, ...]:
        """The expectations that an answer breaks, as sentences; none where all is well.

        Args:
            answer: that of the tortured study.
            plain: that of the plain study of the same variant.
        """
        broken = [*self._code(answer, plain), *_laws(answer)]
        if len(answer.readings) != self.studies:
            return (*broken, f"{self.studies} studies expected, got {len(answer.readings)}")
        for expected in self.series:
            broken += _check_series(expected, answer)
        broken += self._missing(answer)
        given = {warning["kind"] for reading in answer.readings for warning in reading["warnings"]}
        broken += [
            f"warning {kind} expected, got {sorted(given) or 'none'}" for kind in self.notices if kind not in given
        ]
        if self.doubted and any(reading["levels"] for reading in answer.readings) and "numbering_doubt" not in given:
            broken.append("levels are given without doubt")
        if self.placed and "numbering_doubt" not in given:
            broken += self._misplaced(answer)
        if self.like is not None:
            broken += _unlike(self.like, answer, plain)
        return tuple(broken)

    def _code(self, answer: "Answer", plain: "Answer") -> Iterable[str]:
        allowed = {*self.codes, *((plain.code,) if OK in self.codes else ())}
        if answer.code not in allowed:
            yield f"exit code {sorted(self.codes)} expected, got {answer.code} {answer.error}".rstrip()

    def _missing(self, answer: "Answer") -> Iterable[str]:
        for reading in answer.readings:
            for condition, level in self.not_assessed:
                graded = [
                    finding["column"]
                    for finding in reading["findings"]
                    if finding["condition"] == (condition or finding["condition"])
                    and (level is None or finding["level"] in self._named(level, reading))
                    and "severity" in finding
                ]
                if graded:
                    yield f"no grade expected, got one for {', '.join(graded)}"

    def _misplaced(self, answer: "Answer") -> Iterable[str]:
        names, places = [level.value for level, _ in self.places], [place for _, place in self.places]
        for found in (level for reading in answer.readings for level in reading["levels"]):
            if found["point_lps_mm"]:
                away = np.linalg.norm(np.subtract(places, found["point_lps_mm"]), axis=1)
                if names[int(away.argmin())] != found["level"] or away.min() > HALF_PITCH_MM:
                    yield f"{found['level']} is given without doubt where it is not"

    def _named(self, level: Level, reading: Json) -> set[str]:
        """What the reader calls the level that truly lies there."""
        place = dict(self.places)[level]
        return {
            found["level"]
            for found in reading["levels"]
            if found["point_lps_mm"] and np.linalg.norm(np.subtract(found["point_lps_mm"], place)) < SAME_LEVEL_MM
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a reader made of one input: its exit code, its error, and one `reading.json` per study."""

    code: int
    readings: tuple[Json, ...] = ()
    error: str = field(default="")


def expectation_of(document: Json) -> Expectation:
    """The expectation that `Expectation.document` gave; what is unknown in it raises."""
    values = dict(document)
    like, series = values.pop("like"), values.pop("series")
    return Expectation(
        kind=values["kind"],
        codes=tuple(values["codes"]),
        studies=values["studies"],
        series=tuple(
            ExpectedSeries(
                number=one["number"],
                slices=one["slices"],
                parts=(one["parts"][0], one["parts"][1]),
                planes=tuple(map(Plane, one["planes"])),
                anatomies=tuple(map(Anatomy, one["anatomies"])),
                flags=tuple(one["flags"]),
            )
            for one in series
        ),
        like=None if like is None else Likeness(**like),
        not_assessed=tuple((c and Condition(c), v and Level(v)) for c, v in values["not_assessed"]),
        places=tuple((Level(name), (p[0], p[1], p[2])) for name, p in values["places"]),
        notices=tuple(values["notices"]),
        doubted=values["doubted"],
        placed=values["placed"],
    )


def _check_series(expected: ExpectedSeries, answer: Answer) -> Iterable[str]:
    parts = [one for reading in answer.readings for one in reading["series"] if one["number"] == expected.number]
    name = f"series {expected.number}"
    least, most = expected.parts
    if not least <= len(parts) <= most:
        yield f"{name}: {least} to {most} parts expected, got {len(parts)}"
    slices = sum(len(part["slices"]) for part in parts)
    if slices != expected.slices:
        yield f"{name}: {expected.slices} slices expected, got {slices}"
    for field_name, allowed in (("plane", expected.planes), ("anatomy", expected.anatomies)):
        said = {part[field_name]["label"] for part in parts}
        if allowed and not said <= {str(word) for word in allowed}:
            yield f"{name}: {field_name} {' or '.join(allowed)} expected, got {' and '.join(sorted(said))}"
    flags = {flag for part in parts for flag in part["flags"]}
    if lost := set(expected.flags) - flags:
        yield f"{name}: flags {sorted(lost)} expected, got {sorted(flags)}"


def _laws(answer: Answer) -> Iterable[str]:
    """What holds for every reading."""
    if answer.code == PARTIAL and not any(_says_why(reading) for reading in answer.readings):
        yield "partial without a warning or a flag that says why"
    if answer.code == FAILURE and not answer.error:
        yield "failure without a reason"
    for reading in answer.readings:
        yield from _laws_of_levels(reading)
        yield from (
            f"series {one['number']}: slices are not in the order of their position"
            for one in reading["series"]
            if not _in_order(one)
        )


def _laws_of_levels(reading: Json) -> Iterable[str]:
    if len(reading["findings"]) != FINDINGS:
        yield f"{FINDINGS} findings expected, got {len(reading['findings'])}"
    found = {level["level"] for level in reading["levels"]}
    if any("severity" in finding and finding["level"] not in found for finding in reading["findings"]):
        yield "a level that was not found is graded"
    heights = [level["point_lps_mm"][2] for level in reading["levels"] if level["point_lps_mm"]]
    if any(upper <= lower for upper, lower in pairwise(heights)):
        yield "levels are not in order from head to feet"
    sizes = {one["key"]: (one["rows"], one["columns"]) for one in reading["series"]}
    for level in reading["levels"]:
        rows, columns = sizes[level["series"]]
        if not (-0.5 <= level["row"] <= rows - 0.5 and -0.5 <= level["column"] <= columns - 0.5):
            yield f"{level['level']} lies outside of its picture"


def _says_why(reading: Json) -> bool:
    flags = {flag for one in reading["series"] for flag in one["flags"]}
    return bool(reading["warnings"]) or bool(flags & {"unreadable_slices", "missing_pixels"})


def _in_order(series: Json) -> bool:
    """Right to left, front to back or feet to head, after the direction in which the stack is longest."""
    points = [item["position_lps_mm"] for item in series["slices"]]
    if len(points) < 2 or None in points or series["plane"]["label"] not in tuple(Plane)[:3]:
        return True
    axis = {Plane.SAGITTAL: 0, Plane.CORONAL: 1, Plane.AXIAL: 2}[Plane(series["plane"]["label"])]
    return bool(np.all(np.diff(np.asarray(points)[:, axis]) >= -SAME_PLACE_MM))


def _unlike(like: Likeness, answer: Answer, plain: Answer) -> Iterable[str]:
    for reading, model in zip(answer.readings, plain.readings * len(answer.readings), strict=False):
        here = {level["level"]: level["point_lps_mm"] for level in reading["levels"]}
        there = {level["level"]: level["point_lps_mm"] for level in model["levels"]}
        if here.keys() != there.keys():
            yield f"levels {sorted(there)} expected, got {sorted(here)}"
            continue
        for level in LEVELS if like.within_mm is not None else ():
            if level in here and here[level] is not None:
                distance = float(np.linalg.norm(np.subtract(here[level], there[level])))
                if distance > (like.within_mm or 0.0):
                    yield f"{level} expected within {like.within_mm} mm of the plain study's, got {distance:.2f} mm"
        if like.grades != "free":
            yield from _other_grades(reading, model, mirrored=like.grades == "mirrored")


def _other_grades(reading: Json, model: Json, *, mirrored: bool) -> Iterable[str]:
    swap = {"left": "right", "right": "left"} if mirrored else {}
    wanted = {}
    for finding in model["findings"]:
        first, _, rest = finding["column"].partition("_")
        wanted[f"{swap.get(first, first)}_{rest}"] = finding.get("severity")
    differ = [f["column"] for f in reading["findings"] if f.get("severity") != wanted[f["column"]]]
    if differ:
        yield f"the grades of the plain study expected, got {len(differ)} others: {', '.join(differ[:3])}"

"""Stage 4: how severe is each condition at each level?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from spinalis.grade.crops import SLOTS, Bag, collect
from spinalis.grade.operating import calibrated, called, has_level_prior, not_excluded
from spinalis.models import Pack
from spinalis.records import (
    Evidence,
    Finding,
    FloatArray,
    Graded,
    Landmark,
    NotAssessed,
    Proof,
    SeriesLabel,
    Study,
)
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level, Severity, Side

OUTPUTS: Mapping[Condition, str] = {
    Condition.SPINAL_CANAL_STENOSIS: "canal",
    Condition.LEFT_NEURAL_FORAMINAL_NARROWING: "foraminal",
    Condition.RIGHT_NEURAL_FORAMINAL_NARROWING: "foraminal",
    Condition.LEFT_SUBARTICULAR_STENOSIS: "subarticular",
    Condition.RIGHT_SUBARTICULAR_STENOSIS: "subarticular",
}

VIEWS_OF: Mapping[str, tuple[str, ...]] = {
    "canal": ("sagittal_t2", "axial_t2"),
    "foraminal": ("sagittal_t1",),
    "subarticular": ("axial_t2",),
}
"""The views that each output looks at. Source: the series that the readers of the RSNA 2024 set graded on."""

_SHOWN_FROM_MM = {"foraminal": 12.0}
"""A foramen counts as shown where a slice at least this far from the midline is there; see `crops.VIEWS`."""

_MISSING = {
    "canal": "no sagittal T2w/STIR or axial T2w slice shows this level",
    "foraminal": "no sagittal T1w slice shows this foramen",
    "subarticular": "no axial T2w slice shows this level",
}

_HIDDEN = "the slices of this level cannot be decoded, are blank, or give no signal here, as beside metal"

SIDES = (Side.LEFT, Side.RIGHT)
MOST_EVIDENCE = 3


def slots_of(output: str) -> list[int]:
    """The places in a bag that an output looks at."""
    return [slot for slot, (view, _) in enumerate(SLOTS) if view.name in VIEWS_OF[output]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """Model outputs of all (level, side) rows, per output: probabilities (rows, 3), attention (rows, slots), maps.

    `maps` (rows, 3, slots, h, w) say what each place adds to each grade; a pack made without has none.
    """

    bags: Mapping[tuple[Level, Side], Bag]
    row: Mapping[tuple[Level, Side], int]
    probabilities: Mapping[str, FloatArray]
    attention: Mapping[str, FloatArray]
    maps: Mapping[str, FloatArray]


def grade_study(
    study: Study,
    labels: tuple[SeriesLabel, ...],
    landmarks: tuple[Landmark, ...],
    pack: Pack,
    sensitivity: float | None = None,
) -> tuple[Finding, ...]:
    """Grade five conditions at five levels.

    Args:
        study: the study.
        labels: what its series are.
        landmarks: the levels found; a level that is not among them is not assessed.
        pack: the `grade` pack.
        sensitivity: also say which grades are not excluded at this sensitivity; one that the pack offers.

    Returns:
        25 findings, condition by condition, each graded or with the reason why not.

    Raises:
        PackError: the pack lacks a setting, or does not offer this sensitivity.
    """
    points = {mark.level: mark.point_lps_mm for mark in landmarks}
    study = _same_frame(study, landmarks)
    spec = pack.manifest.input("crops")
    bags = {
        (level, side): collect(study, labels, point, side, spec)
        for level, point in points.items()
        if point is not None
        for side in SIDES
    }
    answers = _ask(bags, pack) if bags else None
    findings = []
    for condition in CONDITIONS:
        for level in LEVELS:
            if level not in points:
                result: Graded | NotAssessed = NotAssessed(reason="the level was not found")
            elif answers is None or points[level] is None:
                result = NotAssessed(reason="the series carries no positions, so nothing can be cut in millimetres")
            else:
                result = _result(condition, level, answers, (pack, sensitivity))
            findings.append(Finding(condition=condition, level=level, result=result))
    return tuple(findings)


def _same_frame(study: Study, landmarks: tuple[Landmark, ...]) -> Study:
    """The study without the series whose millimetres are not those of the levels: the patient moved between them."""
    homes = {mark.location.series_key for mark in landmarks}
    frames = {series.frame_of_reference_uid for series in study.series if series.key in homes}
    return replace(study, series=tuple(item for item in study.series if item.frame_of_reference_uid in frames))


def _ask(bags: Mapping[tuple[Level, Side], Bag], pack: Pack) -> _Answers:
    crops = np.stack([bag.crops for bag in bags.values()])
    mask = np.stack([bag.mask for bag in bags.values()])
    raw = pack.run(crops=crops, mask=mask)
    settings = pack.manifest.setting("calibration")
    levels = np.array([LEVELS.index(level) for level, _ in bags]) if has_level_prior(pack.manifest) else None
    return _Answers(
        bags=bags,
        row={key: row for row, key in enumerate(bags)},
        probabilities={name: calibrated(np.asarray(raw[name], float), settings[name], levels) for name in VIEWS_OF},
        attention={name: np.asarray(raw[f"{name}_attention"], float) for name in VIEWS_OF},
        maps={name: np.asarray(raw[f"{name}_map"], float) for name in VIEWS_OF if f"{name}_map" in raw},
    )


def _result(
    condition: Condition, level: Level, answers: _Answers, asked: tuple[Pack, float | None]
) -> Graded | NotAssessed:
    pack, sensitivity = asked
    output = OUTPUTS[condition]
    sides = SIDES if condition.side is None else (condition.side,)
    keys = [(level, side) for side in sides]
    slots = slots_of(output)
    shown = [slot for slot in slots if SLOTS[slot][1] >= _SHOWN_FROM_MM.get(output, -np.inf)]
    if not any(answers.bags[key].mask[shown].any() for key in keys):
        hidden = any(answers.bags[key].hidden[shown].any() for key in keys)
        return NotAssessed(reason=_HIDDEN if hidden else _MISSING[output])
    rows = [answers.row[key] for key in keys]
    mean = answers.probabilities[output][rows].mean(axis=0)
    score = pack.manifest.score(output)
    severity = called(mean, LEVELS.index(level), pack.manifest, output)
    return Graded(
        severity=severity,
        probabilities=(float(mean[0]), float(mean[1]), float(mean[2])),
        evidence=_evidence(keys[0], output, severity, answers, pack),
        sensitivity=sensitivity,
        not_excluded=() if sensitivity is None else not_excluded(mean, sensitivity, pack.manifest, output),
        proof=Proof(on=score.on, figures=score.figures),
    )


def _evidence(
    key: tuple[Level, Side], output: str, severity: Severity, answers: _Answers, pack: Pack
) -> tuple[Evidence, ...]:
    """The crops of one level and side with the greatest attention, each with its heat where the pack gives maps."""
    bag, row, spec = answers.bags[key], answers.row[key], pack.manifest.input("crops")
    attention, spacing = answers.attention[output][row], spec.spacing_mm or 1.0
    found: list[Evidence] = []
    for slot in sorted(slots_of(output), key=lambda item: -attention[item]):
        place = bag.places[slot]
        if place is not None and len(found) < MOST_EVIDENCE:
            heat = None
            if output in answers.maps:
                mirrored = SLOTS[slot][0].mirrored and key[1] is Side.RIGHT
                heat = _heat(answers.maps[output][row, :, slot], severity, mirrored=mirrored)
            found.append(
                Evidence(
                    location=place,
                    height=spec.height * spacing,
                    width=spec.width * spacing,
                    unit="mm",
                    attention=float(attention[slot]),
                    heat=heat,
                )
            )
    return tuple(found)


def _heat(shares: FloatArray, severity: Severity, *, mirrored: bool) -> tuple[tuple[float, ...], ...]:
    """What speaks for the grade that is called against the mean of the other two, place by place of a crop."""
    chosen = SEVERITIES.index(severity)
    heat = shares[chosen] - np.delete(shares, chosen, axis=0).mean(axis=0)
    heat = heat[:, ::-1] if mirrored else heat
    return tuple(tuple(float(value) for value in line) for line in heat)

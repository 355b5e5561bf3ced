"""Stage 4: how severe is each condition at each level?"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from spinalis.grade.crops import SLOTS, Bag, collect
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
from spinalis.vocabulary import CONDITIONS, LEVELS, SEVERITIES, Condition, Level, Side

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

SIDES = (Side.LEFT, Side.RIGHT)
MOST_EVIDENCE = 3


def slots_of(output: str) -> list[int]:
    """The places in a bag that an output looks at."""
    return [slot for slot, (view, _) in enumerate(SLOTS) if view.name in VIEWS_OF[output]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answers:
    """Model outputs of all (level, side) rows: probabilities (rows, 3) and attention (rows, slots) per output."""

    bags: Mapping[tuple[Level, Side], Bag]
    row: Mapping[tuple[Level, Side], int]
    probabilities: Mapping[str, FloatArray]
    attention: Mapping[str, FloatArray]


def grade_study(
    study: Study, labels: tuple[SeriesLabel, ...], landmarks: tuple[Landmark, ...], pack: Pack
) -> tuple[Finding, ...]:
    """Grade five conditions at five levels.

    Args:
        study: the study.
        labels: what its series are.
        landmarks: the levels found; a level that is not among them is not assessed.
        pack: the `grade` pack.

    Returns:
        25 findings, condition by condition, each graded or with the reason why not.
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
                result = _result(condition, level, answers, pack)
            findings.append(Finding(condition=condition, level=level, result=result))
    return tuple(findings)


def _same_frame(study: Study, landmarks: tuple[Landmark, ...]) -> Study:
    """The study without the series whose millimetres are not those of the levels: the patient moved between them."""
    homes = {mark.location.series_key for mark in landmarks}
    frames = {series.frame_of_reference_uid for series in study.series if series.key in homes}
    return replace(study, series=tuple(item for item in study.series if item.frame_of_reference_uid in frames))


def calibrated(logits: FloatArray, settings: Mapping[str, Any]) -> FloatArray:
    """Logits (N, 3) -> probabilities (N, 3), by the pack's temperature and biases."""
    scaled = logits / float(settings["temperature"]) + np.asarray(settings["bias"], float)
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    return np.asarray(np.exp(scaled) / np.exp(scaled).sum(axis=1, keepdims=True), float)


def _ask(bags: Mapping[tuple[Level, Side], Bag], pack: Pack) -> _Answers:
    crops = np.stack([bag.crops for bag in bags.values()])
    mask = np.stack([bag.mask for bag in bags.values()])
    raw = pack.run(crops=crops, mask=mask)
    settings = pack.manifest.setting("calibration")
    return _Answers(
        bags=bags,
        row={key: row for row, key in enumerate(bags)},
        probabilities={name: calibrated(np.asarray(raw[name], float), settings[name]) for name in VIEWS_OF},
        attention={name: np.asarray(raw[f"{name}_attention"], float) for name in VIEWS_OF},
    )


def _result(condition: Condition, level: Level, answers: _Answers, pack: Pack) -> Graded | NotAssessed:
    output = OUTPUTS[condition]
    sides = SIDES if condition.side is None else (condition.side,)
    keys = [(level, side) for side in sides]
    slots = slots_of(output)
    shown = [slot for slot in slots if SLOTS[slot][1] >= _SHOWN_FROM_MM.get(output, -np.inf)]
    if not any(answers.bags[key].mask[shown].any() for key in keys):
        return NotAssessed(reason=_MISSING[output])
    rows = [answers.row[key] for key in keys]
    mean = answers.probabilities[output][rows].mean(axis=0)
    score = pack.manifest.score(output)
    return Graded(
        severity=SEVERITIES[int(mean.argmax())],
        probabilities=(float(mean[0]), float(mean[1]), float(mean[2])),
        evidence=_evidence(answers.bags[keys[0]], answers.attention[output][rows[0]], slots, pack),
        proof=Proof(on=score.on, figures=score.figures),
    )


def _evidence(bag: Bag, attention: FloatArray, slots: list[int], pack: Pack) -> tuple[Evidence, ...]:
    spec = pack.manifest.input("crops")
    spacing = spec.spacing_mm or 1.0
    found: list[Evidence] = []
    for slot in sorted(slots, key=lambda item: -attention[item]):
        place = bag.places[slot]
        if place is not None and len(found) < MOST_EVIDENCE:
            found.append(
                Evidence(
                    location=place,
                    height=spec.height * spacing,
                    width=spec.width * spacing,
                    unit="mm",
                    attention=float(attention[slot]),
                )
            )
    return tuple(found)

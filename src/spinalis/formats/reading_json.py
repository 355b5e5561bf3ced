"""`reading.json`: a reading as plain data, schema `spinalis-reading/1` (docs/reading.md, docs/reading.schema.json)."""

import json
from pathlib import Path
from typing import Any

from spinalis import __version__
from spinalis.errors import OutputError
from spinalis.formats.atomic import write_bytes
from spinalis.records import (
    Evidence,
    Finding,
    Judgement,
    Landmark,
    Location,
    NotAssessed,
    Notice,
    Reading,
    Series,
    SeriesLabel,
    Slice,
    SliceLabel,
    Study,
)
from spinalis.report.words import RESEARCH_USE_ONLY
from spinalis.vocabulary import SEVERITIES, Region

SCHEMA = "spinalis-reading/1"
TRIAGE_SCHEMA = "spinalis-triage/1"

PROBABILITY_DIGITS = 4
MM_DIGITS = 2
HEAT_DIGITS = 3
NOVELTY_DIGITS = 3

Json = dict[str, Any]


def to_json(reading: Reading) -> Json:
    """The reading as dictionaries, lists, strings, numbers and None, in the order of the documentation.

    Probabilities are rounded to 4 digits, millimetres, pixels and seconds to 2. Rows, columns and slices count from 0.
    """
    return {
        "schema": SCHEMA,
        "spinalis": __version__,
        "research_use_only": True,
        "notice": RESEARCH_USE_ONLY,
        "study": _study(reading.study),
        "series": _all_series(reading.study, reading.series),
        "levels": [_level(landmark) for landmark in reading.levels],
        "measurements": [
            {
                "name": item.name,
                "levels": [str(level) for level in item.levels],
                "value": round(item.value, MM_DIGITS),
                "unit": item.unit,
                "method": item.method,
            }
            for item in reading.measurements
        ],
        "findings": [_finding(finding) for finding in reading.findings],
        "warnings": [_notice(item) for item in dict.fromkeys((*reading.study.warnings, *reading.warnings))],
        "packs": [
            {"name": pack.name, "task": pack.task, "version": pack.version, "sha256": pack.sha256}
            for pack in reading.packs
        ],
        "timings": [{"stage": stage, "seconds": round(seconds, MM_DIGITS)} for stage, seconds in reading.timings_s],
    }


def triage_to_json(study: Study, labels: tuple[SeriesLabel, ...]) -> Json:
    """The study and series sections of a reading alone, schema `spinalis-triage/1`."""
    return {
        "schema": TRIAGE_SCHEMA,
        "spinalis": __version__,
        "research_use_only": True,
        "notice": RESEARCH_USE_ONLY,
        "study": _study(study),
        "series": _all_series(study, labels),
        "warnings": [_notice(item) for item in study.warnings],
    }


def dumps(data: Json, *, indent: int | None = 2) -> str:
    """The text of `to_json` or `triage_to_json`.

    Raises:
        OutputError: a number is not finite, which JSON cannot carry.
    """
    try:
        return json.dumps(data, ensure_ascii=False, allow_nan=False, indent=indent)
    except ValueError as error:
        raise OutputError(
            f"Reading {data['study']['key']}: expected finite numbers, got one that is not. Report this as a bug."
        ) from error


def write(reading: Reading, path: Path) -> None:
    """Write a reading, whole or not at all.

    Raises:
        OutputError: `path` cannot be written, or a number is not finite.
    """
    write_bytes(path, (dumps(to_json(reading)) + "\n").encode())


def _study(study: Study) -> Json:
    return {
        "key": study.key,
        "instance_uid": study.instance_uid,
        "series": len(study.series),
        "slices": sum(len(series.slices) for series in study.series),
    }


def _all_series(study: Study, labels: tuple[SeriesLabel, ...]) -> list[Json]:
    found = {series.key: series for series in study.series}
    return [_series(found[label.series_key], label) for label in labels]


def _series(series: Series, label: SeriesLabel) -> Json:
    slice_labels = {item.index: item for item in label.slices}
    return {
        "key": series.key,
        "number": series.number,
        "instance_uid": series.instance_uid,
        "rows": series.rows,
        "columns": series.columns,
        "anatomy": _judgement(label.anatomy),
        "region": _judgement(label.region),
        "coverage": _coverage(label.coverage),
        "plane": _judgement(label.plane),
        "sequence": _judgement(label.sequence),
        "detail": None if label.detail is None else _judgement(label.detail),
        "cord_slices": list(label.cord_slices),
        "novelty": _novelty(label.novelty),
        "flags": [*series.flags, *(flag for flag in label.flags if flag not in series.flags)],
        "slices": [_slice(index, item, slice_labels.get(index)) for index, item in enumerate(series.slices)],
    }


def _judgement(judgement: Judgement[Any]) -> Json:
    return {
        "label": str(judgement.label),
        "probability": round(judgement.probability, PROBABILITY_DIGITS),
        "source": judgement.source,
    }


def _coverage(found: Judgement[tuple[Region, ...]] | None) -> Json | None:
    if found is None:
        return None
    return {**_judgement(found), "label": [str(region) for region in found.label]}


def _novelty(novelty: float | None) -> float | None:
    return None if novelty is None else round(novelty, NOVELTY_DIGITS)


def _slice(index: int, item: Slice, label: SliceLabel | None) -> Json:
    return {
        "index": index,
        "file": item.file,
        "frame": item.frame,
        "instance_number": item.instance_number,
        "position_lps_mm": None if item.plane is None else _rounded(item.plane.origin_lps_mm),
        "labels": None
        if label is None
        else {
            "anatomy": _judgement(label.anatomy),
            "region": _judgement(label.region),
            "plane": _judgement(label.plane),
            "sequence": _judgement(label.sequence),
            "cord": round(label.cord, PROBABILITY_DIGITS),
            "novelty": _novelty(label.novelty),
        },
    }


def _level(landmark: Landmark) -> Json:
    return {
        "level": str(landmark.level),
        "point_lps_mm": None if landmark.point_lps_mm is None else _rounded(landmark.point_lps_mm),
        "confidence": round(landmark.confidence, PROBABILITY_DIGITS),
        **_location(landmark.location),
        "projections": [_location(location) for location in landmark.projections],
    }


def _location(location: Location) -> Json:
    return {
        "series": location.series_key,
        "slice": location.slice_index,
        "row": round(location.row, MM_DIGITS),
        "column": round(location.column, MM_DIGITS),
    }


def _finding(finding: Finding) -> Json:
    named: Json = {
        "condition": str(finding.condition),
        "level": str(finding.level),
        "side": finding.condition.side,
        "column": f"{finding.condition.column}_{finding.level.column}",
    }
    result = finding.result
    if isinstance(result, NotAssessed):
        return {**named, "not_assessed": result.reason}
    return {
        **named,
        "severity": str(result.severity),
        "probabilities": {
            severity.column: round(probability, PROBABILITY_DIGITS)
            for severity, probability in zip(SEVERITIES, result.probabilities, strict=True)
        },
        "evidence": [_evidence(item) for item in result.evidence],
        "sensitivity": result.sensitivity,
        "not_excluded": None if result.sensitivity is None else [str(grade) for grade in result.not_excluded],
        "proven_on": {"on": result.proof.on, "figures": result.proof.figures},
    }


def _evidence(item: Evidence) -> Json:
    return {
        **_location(item.location),
        "height": round(item.height, MM_DIGITS),
        "width": round(item.width, MM_DIGITS),
        "unit": item.unit,
        "attention": round(item.attention, PROBABILITY_DIGITS),
        "heat": None if item.heat is None else [[round(v, HEAT_DIGITS) for v in line] for line in item.heat],
    }


def _notice(notice: Notice) -> Json:
    return {"kind": str(notice.kind), "text": notice.text}


def _rounded(point: tuple[float, ...]) -> list[float]:
    return [round(value, MM_DIGITS) for value in point]

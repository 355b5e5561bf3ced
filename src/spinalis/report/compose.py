"""Turn a reading into a report: what is said, in which words and order."""

from collections import Counter
from typing import Any

from spinalis import __version__
from spinalis.records import Graded, Judgement, NotAssessed, Reading, SeriesLabel, Study
from spinalis.report.pictures import Gallery
from spinalis.report.sections import (
    IndexCell,
    IndexRow,
    LevelRow,
    MeasurementRow,
    Missing,
    PackRow,
    ProofNote,
    ProvenCell,
    ProvenRow,
    Report,
    ReviewItem,
    SeriesRow,
    Verdict,
)
from spinalis.report.words import (
    EXPERIMENTAL,
    RADIOLOGICAL_ORDER,
    RESEARCH_USE_ONLY,
    SHORT_NAMES,
    covering,
    joined,
    likelihood,
    named,
    not_assessed,
    notes,
    place,
    ranges,
    slice_name,
)
from spinalis.vocabulary import LEVELS, SEVERITIES, Anatomy, Condition, Level, Severity

REAL = "real"
"""Value of `Proof.on` for an answer that was judged on real patients; anything else is experimental."""


def compose(reading: Reading) -> Report:
    """Make the report of a reading.

    Findings that were judged on real patients are graded in words; those proven on simulation only become an
    experimental index, ordered for review by their probability of severe and never called normal. Slices that can
    no longer be decoded are left out of the pictures and named in the warnings.
    """
    gallery = Gallery(reading)
    levels_picture, looked_at = gallery.levels(), gallery.looked_at()
    proven, experimental = _by_proof(reading)
    return Report(
        study=reading.study.key,
        banner=RESEARCH_USE_ONLY,
        summary=_summary(reading),
        refused=refusal(reading),
        series=series_rows(reading.study, reading.series),
        levels=_level_rows(reading),
        levels_picture=levels_picture,
        proven=_proven_rows(proven),
        experimental=_index_rows(experimental),
        review=_review(experimental),
        proofs=_proofs(reading),
        measurements=tuple(
            MeasurementRow(
                name=item.name, where=joined(item.levels), value=f"{item.value:.1f} {item.unit}", method=item.method
            )
            for item in reading.measurements
        ),
        missing=tuple(Missing(what=what, reason=reason) for what, reason in not_assessed(reading.findings)),
        looked_at=looked_at,
        warnings=(*dict.fromkeys(w.text for w in (*reading.study.warnings, *reading.warnings)), *gallery.warnings),
        packs=tuple(PackRow(name=p.name, task=p.task, version=p.version, sha256=p.sha256) for p in reading.packs),
        timings_s=reading.timings_s,
        version=__version__,
    )


def refusal(reading: Reading) -> str | None:
    """Why nothing was graded: the reason that most findings give; None where at least one finding is graded."""
    if reading.graded:
        return None
    reasons = Counter(f.result.reason for f in reading.findings if isinstance(f.result, NotAssessed))
    return reasons.most_common(1)[0][0] if reasons else "no condition was looked for"


Grades = dict[tuple[Level, Condition], Graded]


def _by_proof(reading: Reading) -> tuple[Grades, Grades]:
    proven: Grades = {}
    experimental: Grades = {}
    for finding in reading.findings:
        if isinstance(finding.result, Graded):
            target = proven if finding.result.proof.on == REAL else experimental
            target[finding.level, finding.condition] = finding.result
    return proven, experimental


def _summary(reading: Reading) -> tuple[str, ...]:
    slices = sum(len(series.slices) for series in reading.study.series)
    kinds = Counter(
        f"{label.region.label} {label.plane.label} {label.sequence.label}"
        for label in reading.series
        if label.anatomy.label is Anatomy.MR_SPINE
    )
    spine = joined([f"{count} × {kind}" if count > 1 else kind for kind, count in kinds.items()])
    lines = [f"{len(reading.study.series)} series with {slices} slices; MR spine: {spine or 'none'}."]
    if reading.levels:
        lines.append(f"Levels found: {joined([item.level for item in reading.levels])}.")
    proven, experimental = _by_proof(reading)
    for severity in (Severity.SEVERE, Severity.MODERATE):
        found = [_name(*place) for place, graded in proven.items() if graded.severity is severity]
        if found:
            lines.append(f"{severity}: {joined(found)}.")
    lines += _sensitivity_lines(reading)
    if experimental:
        first = _review(experimental)[0]
        lines.append(
            f"{EXPERIMENTAL}: {len(experimental)} findings are ordered for review, "
            f"the first is {first.level} {first.name.lower()}."
        )
    missing = len(reading.findings) - len(reading.graded)
    if missing:
        lines.append(f"Not assessed: {missing} of {len(reading.findings)} findings, with reasons below.")
    return tuple(lines)


def _sensitivity_lines(reading: Reading) -> list[str]:
    """Where severe cannot be excluded at the sensitivity asked for; nothing where none was."""
    asked = [(f, f.result) for f in reading.findings if isinstance(f.result, Graded) and f.result.sensitivity]
    if not asked:
        return []
    kept = [_name(f.level, f.condition) for f, graded in asked if Severity.SEVERE in graded.not_excluded]
    share = f"{asked[0][1].sensitivity:.0%}".replace("%", " %")
    return [f"At a sensitivity of {share}, severe cannot be excluded at: {joined(kept) or 'none of them'}."]


def _name(level: Level, condition: Condition) -> str:
    return f"{level} {SHORT_NAMES[condition].lower()}"


def series_rows(study: Study, labels: tuple[SeriesLabel, ...]) -> tuple[SeriesRow, ...]:
    """The series table of a study."""
    found = {series.key: series for series in study.series}
    return tuple(
        SeriesRow(
            number="–" if label.number is None else str(label.number),
            slices=len(found[label.series_key].slices),
            anatomy=_verdict(label.anatomy),
            region=_verdict(label.region),
            plane=_verdict(label.plane),
            sequence=_verdict(label.sequence),
            cord=ranges(label.cord_slices),
            notes=(*covering(label.covers), *notes((*found[label.series_key].flags, *label.flags))),
        )
        for label in labels
    )


def _verdict(judgement: Judgement[Any]) -> Verdict:
    return Verdict(label=str(judgement.label), probability=judgement.probability, source=judgement.source)


def _level_rows(reading: Reading) -> tuple[LevelRow, ...]:
    found = {series.key: series for series in reading.study.series}
    return tuple(
        LevelRow(
            level=item.level,
            seen_in=slice_name(found[item.location.series_key], item.location.slice_index),
            place=None if item.point_lps_mm is None else place(item.point_lps_mm),
            confidence=item.confidence,
            confidence_words=likelihood(item.confidence),
        )
        for item in reading.levels
    )


def _proven_rows(grades: Grades) -> tuple[ProvenRow, ...]:
    def cell(level: Level, condition: Condition) -> ProvenCell | None:
        graded = grades.get((level, condition))
        if graded is None:
            return None
        probability = graded.probabilities[SEVERITIES.index(graded.severity)]
        return ProvenCell(
            condition=condition, severity=graded.severity, probability=probability, words=likelihood(probability)
        )

    present = [level for level in LEVELS if any(found == level for found, _ in grades)]
    return tuple(ProvenRow(level=v, cells=tuple(cell(v, c) for c in RADIOLOGICAL_ORDER)) for v in present)


def _index_rows(grades: Grades) -> tuple[IndexRow, ...]:
    def cell(level: Level, condition: Condition) -> IndexCell | None:
        graded = grades.get((level, condition))
        if graded is None:
            return None
        return IndexCell(condition=condition, moderate=graded.probabilities[1], severe=graded.probabilities[2])

    present = [level for level in LEVELS if any(found == level for found, _ in grades)]
    return tuple(IndexRow(level=v, cells=tuple(cell(v, c) for c in RADIOLOGICAL_ORDER)) for v in present)


def _review(grades: Grades) -> tuple[ReviewItem, ...]:
    ordered = sorted(grades.items(), key=lambda item: (-item[1].probabilities[2], -item[1].probabilities[1]))
    return tuple(
        ReviewItem(
            rank=rank,
            level=level,
            condition=condition,
            name=SHORT_NAMES[condition],
            moderate=graded.probabilities[1],
            severe=graded.probabilities[2],
        )
        for rank, ((level, condition), graded) in enumerate(ordered, start=1)
    )


def _proofs(reading: Reading) -> tuple[ProofNote, ...]:
    groups: dict[tuple[str, str], set[Condition]] = {}
    for finding in reading.findings:
        if isinstance(finding.result, Graded):
            proof = finding.result.proof
            groups.setdefault((proof.on, proof.figures), set()).add(finding.condition)
    return tuple(
        ProofNote(conditions=_sentence_case(named(conditions)), on=on, figures=figures)
        for (on, figures), conditions in groups.items()
    )


def _sentence_case(text: str) -> str:
    return text[:1].upper() + text[1:]

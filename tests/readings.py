"""Build convincing readings from synthetic pixels, for the tests of report, formats and command line."""

from dataclasses import replace
from functools import cache
from itertools import pairwise

import cv2
import numpy as np

from spinalis.geometry import project, to_patient
from spinalis.records import (
    Evidence,
    Finding,
    Graded,
    Header,
    Image,
    Judgement,
    Landmark,
    Measurement,
    NotAssessed,
    Notice,
    PackInfo,
    Proof,
    Reading,
    Series,
    SeriesLabel,
    Slice,
    SliceLabel,
    SlicePlane,
    Study,
    Vector,
)
from spinalis.vocabulary import (
    CONDITIONS,
    LEVELS,
    SEVERITIES,
    Anatomy,
    Condition,
    Level,
    NoticeKind,
    Plane,
    Region,
    Sequence,
    Side,
)

UID = "1.2.826.0.1.3680043.8.498.1"
SIMULATION = Proof(on="simulation", figures="AUC of severe 0.93 on 50 simulated studies, no-skill 0.50")
REAL = Proof(on="real", figures="AUC of severe 0.91 (0.88-0.94) on 200 patients, no-skill 0.50")
PITCH_MM = 34.0

Mark = tuple[float, float, float, float]
"""A blob: patient y, z in mm, radius in mm, brightness."""


def reading(
    *, proof: Proof = SIMULATION, axial: bool = True, flipped_axial: bool = False, key: str = "a1b2c3d4"
) -> Reading:
    """A lumbar study of three series with five levels and 25 findings; without `axial` ten are not assessed."""
    sagittal = (sagittal_series("s3", 3, bright_fluid=True), sagittal_series("s4", 4, bright_fluid=False))
    series = (*sagittal, axial_series("s5", 5, flipped=flipped_axial)) if axial else sagittal
    study = Study(key=key, series=series, instance_uid=UID)
    levels = tuple(_landmark(level, series) for level in LEVELS)
    findings = tuple(_finding(c, level, proof, series) for c in CONDITIONS for level in LEVELS)
    return Reading(
        study=study,
        series=tuple(_series_label(item) for item in series),
        levels=levels,
        measurements=tuple(
            Measurement(
                name="level spacing", levels=pair, value=PITCH_MM, unit="mm", method="from disc edge to disc edge"
            )
            for pair in pairwise(LEVELS)
        ),
        findings=findings,
        warnings=(
            Notice(
                kind=NoticeKind.IMPLAUSIBLE,
                text="Series 4: expected evenly spaced slices, got one gap of 8.8 mm. Check for missing slices.",
            ),
        ),
        packs=(
            PackInfo(name="grade-crops", task="grade", version="0.1.0", sha256="c" * 64),
            PackInfo(name="levels-unet", task="localize", version="0.1.0", sha256="b" * 64),
            PackInfo(name="triage-trunk", task="triage", version="0.1.0", sha256="a" * 64),
        ),
        timings_s=(("triage", 1.204), ("localize", 0.806), ("grade", 2.5)),
    )


def brain_reading(key: str = "brain") -> Reading:
    """A study without a spine: labelled, nothing else, every finding with its reason."""
    series = sagittal_series("s1", 1, bright_fluid=False)
    label = replace(
        _series_label(series),
        anatomy=Judgement(label=Anatomy.OTHER, probability=0.991, source="fusion"),
        region=Judgement(label=Region.UNKNOWN, probability=0.991, source="fusion"),
        cord_slices=(),
    )
    reason = "no series of this study is an MR image of the spine"
    return Reading(
        study=Study(key=key, series=(series,), instance_uid=UID),
        series=(label,),
        levels=(),
        measurements=(),
        findings=tuple(
            Finding(condition=c, level=level, result=NotAssessed(reason=reason)) for c in CONDITIONS for level in LEVELS
        ),
        warnings=(),
        packs=(PackInfo(name="triage-trunk", task="triage", version="0.1.0", sha256="a" * 64),),
        timings_s=(("triage", 0.6),),
    )


def sagittal_series(key: str, number: int, *, bright_fluid: bool, slices: int = 11) -> Series:
    """Sagittal slices 4.4 mm apart, right to left, 0.8 mm rows by 0.6 mm columns, of a drawn lumbar spine."""
    planes = [
        SlicePlane(
            origin_lps_mm=((i - slices // 2) * 4.4, -90.0, 130.0),
            along_row=(0.0, 1.0, 0.0),
            along_column=(0.0, 0.0, -1.0),
            row_spacing_mm=0.8,
            column_spacing_mm=0.6,
        )
        for i in range(slices)
    ]
    return _series(key, number, planes, (330, 300), bright_fluid)


def axial_series(key: str, number: int, *, flipped: bool) -> Series:
    """Three axial slices per level, feet to head; `flipped` stores the patient's right on the picture's right."""
    across = -1.0 if flipped else 1.0
    planes = [
        SlicePlane(
            origin_lps_mm=(-80.0 * across, -95.0, level_point(level)[2] + offset),
            along_row=(across, 0.0, 0.0),
            along_column=(0.0, 1.0, 0.0),
            row_spacing_mm=0.625,
            column_spacing_mm=0.625,
        )
        for level in reversed(LEVELS)
        for offset in (-4.0, 0.0, 4.0)
    ]
    return _series(key, number, planes, (256, 256), True)


def level_point(level: Level) -> Vector:
    """The posterior disc edge of a level in LPS mm, on a gentle lordosis."""
    place = LEVELS.index(level)
    return 0.0, 8.0 - 6.0 * float(np.sin(place * np.pi / 4)), (2 - place) * PITCH_MM


def _series(key: str, number: int, planes: list[SlicePlane], shape: tuple[int, int], bright_fluid: bool) -> Series:
    return Series(
        key=key,
        number=number,
        header=Header(modality="MR", body_part="LSPINE", description="T2 DOE^JANE"),
        rows=shape[0],
        columns=shape[1],
        slices=tuple(
            Slice(file=f"series{number}/{i + 1:03d}.dcm", instance_number=len(planes) - i, plane=plane)
            for i, plane in enumerate(planes)
        ),
        load=lambda index: _draw(planes[index], shape, bright_fluid),
        thickness_mm=4.0,
        instance_uid=f"{UID}.{number}",
        frame_of_reference_uid=f"{UID}.99",
    )


@cache
def _draw(plane: SlicePlane, shape: tuple[int, int], bright_fluid: bool) -> Image:
    """A schematic spine: vertebral blocks, discs, canal and, on the patient's left only, a bright marker."""
    rows, columns = np.mgrid[: shape[0], : shape[1]].astype(float)
    origin, row, column = (np.asarray(v) for v in (plane.origin_lps_mm, plane.along_row, plane.along_column))
    x, y, z = (
        origin[i] + row[i] * columns * plane.column_spacing_mm + column[i] * rows * plane.row_spacing_mm
        for i in range(3)
    )
    body = (x / 100) ** 2 + ((y + 10) / 80) ** 2 < 1
    image = np.where(body, 320.0, 15.0)
    points = [level_point(level) for level in LEVELS]
    curve = np.interp(-z, [-point[2] for point in points], [point[1] for point in points])
    depth = y - curve
    column_of_bone = (depth < 0) & (depth > -34) & (np.abs(x) < 24)
    phase = np.abs((z + PITCH_MM * 10) % PITCH_MM)
    disc = np.minimum(phase, PITCH_MM - phase) < 4.5
    image[column_of_bone] = np.where(disc, 130.0, 420.0)[column_of_bone]
    canal = (depth > 1) & (depth < 17) & (np.abs(x) < 10 - 3 * disc)
    image[canal] = 700.0 if bright_fluid else 140.0
    image[(np.hypot(x - 45, depth - 30) < 9)] = 620.0
    noise = np.random.default_rng(int(abs(origin).sum() * 10)).normal(0, 22, shape)
    return np.asarray(cv2.GaussianBlur(image + noise, (5, 5), 1.2), np.float32)


def _landmark(level: Level, series: tuple[Series, ...]) -> Landmark:
    point = level_point(level)
    location = project(point, series[0], 5.0)
    assert location is not None
    others = tuple(found for item in series[1:] if (found := project(point, item, 5.0)))
    confidence = 0.97 - 0.08 * LEVELS.index(level)
    return Landmark(level=level, point_lps_mm=point, confidence=confidence, location=location, projections=others)


def _finding(condition: Condition, level: Level, proof: Proof, series: tuple[Series, ...]) -> Finding:
    axial = [item for item in series if item.key == "s5"]
    subarticular = "Subarticular" in condition
    if subarticular and not axial:
        return Finding(condition=condition, level=level, result=NotAssessed(reason="no axial T2w series in this study"))
    source = axial[0] if subarticular else series[1] if condition.side else series[0]
    side = {None: 0.0, Side.LEFT: 1.0, Side.RIGHT: -1.0}[condition.side]
    x, y, z = level_point(level)
    point = (x + side * (11.0 if subarticular else 17.6), y + 8.0, z)
    location = project(point, source, 5.0)
    assert location is not None
    other = project(point, axial[0], 5.0) if axial and not condition.side else None
    evidence = [Evidence(location=location, height=32.0, width=32.0, unit="mm", attention=0.64)]
    if other:
        evidence.append(Evidence(location=other, height=32.0, width=32.0, unit="mm", attention=0.36))
    lean = (LEVELS.index(level) + CONDITIONS.index(condition) * 2) % 7 / 6
    weights = np.array([1.0, 0.2 + lean, 0.05 + 3 * lean**4])
    chances = weights / weights.sum()
    probabilities = (float(chances[0]), float(chances[1]), float(chances[2]))
    graded = Graded(
        severity=SEVERITIES[int(chances.argmax())], probabilities=probabilities, evidence=tuple(evidence), proof=proof
    )
    return Finding(condition=condition, level=level, result=graded)


def _series_label(series: Series) -> SeriesLabel:
    axial = series.key == "s5"
    sequence = Sequence.T1W if series.number == 4 else Sequence.T2W
    anatomy = Judgement(label=Anatomy.MR_SPINE, probability=0.9987, source="fusion")
    region = Judgement(label=Region.LUMBAR, probability=0.963, source="fusion")
    plane = Judgement(label=Plane.AXIAL if axial else Plane.SAGITTAL, probability=1.0, source="geometry")
    weighting = Judgement(label=sequence, probability=0.88123456, source="pixels")
    return SeriesLabel(
        series_key=series.key,
        number=series.number,
        anatomy=anatomy,
        region=region,
        plane=plane,
        sequence=weighting,
        cord_slices=tuple(range(len(series.slices))) if axial else (4, 5, 6),
        slices=tuple(
            SliceLabel(index=i, anatomy=anatomy, region=region, plane=plane, sequence=weighting, cord=0.512345)
            for i in range(len(series.slices))
        ),
        flags=("header_contradicts_pixels_sequence",) if series.number == 4 else (),
    )


def center_of(series: Series, index: int) -> Vector:
    """The patient point in the middle of a slice."""
    plane = series.slices[index].plane
    assert plane is not None
    return to_patient(plane, series.rows / 2, series.columns / 2)

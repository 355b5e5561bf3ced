"""Kinds of torture: what comes in which order, how often, and in which series."""

import copy

import numpy as np
from pydicom.uid import UID

from spinalis.simulate.torture.draft import Draft, Sheet
from spinalis.simulate.torture.expectation import PARTIAL, ExpectedSeries, Likeness
from spinalis.vocabulary import LEVELS, Condition, Level, Plane

NO_GRADES: tuple[tuple[Condition | None, Level | None], ...] = ((None, None),)
FORAMINAL = (Condition.LEFT_NEURAL_FORAMINAL_NARROWING, Condition.RIGHT_NEURAL_FORAMINAL_NARROWING)
SUBARTICULAR = (Condition.LEFT_SUBARTICULAR_STENOSIS, Condition.RIGHT_SUBARTICULAR_STENOSIS)
UNCOVERED_MM = 20.0
"""An axial slice this far from a level's point shows nothing of it."""

NEAR = Likeness(within_mm=6.0, grades="free")
"""Other slices give points that lie a little elsewhere."""


def plain(draft: Draft) -> None:
    """Nothing is odd."""
    draft.expect(like=None)


def reversed_order(draft: Draft) -> None:
    """Instance numbers run against the positions."""
    for sheets in by_series(draft).values():
        for sheet in sheets:
            sheet.dataset.InstanceNumber = len(sheets) - sheet.index


def shuffled_instance_numbers(draft: Draft) -> None:
    """Instance numbers say nothing of the positions."""
    for sheets in by_series(draft).values():
        for sheet, number in zip(sheets, draft.rng.permutation(len(sheets)), strict=True):
            sheet.dataset.InstanceNumber = int(number) + 1


def shuffled_names(draft: Draft) -> None:
    """File names are random words in one folder, without an ending."""
    for sheet in draft.sheets:
        sheet.name = f"{draft.rng.integers(2**63):016x}"


def no_instance_numbers(draft: Draft) -> None:
    """InstanceNumber is missing everywhere."""
    for sheet in draft.sheets:
        del sheet.dataset.InstanceNumber


def joined_stacks(draft: Draft) -> None:
    """All axial stacks come as one series."""
    sheets = draft.axial
    first = sheets[0].dataset
    number, uid = sheets[0].number, first.SeriesInstanceUID
    stacks = len({sheet.number for sheet in sheets})
    for count, sheet in enumerate(sheets, start=1):
        sheet.dataset.SeriesNumber, sheet.dataset.SeriesInstanceUID = number, uid
        sheet.dataset.InstanceNumber = count
        sheet.name = f"{number:03d}/{count:04d}.dcm"
    draft.recount()
    draft.expect_series(number, parts=(1, stacks))


def stacks_of_one_slice(draft: Draft) -> None:
    """Every axial slice is a series of its own."""
    draft.expect(series=tuple(one for one in draft.expected.series if Plane.AXIAL not in one.planes))
    series = []
    for count, sheet in enumerate(draft.axial):
        sheet.dataset.SeriesNumber, sheet.dataset.SeriesInstanceUID = 50 + count, f"2.25.{draft.rng.integers(2**62)}"
        series.append(ExpectedSeries(number=50 + count, slices=1, planes=(Plane.AXIAL,), flags=("single_slice",)))
    draft.expect(series=(*draft.expected.series, *series), like=Likeness(grades="free"))


def three_levels_covered(draft: Draft) -> None:
    """Axial slices cover the three lower levels only."""
    upper = [draft.made.truth.levels[level] for level in LEVELS[:2]]
    draft.drop([s for s in draft.axial if any(abs(height_above(s, point)) < UNCOVERED_MM for point in upper)])
    lowest = draft.made.truth.levels[LEVELS[1]]
    draft.drop([s for s in draft.axial if height_above(s, lowest) > 0])
    missing = tuple((condition, level) for condition in SUBARTICULAR for level in LEVELS[:2])
    draft.expect(like=Likeness(grades="free"), not_assessed=missing)


def duplicate_slices(draft: Draft) -> None:
    """The middle sagittal slices are there twice, with other instance UIDs."""
    for count, sheet in enumerate(draft.sagittal_t2[2:5]):
        twin = copied(sheet, f"again/{count}.dcm")
        twin.dataset.SOPInstanceUID = f"2.25.{draft.rng.integers(2**62)}"
        twin.dataset.InstanceNumber = 500 + count
        draft.sheets.append(twin)
    draft.expect_series(draft.sagittal_t2[0].number, flags=("duplicates",))


def duplicate_files(draft: Draft) -> None:
    """The whole study is there twice, in a second folder."""
    draft.sheets += [copied(sheet, f"backup/{sheet.name}") for sheet in draft.sheets]
    for one in draft.expected.series:
        draft.expect_series(one.number, flags=("duplicates",))


def repeated_positions(draft: Draft) -> None:
    """Three positions carry two different pictures, and no header tells them apart."""
    for count, sheet in enumerate(draft.sagittal_t2[2:5]):
        twin = copied(sheet, f"again/{count}.dcm")
        twin.dataset.SOPInstanceUID = f"2.25.{draft.rng.integers(2**62)}"
        twin.dataset.InstanceNumber = 500 + count
        twin.pixels = twin.pixels // 2
        draft.sheets.append(twin)
    draft.recount()
    draft.expect_series(draft.sagittal_t2[0].number, flags=("repeated_positions",))
    draft.expect(like=NEAR)


def same_instance_uid(draft: Draft) -> None:
    """An anonymizer gave every file the same SOPInstanceUID."""
    for sheet in draft.sheets:
        sheet.dataset.SOPInstanceUID = "2.25.42"


def missing_slices(draft: Draft) -> None:
    """Two inner slices of the axial and of the sagittal T1w series are missing."""
    series = by_series(draft)
    longest = max((sheets for sheets in series.values() if sheets[0].plane is Plane.AXIAL), key=len)
    gone = draft.sagittal_t1[2:3] + (longest[4:6] if len(longest) > 7 else [])
    number = draft.sagittal_t1[0].number
    draft.drop(gone)
    draft.expect_series(number, flags=("gap",))
    draft.expect(like=Likeness(grades="free"))


def irregular_spacing(draft: Draft) -> None:
    """Slices are up to a third of their distance away from where they should be."""
    for sheets in by_series(draft).values():
        if len(sheets) < 3:
            continue
        step = np.subtract(sheets[1].dataset.ImagePositionPatient, sheets[0].dataset.ImagePositionPatient)
        for sheet in sheets:
            place = np.asarray(sheet.dataset.ImagePositionPatient, float) + step * draft.rng.uniform(-0.33, 0.33)
            sheet.dataset.ImagePositionPatient = decimals(place)
    draft.expect(like=NEAR)


def mixed_echoes(draft: Draft) -> None:
    """Sagittal T1w and T2w come as two echoes of one series."""
    uid, number = draft.sagittal_t1[0].dataset.SeriesInstanceUID, draft.sagittal_t1[0].number
    for echo, sheets in enumerate((draft.sagittal_t1, draft.sagittal_t2), start=1):
        for sheet in sheets:
            sheet.dataset.SeriesInstanceUID, sheet.dataset.SeriesNumber = uid, number
            sheet.dataset.EchoTime = ("10", "100")[echo - 1]
            sheet.name = f"{number:03d}/{echo}{sheet.index:03d}.dcm"
    draft.recount()
    draft.expect_series(number, parts=(2, 2), flags=("split",))


def mixed_echoes_without_times(draft: Draft) -> None:
    """Sagittal T1w and T2w come as one series, and no tag tells them apart: nothing is lost, and it is said."""
    uid, number = draft.sagittal_t1[0].dataset.SeriesInstanceUID, draft.sagittal_t1[0].number
    for count, sheet in enumerate(draft.sagittal_t1 + draft.sagittal_t2):
        dataset = sheet.dataset
        dataset.SeriesInstanceUID, dataset.SeriesNumber, dataset.InstanceNumber = uid, number, count + 1
        dataset.ImageType = ["ORIGINAL", "PRIMARY"]
        dataset.EchoTime = dataset.RepetitionTime = None
        sheet.name = f"{number:03d}/{count:04d}.dcm"
    draft.recount()
    draft.expect_series(number, flags=("repeated_positions",))
    draft.expect(like=None)


def repeated_times(draft: Draft) -> None:
    """The sagittal T2w series was taken twice; the time is in the header."""
    for sheet in list(draft.sagittal_t2):
        twin = copied(sheet, f"second/{sheet.index:04d}.dcm")
        twin.dataset.SOPInstanceUID = f"2.25.{draft.rng.integers(2**62)}"
        sheet.dataset.TemporalPositionIdentifier, twin.dataset.TemporalPositionIdentifier = 1, 2
        twin.pixels = np.maximum(twin.pixels, 1) - 1
        draft.sheets.append(twin)
    draft.recount()
    draft.expect_series(draft.sagittal_t2[0].number, parts=(2, 2), flags=("split",))
    draft.expect(like=NEAR)


def three_plane_localizer(draft: Draft) -> None:
    """One series holds sagittal and axial scouts."""
    scouts = [copied(s, f"001/{n}.dcm") for n, s in enumerate(draft.sagittal_t2[3:4] + draft.axial[:2])]
    for count, sheet in enumerate(scouts, start=1):
        dataset = sheet.dataset
        dataset.SeriesNumber, dataset.SeriesInstanceUID, dataset.InstanceNumber = 1, "2.25.77", count
        dataset.SOPInstanceUID = f"2.25.{draft.rng.integers(2**62)}"
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        dataset.SeriesDescription = "3-pl localizer"
    draft.sheets += scouts
    expected = ExpectedSeries(number=1, slices=3, parts=(2, 3), flags=("localizer", "split"))
    draft.expect(series=(*draft.expected.series, expected), like=Likeness(grades="free"))


def localizer_only(draft: Draft) -> None:
    """There is nothing but a localizer of two planes."""
    keep = draft.sagittal_t2[2:5] + draft.axial[:2]
    draft.drop([sheet for sheet in draft.sheets if all(sheet is not kept for kept in keep)])
    for count, sheet in enumerate(keep, start=1):
        dataset = sheet.dataset
        dataset.SeriesNumber, dataset.SeriesInstanceUID, dataset.InstanceNumber = 1, "2.25.77", count
        dataset.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
        dataset.SeriesDescription = "localizer"
    expected = ExpectedSeries(number=1, slices=5, parts=(2, 3), flags=("localizer",))
    missing = tuple((condition, None) for condition in FORAMINAL)
    draft.expect(series=(expected,), like=None, codes=(0, 4), not_assessed=missing)


def mixed_shapes(draft: Draft) -> None:
    """Every third slice of the sagittal T2w series has fewer rows."""
    for sheet in draft.sagittal_t2[::3]:
        sheet.pixels = sheet.pixels[:-24]
    draft.expect_series(draft.sagittal_t2[0].number, parts=(2, 2), flags=("split",))
    draft.expect(like=Likeness(within_mm=12.0, grades="free"))


def shared_series_uid(draft: Draft) -> None:
    """The sagittal T2w and the axial series carry one SeriesInstanceUID."""
    first = draft.sagittal_t2[0].dataset.SeriesInstanceUID
    for sheet in draft.axial:
        sheet.dataset.SeriesInstanceUID = first
    both = draft.sagittal_t2 + draft.axial
    kept = tuple(one for one in draft.expected.series if one.number == draft.sagittal_t1[0].number)
    # Series numbers still differ, so the parts keep the numbers of their own files.
    numbers = sorted({sheet.number for sheet in both})
    counts = [sheet.number for sheet in both]
    series = [ExpectedSeries(number=n, slices=counts.count(n), parts=(1, 2)) for n in numbers]
    draft.expect(series=(*kept, *series))


def two_studies(draft: Draft) -> None:
    """Files of a second patient's study lie in the same folder."""
    for sheet in list(draft.sheets):
        twin = copied(sheet, f"{sheet.name[:-4]}b.dcm")
        dataset = twin.dataset
        for keyword in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
            setattr(dataset, keyword, UID(str(getattr(dataset, keyword))[:-1] + "11"))
        dataset.PatientID = "SPINALIS-another"
        draft.sheets.append(twin)
    draft.recount()
    for one in draft.expected.series:
        draft.expect_series(one.number, parts=(2, 2))
    draft.expect(studies=2)


def another_frame_of_reference(draft: Draft) -> None:
    """The patient was moved before the axial slices: their millimetres are others."""
    for sheet in draft.axial:
        sheet.dataset.FrameOfReferenceUID = "2.25.4711"
    missing = tuple((condition, None) for condition in SUBARTICULAR)
    draft.expect(like=Likeness(grades="free"), not_assessed=missing)


def no_sagittal_t1(draft: Draft) -> None:
    """There is no sagittal T1w series."""
    draft.drop(draft.sagittal_t1)
    draft.expect(like=Likeness(grades="free"), not_assessed=tuple((condition, None) for condition in FORAMINAL))


def no_axial(draft: Draft) -> None:
    """There is no axial series."""
    draft.drop(draft.axial)
    draft.expect(like=Likeness(grades="free"), not_assessed=tuple((condition, None) for condition in SUBARTICULAR))


def axial_only(draft: Draft) -> None:
    """There is no sagittal series, so that no level can be counted."""
    draft.drop(draft.of(Plane.SAGITTAL))
    draft.expect(like=None, codes=(4,), not_assessed=NO_GRADES, notices=("levels_missing",))


def single_slice(draft: Draft) -> None:
    """One sagittal T2w slice, in the middle, is all there is."""
    kept = draft.sagittal_t2[3]
    draft.drop([sheet for sheet in draft.sheets if sheet is not kept])
    draft.expect_series(kept.number, flags=("single_slice",))
    missing = tuple((condition, None) for condition in FORAMINAL + SUBARTICULAR)
    draft.expect(like=None, codes=(0, 4), not_assessed=missing)


def two_slices(draft: Draft) -> None:
    """Two sagittal T2w slices are all there is."""
    kept = {id(sheet) for sheet in draft.sagittal_t2[3:5]}
    draft.drop([sheet for sheet in draft.sheets if id(sheet) not in kept])
    missing = tuple((condition, None) for condition in FORAMINAL + SUBARTICULAR)
    draft.expect(like=None, codes=(0, 4), not_assessed=missing)


def few_slices(draft: Draft) -> None:
    """Three slices of every series are left."""
    draft.drop([sheet for sheets in by_series(draft).values() for sheet in sheets[5:] + sheets[:2][: len(sheets) - 3]])
    draft.expect(like=None, codes=(0, 4))


def lost_series(draft: Draft) -> None:
    """Of the sagittal T2w series no file has complete pixels."""
    for sheet in draft.sagittal_t2:
        sheet.damage = halved
    number = draft.sagittal_t2[0].number
    draft.expect_series(number, slices=0)
    draft.expect(like=None, codes=(PARTIAL,), notices=("files_lost",))


def by_series(draft: Draft) -> dict[int, list[Sheet]]:
    """The files of every series by its number."""
    series: dict[int, list[Sheet]] = {}
    for sheet in draft.sheets:
        series.setdefault(sheet.number, []).append(sheet)
    return series


def copied(sheet: Sheet, name: str) -> Sheet:
    """A second file with the same data set."""
    return Sheet(
        name=name,
        dataset=copy.deepcopy(sheet.dataset),
        plane=sheet.plane,
        sequence=sheet.sequence,
        index=sheet.index,
        syntax=sheet.syntax,
    )


def height_above(sheet: Sheet, point: tuple[float, ...]) -> float:
    """How far a point lies below a slice, along the normal, mm; at the point's own place in the picture."""
    orientation = np.asarray(sheet.dataset.ImageOrientationPatient, float)
    normal = np.cross(orientation[:3], orientation[3:])
    return float((np.asarray(sheet.dataset.ImagePositionPatient, float) - point) @ normal)


def decimals(values: np.ndarray) -> list[str]:
    """Numbers as decimal strings of at most 16 characters."""
    return [f"{value:.6f}"[:16] for value in np.asarray(values, float)]


def halved(content: bytes) -> bytes:
    """A transfer that broke off in the pixels."""
    return content[: len(content) // 2]


KINDS = (
    plain,
    reversed_order,
    shuffled_instance_numbers,
    shuffled_names,
    no_instance_numbers,
    joined_stacks,
    stacks_of_one_slice,
    three_levels_covered,
    duplicate_slices,
    duplicate_files,
    repeated_positions,
    same_instance_uid,
    missing_slices,
    irregular_spacing,
    mixed_echoes,
    mixed_echoes_without_times,
    repeated_times,
    three_plane_localizer,
    localizer_only,
    mixed_shapes,
    shared_series_uid,
    two_studies,
    another_frame_of_reference,
    no_sagittal_t1,
    no_axial,
    axial_only,
    single_slice,
    two_slices,
    few_slices,
    lost_series,
)

"""A study in the making: files as data sets, which the kinds of torture change before they are written."""

import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import lru_cache
from hashlib import sha256
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pydicom import dcmread, dcmwrite
from pydicom.dataset import Dataset
from pydicom.uid import UID, ExplicitVRBigEndian, ExplicitVRLittleEndian

from spinalis.formats.dicom.write import write_study
from spinalis.geometry import patient_plane, to_patient
from spinalis.records import Image, Series, Slice, SlicePlane, Study
from spinalis.simulate.anatomy import Subject, sample_subject
from spinalis.simulate.disease import Lesion
from spinalis.simulate.junction import Junction
from spinalis.simulate.study import PROFILES, SimulatedSeries, SimulatedStudy, simulate_study
from spinalis.simulate.torture.expectation import NOTHING_GRADABLE, OK, Expectation, ExpectedSeries, Likeness
from spinalis.vocabulary import Plane, Sequence

Pixels = NDArray[np.uint16]

ROWS = 192
"""Pictures are reduced to this size: what is odd about a study is seldom its resolution."""

SAGITTAL_SLICES, AXIAL_SLICES = 7, 10
ATTEMPTS = 20
BENT_ATTEMPTS = 1000
"""Studies between one variant and the next, among which one that suits is looked for."""

FIRST_NUMBER = 2


@dataclass(slots=True, kw_only=True)
class Sheet:
    """One file: `dataset` is encoded as `syntax` when written, then `damage` changes its bytes."""

    name: str
    dataset: Dataset
    plane: Plane
    sequence: Sequence
    index: int
    syntax: UID = ExplicitVRLittleEndian
    damage: Callable[[bytes], bytes] | None = None
    preamble: bool = True

    @property
    def number(self) -> int:
        """The number of the series."""
        return int(self.dataset.SeriesNumber)

    @property
    def pixels(self) -> Pixels:
        """(rows, columns), stored values; only before the pixel description is changed."""
        values = np.frombuffer(self.dataset.PixelData, "<u2")
        return values.reshape(self.dataset.Rows, self.dataset.Columns).copy()

    @pixels.setter
    def pixels(self, values: NDArray[Any]) -> None:
        self.dataset.Rows, self.dataset.Columns = values.shape[:2]
        self.dataset.PixelData = np.ascontiguousarray(values).tobytes()

    def encoded(self) -> bytes:
        """The bytes of the file."""
        dataset, syntax = self.dataset, self.syntax
        stream = io.BytesIO()
        if syntax.is_compressed and syntax.is_encapsulated:
            dataset.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
            dataset.compress(syntax, generate_instance_uid=False)
        elif syntax == ExplicitVRBigEndian:
            dataset.PixelData = np.frombuffer(dataset.PixelData, "<u2").astype(">u2").tobytes()
        if self.preamble:
            dataset.file_meta.TransferSyntaxUID = syntax
            dataset.file_meta.MediaStorageSOPClassUID = dataset.get("SOPClassUID", "1.2.840.10008.5.1.4.1.1.4")
            dataset.file_meta.MediaStorageSOPInstanceUID = dataset.get("SOPInstanceUID", "2.25.1")
            dcmwrite(stream, dataset, enforce_file_format=True)
        else:
            bare = Dataset(dataset)
            dcmwrite(stream, bare, implicit_vr=True, little_endian=True)
        found = stream.getvalue()
        return self.damage(found) if self.damage else found


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Whom to simulate.

    Attributes:
        profile: of `study.PROFILES`.
        junction: how the lumbar spine meets the sacrum; as drawn if None.
        lesions: in place of those that are drawn, if any.
        bent_deg: the lumbar spine bends to the side by at least as much, from one end to the other.
    """

    profile: str = "lumbar"
    junction: Junction | None = None
    lesions: tuple[Lesion, ...] = ()
    bent_deg: float = 0.0


PLAIN = Patient()


@dataclass(slots=True, kw_only=True)
class Draft:
    """A study that is being tortured. `extras` are further files; `entry` is what is to be read, `.` for the folder."""

    rng: np.random.Generator
    seed: int
    variant: int
    made: SimulatedStudy
    sheets: list[Sheet]
    expected: Expectation
    extras: list[tuple[str, bytes]] = field(default_factory=list)
    entry: str = "."
    pack: Callable[[list[tuple[str, bytes]]], list[tuple[str, bytes]]] | None = None

    def of(self, plane: Plane, *sequences: Sequence) -> list[Sheet]:
        """The files of one plane, of these sequences or of all."""
        return [s for s in self.sheets if s.plane is plane and (not sequences or s.sequence in sequences)]

    @property
    def sagittal_t1(self) -> list[Sheet]:
        """The files of the sagittal T1w series."""
        return self.of(Plane.SAGITTAL, Sequence.T1W)

    @property
    def sagittal_t2(self) -> list[Sheet]:
        """The files of the sagittal T2w or STIR series."""
        return self.of(Plane.SAGITTAL, Sequence.T2W, Sequence.STIR)

    @property
    def axial(self) -> list[Sheet]:
        """The files of all axial series."""
        return self.of(Plane.AXIAL)

    def expect(self, **changes: Any) -> None:
        """Change the expectation."""
        self.expected = replace(self.expected, **changes)

    def expect_series(self, number: int | None, **changes: Any) -> None:
        """Change what is expected of one series; `slices=0` means that there is none of this number."""
        series = tuple(replace(one, **changes) if one.number == number else one for one in self.expected.series)
        self.expected = replace(self.expected, series=tuple(one for one in series if one.slices))

    def recount(self) -> None:
        """Expect as many slices of every series as there are files of it, and no series without files."""
        for one in self.expected.series:
            self.expect_series(one.number, slices=sum(sheet.number == one.number for sheet in self.sheets))

    def drop(self, sheets: list[Sheet]) -> None:
        """Take files away, and expect them no longer."""
        gone = {id(sheet) for sheet in sheets}
        self.sheets = [sheet for sheet in self.sheets if id(sheet) not in gone]
        self.recount()

    def files(self) -> list[tuple[str, bytes]]:
        """All files of the study: name and bytes."""
        files = [(sheet.name, sheet.encoded()) for sheet in self.sheets] + self.extras
        return self.pack(files) if self.pack else files


def draft_of(seed: int, variant: int, kind: str, place: int) -> Draft:
    """A plain small study, to be changed; `place` is the place of its kind in the table."""
    made, contents = small_study(seed, variant)
    sheets = list(_sheets(made, contents))
    return Draft(
        rng=np.random.default_rng([seed, variant, place]),
        seed=seed,
        variant=variant,
        made=made,
        sheets=sheets,
        expected=replace(_expectation(kind, made, sheets), like=Likeness()),
    )


def another_patient(draft: Draft, patient: Patient) -> None:
    """Put another patient in the place of the plain one; levels must lie where they truly are, or be doubted."""
    draft.made, contents = small_study(draft.seed, draft.variant, patient)
    draft.sheets = list(_sheets(draft.made, contents))
    draft.expected = _expectation(draft.expected.kind, draft.made, draft.sheets)
    draft.expect(codes=(OK, NOTHING_GRADABLE), placed=True)


def _expectation(kind: str, made: SimulatedStudy, sheets: list[Sheet]) -> Expectation:
    """Every series with its slices and its plane."""
    numbers = {sheet.number: sheet.plane for sheet in sheets}
    counts = [sheet.number for sheet in sheets]
    series = tuple(
        ExpectedSeries(number=number, slices=counts.count(number), planes=(plane,)) for number, plane in numbers.items()
    )
    return Expectation(kind=kind, series=series, places=tuple(made.truth.levels.items()))


@lru_cache(maxsize=8)
def small_study(seed: int, variant: int, patient: Patient = PLAIN) -> tuple[SimulatedStudy, tuple[bytes, ...]]:
    """A simulated study with a sagittal T1w, a sagittal T2w or STIR and its axial T2w series, thinned and reduced.

    Returns:
        The study, and its files as bytes in the order of series and slices.
    """
    for number in _numbers(seed, variant, patient):
        made = simulate_study(
            seed,
            number,
            patient.profile,
            junction=patient.junction,
            disease={"lesions": patient.lesions} if patient.lesions else None,
        )
        chosen = made.series[:2] if patient.profile == "other" else _chosen(made)
        if chosen:
            break
    small = replace(made, series=tuple(_reduced(one, number) for number, one in enumerate(chosen, start=FIRST_NUMBER)))
    key = sha256(f"torture/{seed}/{variant}/{patient}".encode()).hexdigest()[:12]
    small = replace(small, study=Study(key=key, series=tuple(one.series for one in small.series)))
    contents: list[bytes] = []
    for one in small.series:
        with TemporaryDirectory() as folder:
            write_study(replace(small.study, series=(one.series,)), Path(folder))
            contents += [path.read_bytes() for path in sorted(Path(folder).rglob("*.dcm"))]
    return small, tuple(contents)


def _numbers(seed: int, variant: int, patient: Patient) -> Iterator[int]:
    """The studies to try; those of a bent spine are looked for, since nothing forces one."""
    first = variant * ATTEMPTS
    if patient.bent_deg == 0:
        yield from range(first, first + ATTEMPTS)
        return
    for number in count(variant * BENT_ATTEMPTS):
        rng = np.random.default_rng([seed, number, PROFILES.index(patient.profile)])  # as `simulate_study` does
        if bend_deg(sample_subject(rng)) >= patient.bent_deg:
            yield number


def bend_deg(subject: Subject) -> float:
    """The widest angle between two lumbar discs, seen from the front."""
    planes = list(subject.plane_of_level.values())
    up = subject.frames[planes, 3]
    return float(np.ptp(np.degrees(np.arctan2(up[:, 0], up[:, 2]))))


def _chosen(made: SimulatedStudy) -> tuple[SimulatedSeries, ...]:
    series = [one for one in made.series if one.stack.spacing_mm < 10]  # no localizer

    def first(*sequences: Sequence) -> tuple[SimulatedSeries, ...]:
        found = [one for one in series if one.plane is Plane.SAGITTAL and one.sequence in sequences]
        return tuple(found[:1])

    t1, t2 = first(Sequence.T1W), first(Sequence.T2W, Sequence.STIR)
    axial = tuple(one for one in series if one.sequence is Sequence.T2W and _is_axial(one))
    return (*t1, *t2, *axial) if t1 and t2 and axial else ()


def _is_axial(one: SimulatedSeries) -> bool:
    """Axial, and nearer to that plane than to any other: blocks through a steep L5/S1 lie nearer to the coronal."""
    return one.plane is Plane.AXIAL and patient_plane(one.stack.slice_planes()[0]) is Plane.AXIAL


def _reduced(one: SimulatedSeries, number: int) -> SimulatedSeries:
    """Fewer and smaller slices, at the same places, under another number."""
    series = one.series
    most = SAGITTAL_SLICES if one.plane is Plane.SAGITTAL else AXIAL_SLICES if len(series.slices) > 8 else 2
    count = len(series.slices)
    step = -(-count // most)
    kept = range((count - 1) % step // 2, count, step)
    factor = max(series.rows, series.columns) / ROWS
    rows, columns = round(series.rows / factor), round(series.columns / factor)
    pixels = np.stack(
        [
            np.rint(cv2.resize(one.pixels[k].astype(np.float32), (columns, rows), interpolation=cv2.INTER_AREA))
            for k in kept
        ]
    ).astype(np.uint16)

    def load(index: int) -> Image:
        return np.asarray(pixels[index], np.float32)

    slices = tuple(_slice(series, k, (series.rows / rows, series.columns / columns)) for k in kept)
    record = replace(series, key=f"{number:03d}", number=number, rows=rows, columns=columns, slices=slices, load=load)
    return replace(one, series=record, pixels=pixels, slices=tuple(one.slices[k] for k in kept))


def _slice(series: Series, index: int, factors: tuple[float, float]) -> Slice:
    item = series.slices[index]
    plane = item.plane
    if plane is None:
        return item
    origin = to_patient(plane, (factors[0] - 1) / 2, (factors[1] - 1) / 2)
    moved = SlicePlane(
        origin_lps_mm=origin,
        along_row=plane.along_row,
        along_column=plane.along_column,
        row_spacing_mm=plane.row_spacing_mm * factors[0],
        column_spacing_mm=plane.column_spacing_mm * factors[1],
    )
    return replace(item, plane=moved)


def _sheets(made: SimulatedStudy, contents: tuple[bytes, ...]) -> Iterator[Sheet]:
    places = [(one, index) for one in made.series for index in range(len(one.series.slices))]
    for (one, index), content in zip(places, contents, strict=True):
        dataset = dcmread(io.BytesIO(content))
        yield Sheet(
            name=f"{one.series.number:03d}/{index + 1:04d}.dcm",
            dataset=dataset,
            plane=one.plane,
            sequence=one.sequence,
            index=index,
        )


def other_sheets(draft: Draft, number: int = 90) -> list[Sheet]:
    """Files of two series of another part of the body, numbered from `number`."""
    made, contents = small_study(draft.seed, draft.variant, Patient(profile="other"))
    sheets = list(_sheets(made, contents))
    numbers = sorted({sheet.number for sheet in sheets})
    for sheet in sheets:
        sheet.dataset.SeriesNumber = number + numbers.index(sheet.number)
        sheet.name = f"{sheet.number:03d}/{sheet.index + 1:04d}.dcm"
    return sheets

"""Small studies and packs that need no model and no file."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from spinalis.errors import UnreadableFileError
from spinalis.models.pack import Manifest, Score
from spinalis.models.prepare import InputSpec
from spinalis.records import Header, Image, Judgement, PackInfo, Series, SeriesLabel, Slice, SlicePlane, Study
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

SAGITTAL = ((0.0, 1.0, 0.0), (0.0, 0.0, -1.0))
AXIAL = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0))


def texts(study: Study) -> tuple[str, ...]:
    """The sentences of a study's warnings."""
    return tuple(item.text for item in study.warnings)


def series(
    pixels: Image,
    *,
    key: str = "s1",
    orientation: tuple[tuple[float, ...], tuple[float, ...]] | None = SAGITTAL,
    origin: tuple[float, float, float] = (-20.0, -100.0, 100.0),
    spacing_mm: tuple[float, float] = (1.0, 1.0),
    step_mm: float = 4.0,
    header: Header | None = None,
    broken: tuple[int, ...] = (),
) -> Series:
    """A series over an array (slices, rows, columns); slices in `broken` cannot be decoded."""

    def load(index: int) -> Image:
        if index in broken:
            raise UnreadableFileError("Slice: expected pixels, got none.")
        return pixels[index].astype(np.float32)

    slices = []
    for index in range(len(pixels)):
        plane = None
        if orientation is not None:
            normal = np.abs(np.cross(*orientation))
            start = np.asarray(origin) + normal * step_mm * index
            plane = SlicePlane(
                origin_lps_mm=tuple(float(value) for value in start),
                along_row=orientation[0],
                along_column=orientation[1],
                row_spacing_mm=spacing_mm[0],
                column_spacing_mm=spacing_mm[1],
            )
        slices.append(Slice(file=f"{index}.dcm", instance_number=index + 1, plane=plane))
    return Series(
        key=key,
        number=1,
        header=header or Header(modality="MR"),
        rows=pixels.shape[1],
        columns=pixels.shape[2],
        slices=tuple(slices),
        load=load,
    )


def label(
    key: str = "s1",
    plane: Plane = Plane.SAGITTAL,
    sequence: Sequence = Sequence.T2W,
    anatomy: Anatomy = Anatomy.MR_SPINE,
    region: Region = Region.LUMBAR,
) -> SeriesLabel:
    """A sure label."""
    return SeriesLabel(
        series_key=key,
        number=1,
        anatomy=Judgement(label=anatomy, probability=1.0),
        region=Judgement(label=region, probability=1.0),
        plane=Judgement(label=plane, probability=1.0),
        sequence=Judgement(label=sequence, probability=1.0),
        cord_slices=(),
        slices=(),
    )


def manifest(task: str, inputs: dict[str, InputSpec], **settings: object) -> Manifest:
    """A manifest for a fake pack."""
    outputs = ("canal", "foraminal", "subarticular", "levels", "triage")
    return Manifest(
        name=task,
        task=task,
        version="0",
        licence="Apache-2.0",
        sha256="0" * 64,
        inputs=inputs,
        labels={"anatomy": ("a", "b"), "region": ("c", "t", "l"), "plane": ("s", "a", "c"), "sequence": tuple("1234")},
        settings={"temperature": {}, **settings},
        training_data=(),
        scores=tuple(Score(output=name, on="simulation", figures="none") for name in outputs),
    )


@dataclass
class FakePack:
    """A pack whose answers come from a function of its inputs."""

    manifest: Manifest
    answer: Callable[..., dict[str, Image]]
    calls: list[dict[str, Image]] = field(default_factory=list)
    folder: Path = Path()

    @property
    def info(self) -> PackInfo:
        return PackInfo(name=self.manifest.name, task=self.manifest.task, version="0", sha256=self.manifest.sha256)

    def run(self, **inputs: Image) -> dict[str, Image]:
        self.calls.append(inputs)
        return self.answer(**inputs)

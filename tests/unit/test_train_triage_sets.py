from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spinalis.evaluate.triage import UNKNOWN
from spinalis.models.prepare import InputSpec
from spinalis.records import Image, Judgement, SeriesLabel
from spinalis.simulate.sequence import Contrast
from spinalis.train import triage_sets
from spinalis.train.data import open_images
from spinalis.train.data.real_slice import Labels, pictures
from spinalis.triage.hierarchy import load
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence
from tests.fakes import FakePack, manifest, series

TREE = load()


def answer(images: Image) -> dict[str, Image]:
    """Cervical sagittal T2w spine everywhere, cord in bright slices."""
    count = len(images)

    def sure(place: int, classes: int) -> Image:
        return np.tile(np.eye(classes, dtype=np.float32)[place] * 20, (count, 1))

    cord = np.where(images.mean((1, 2, 3)) > 0.5, 5.0, -5.0).astype(np.float32)[:, None]
    return {"anatomy": sure(0, 2), "region": sure(0, 3), "plane": sure(0, 3), "sequence": sure(1, 4), "cord": cord}


def simulated(seed: int, number: int, profile: str) -> Any:
    """One series of three slices, the cord in the second; in `other` it is a knee."""
    spine = profile != "other"
    pixels = np.zeros((3, 30, 30), np.float32)
    pixels[:, :10] = 1.0
    pixels[1, :25] = 1.0
    item = SimpleNamespace(
        series=series(pixels),
        anatomy=Anatomy.MR_SPINE if spine else Anatomy.OTHER,
        region=Region.CERVICAL if spine else Region.UNKNOWN,
        plane=Plane.SAGITTAL,
        sequence=Sequence.T2W,
        contrast=Contrast.T2W,
        part="SPINE" if spine else "KNEE",
        cord=(False, True, False),
    )
    study = SimpleNamespace(series=(item.series,))
    return SimpleNamespace(series=(item,), study=study, key=f"{seed}/{number}")


class Inline:
    """A pool of this process."""

    def __init__(self, *_: Any, **__: Any) -> None:
        self.done = 0

    def __enter__(self) -> "Inline":
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def map(self, function: Callable[[Any], Any], items: Iterable[Any]) -> Iterator[Any]:
        return map(function, items)


@pytest.fixture
def studies(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int, str]]:
    """What was simulated; the pack is a fake."""
    made: list[tuple[int, int, str]] = []

    def simulate(seed: int, number: int, profile: str) -> Any:
        made.append((seed, number, profile))
        return simulated(seed, number, profile)

    fake = FakePack(manifest=manifest("triage", {"images": InputSpec(height=32, width=32)}), answer=answer)
    monkeypatch.setattr(triage_sets, "ProcessPoolExecutor", Inline)
    monkeypatch.setattr(triage_sets, "simulate_study", simulate)
    monkeypatch.setattr(triage_sets, "load_packs", lambda *_, **__: (fake,))
    monkeypatch.setattr(triage_sets, "TEST_STUDIES", {"cervical": 4, "other": 2})
    return made


def test_studies_are_simulated_once_with_truth_and_the_word_of_the_fused_default(
    studies: list[tuple[int, int, str]], tmp_path: Path
) -> None:
    found = triage_sets.simulated_set(TREE, tmp_path, None, scale=0.5)
    assert studies == [
        (triage_sets.JUDGED_SEED, number, name) for name, number in (("cervical", 0), ("cervical", 1), ("other", 0))
    ]
    again = triage_sets.simulated_set(TREE, tmp_path, None, scale=0.5)
    assert len(studies) == 3
    assert found.title == "3 simulated studies"
    assert (found.pictures == again.pictures).all()
    truth, fused = found.slices.truth, found.fused
    knee = TREE.root.names.index("MR knee")
    assert truth["anatomy"].tolist() == [0] * 6 + [knee] * 3
    assert truth["cord"].tolist() == [0, 1, 0] * 2 + [UNKNOWN] * 3
    assert fused["anatomy"].tolist() == [0] * 9
    assert fused["cord"].tolist() == [0, 1, 0] * 3
    assert found.slices.series.tolist() == [0] * 3 + [1] * 3 + [2] * 3
    assert len(set(found.slices.patients)) == 3


def test_real_series_are_read_as_such_and_kept_where_their_part_is_known(
    studies: list[tuple[int, int, str]], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bright = np.zeros((20, 20), np.float32)
    bright[:15] = 9.0
    spine = Labels(
        anatomy=Anatomy.MR_SPINE, region=Region.CERVICAL, plane=Plane.SAGITTAL, sequence=Sequence.T2W, cord=True
    )

    def item(labels: Labels, patient: str, count: int) -> open_images.RealSeries:
        shown = pictures([lambda: bright] * count, patient)
        return open_images.RealSeries(
            series=shown, pixels=shown, labels=(labels,) * count, source="set", patient=patient
        )

    items = [
        item(spine, "p1", 2),
        item(Labels(plane=Plane.AXIAL), "p3", 1),
        item(Labels(anatomy=Anatomy.OTHER), "p4", 1),
    ]
    monkeypatch.setattr(triage_sets.open_images, "read_series", lambda root, subset: iter(items))
    found = triage_sets.real_set(TREE, tmp_path, None)
    assert found.slices.patients.tolist() == ["p1", "p1", "p4"]
    assert found.slices.series.tolist() == [0, 0, 1]
    assert found.slices.truth["cord"].tolist() == [1, 1, UNKNOWN]
    assert found.fused["cord"].tolist() == [1, 1, 1]


def test_a_series_is_of_its_leading_region_whatever_else_it_covers() -> None:
    def judged(label: Any) -> Judgement[Any]:
        return Judgement(label=label, probability=0.9, source="pixels")

    label = SeriesLabel(
        series_key="a",
        number=1,
        anatomy=judged(Anatomy.MR_SPINE),
        region=judged(Region.CERVICAL),
        plane=judged(Plane.SAGITTAL),
        sequence=judged(Sequence.T2W),
        cord_slices=(),
        slices=(),
        coverage=judged((Region.CERVICAL,)),
    )
    assert triage_sets._believed(label, 0)["region"] == "cervical"
    whole = replace(label, coverage=judged((Region.CERVICAL, Region.THORACIC)))
    assert triage_sets._believed(whole, 0)["region"] == "cervical"

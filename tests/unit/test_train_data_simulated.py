from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from spinalis.models.prepare import stretched
from spinalis.simulate.sequence import Contrast
from spinalis.train.data import node_slices, simulated
from spinalis.train.data.simulated import CORD, NO_CORD, SLICES_PER_SERIES, TRIAGE_SIZE, VOLUME_SHAPE, WORDS
from spinalis.triage.hierarchy import load
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence


def series(count: int, brightest: float = 100.0, part: str = "SPINE") -> Any:
    """A series whose slice `i` has its upper half at `i + 1`, and one pixel at `brightest`."""
    pixels = np.zeros((count, 48, 32), np.float32)
    pixels[:, :24] = np.arange(1, count + 1)[:, None, None]
    pixels[:, 47, 31] = brightest
    record = SimpleNamespace(
        slices=[SimpleNamespace(plane=None)] * count,
        rows=48,
        columns=32,
        load=lambda index: pixels[index],
        header=SimpleNamespace(manufacturer="GE MEDICAL SYSTEMS"),
    )
    spine = part == "SPINE"
    return SimpleNamespace(
        series=record,
        anatomy=Anatomy.MR_SPINE if spine else Anatomy.OTHER,
        region=Region.CERVICAL if spine else Region.UNKNOWN,
        plane=Plane.SAGITTAL,
        sequence=Sequence.T2W,
        contrast=Contrast.T2_SPACE,
        part=part,
        cord=tuple(index == 2 for index in range(count)),
    )


def study(*items: Any) -> Any:
    return SimpleNamespace(series=items, truth=SimpleNamespace(grades={}))


def kept(whole: bool) -> dict[str, Any]:
    made = study(series(9), series(2, part="KNEE"))
    return simulated._arrays(made, np.random.default_rng(0), None, whole)  # type: ignore[arg-type]


def test_some_slices_of_every_series_are_kept_with_their_words() -> None:
    arrays = kept(whole=False)
    series = arrays["triage_series"].tolist()
    assert series.count(1) == 2
    assert SLICES_PER_SERIES <= series.count(0) <= SLICES_PER_SERIES + 3, "the cord's slice and both beside it as well"
    assert [row[-1] for row in arrays["triage_words"][: series.count(0)]].count(CORD) == 1
    for name in ("triage_images", "triage_pictures"):
        assert arrays[name].shape == (len(series), TRIAGE_SIZE, TRIAGE_SIZE)
        assert arrays[name].dtype == np.uint8
    assert arrays["triage_labels"][-1].tolist() == [1, -1, 0, 1, -1]
    facts = dict(zip(WORDS, arrays["triage_words"][-1], strict=True))
    assert facts == {
        "part": "KNEE",
        "region": "unknown",
        "plane": "sagittal",
        "sequence": "T2w",
        "contrast": "T2w SPACE",
        "cord": NO_CORD,
    }


def test_a_whole_harvest_keeps_every_slice_in_its_order() -> None:
    arrays = kept(whole=True)
    assert arrays["triage_series"].tolist() == [0] * 9 + [1] * 2
    assert [row[-1] for row in arrays["triage_words"][:9]] == [CORD if index == 2 else NO_CORD for index in range(9)]
    brightness = arrays["triage_pictures"][:9, 40, TRIAGE_SIZE // 2].tolist()
    assert brightness == [round((index + 1) / 100 * 255) for index in range(9)], "min to max, hot pixel and all"


def test_slices_of_a_harvest_come_to_the_nodes_that_ask_about_them(tmp_path: Path) -> None:
    file = tmp_path / "cervical-1" / "00000.npz"
    file.parent.mkdir()
    np.savez(file, **kept(whole=True))
    tree = load()
    asked = {name: list(node_slices.simulated([file], tree, name)) for name in tree.nodes}
    assert {name: len(found) for name, found in asked.items()} == {"anatomy": 11, "view": 9, "sequence": 9, "cord": 9}
    knee = asked["anatomy"][-1]
    assert knee.facts == {
        "part": "KNEE",
        "plane": "sagittal",
        "sequence": "T2w",
        "contrast": "T2w SPACE",
        "cord": NO_CORD,
    }
    assert (knee.series, knee.patient) == ("cervical-1/00000/1", "cervical-1/00000")
    assert knee.picture.base is None, "no view, which would keep the whole study in memory"
    assert [item.facts["cord"] == CORD for item in asked["cord"]] == [index == 2 for index in range(9)]


def test_volumes_spread_over_the_series_and_short_series_make_none() -> None:
    arrays = kept(whole=True)
    assert arrays["volume_images"].shape == (1, *VOLUME_SHAPE)
    assert arrays["volume_words"].tolist() == [["T2w SPACE", "SPINE", "GE MEDICAL SYSTEMS"]]
    middle = arrays["volume_images"][0, :, 16, 32].astype(int)
    assert (np.diff(middle) >= 0).all()
    assert middle[-1] > 5 * middle[0]


def test_a_study_without_volumes_is_kept_all_the_same() -> None:
    arrays = simulated._volumes(study(series(2)))
    assert arrays["volume_images"].shape == (0, *VOLUME_SHAPE)
    assert arrays["volume_words"].shape == (0, 3)


def test_a_png_export_reaches_from_its_darkest_to_its_brightest_pixel() -> None:
    image = np.array([[-50.0, 0.0], [25.0, 50.0]], np.float32)
    assert stretched(image).tolist() == [[0, 128], [191, 255]]
    assert stretched(np.full((2, 2), 7.0, np.float32)).tolist() == [[0, 0], [0, 0]]
    with pytest.raises(ValueError, match="expected finite pixels"):
        stretched(np.array([[np.nan, 1.0]], np.float32))

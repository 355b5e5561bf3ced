import numpy as np
import pytest

from spinalis.errors import UnreadableFileError
from spinalis.simulate.sequence import Contrast
from spinalis.train.data.header_studies import header_series
from spinalis.vocabulary import Anatomy, Detail, Plane, Region


def test_headers_are_the_same_for_the_same_seed_and_carry_their_truth() -> None:
    first, again = (list(header_series(5, 1, 2, "cervical")) for _ in range(2))
    assert [item.series.header for item in first] == [item.series.header for item in again]
    assert {item.region for item in first} == {Region.CERVICAL}
    assert all(Region.CERVICAL in item.covered for item in first)
    assert Plane.SAGITTAL in {item.plane for item in first}


def test_a_whole_spine_covers_every_region() -> None:
    whole = [item for item in header_series(5, 3, 2, "whole") if item.series.rows == 512]
    assert whole
    assert {item.covered for item in whole} == {(Region.CERVICAL, Region.THORACIC, Region.LUMBAR)}


def test_other_anatomy_covers_no_region() -> None:
    assert {(item.anatomy, item.covered) for item in header_series(5, 1, 3, "other")} == {(Anatomy.OTHER, ())}


def test_there_are_no_pixels_to_load() -> None:
    item = next(header_series(5, 1, 1, "lumbar"))
    assert all(slice_.plane for slice_ in item.series.slices)
    with pytest.raises(UnreadableFileError, match="a header alone"):
        item.series.load(0)


def test_the_finer_contrasts_are_those_of_the_simulator() -> None:
    assert [word.value for word in Detail] == [word.value for word in Contrast]


def test_slices_lie_as_far_apart_as_the_stack_says() -> None:
    item = next(item for item in header_series(5, 1, 1, "lumbar") if len(item.series.slices) > 5)
    places = np.array([s.plane.origin_lps_mm for s in item.series.slices if s.plane])
    steps = np.linalg.norm(np.diff(places, axis=0), axis=1)
    assert steps == pytest.approx(np.full(len(steps), steps[0]))

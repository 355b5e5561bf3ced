import numpy as np
import pytest

from spinalis.models.prepare import InputSpec
from spinalis.records import Header
from spinalis.triage import label_series
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence
from tests.fakes import AXIAL, SAGITTAL, FakePack, manifest, series
from tests.unit.test_triage_header import PACK as HEADERS

LUMBAR_T2 = {
    "anatomy": (4.0, -4.0),
    "region": (-3.0, -3.0, 3.0),
    "plane": (3.0, 0.0, 0.0),
    "sequence": (0.0, 4.0, 0.0, 0.0),
}


def pack_that_says(cord: float = -3.0, **logits: tuple[float, ...]) -> FakePack:
    said = {**LUMBAR_T2, **logits, "cord": (cord,)}

    def answer(images: np.ndarray) -> dict[str, np.ndarray]:
        return {name: np.tile(np.array(values, np.float32), (len(images), 1)) for name, values in said.items()}

    return FakePack(manifest("triage", {"images": InputSpec(height=32, width=32)}), answer)


def pixels(slices: int = 5) -> np.ndarray:
    return np.random.default_rng(0).random((slices, 40, 50), np.float32)


def test_a_series_takes_the_vote_of_its_slices() -> None:
    label = label_series(series(pixels()), pack_that_says())
    assert (label.anatomy.label, label.region.label, label.sequence.label) == (
        Anatomy.MR_SPINE,
        Region.LUMBAR,
        Sequence.T2W,
    )
    assert len(label.slices) == 5


def test_the_plane_comes_from_the_geometry_even_against_the_pixels() -> None:
    label = label_series(series(pixels(), orientation=AXIAL), pack_that_says())
    assert (label.plane.label, label.plane.source) == (Plane.AXIAL, "geometry")


def test_without_geometry_the_plane_comes_from_the_pixels() -> None:
    label = label_series(series(pixels(), orientation=None), pack_that_says())
    assert (label.plane.label, label.plane.source) == (Plane.SAGITTAL, "pixels")


def test_another_modality_is_refused_whatever_the_pixels_say() -> None:
    label = label_series(series(pixels(), header=Header(modality="CT")), pack_that_says())
    assert label.anatomy.label is Anatomy.OTHER
    assert label.region.label is Region.UNKNOWN
    assert label.sequence.label is Sequence.UNKNOWN
    assert "modality_ct" in label.flags


LIE = Header(
    modality="MR", body_part="BRAIN", description="t1_tse_sag Kopf", echo_time_ms=10.0, repetition_time_ms=550.0
)


def test_a_lying_header_is_overruled_by_clear_pixels_and_flagged() -> None:
    label = label_series(series(pixels(30), header=LIE), pack_that_says(), HEADERS)
    assert label.anatomy.label is Anatomy.MR_SPINE
    assert label.sequence.label is Sequence.T2W
    assert {"header_contradicts_pixels_anatomy", "header_contradicts_pixels_sequence"} <= set(label.flags)
    said = {found.head: (found.header, found.pixels, found.taken) for found in label.contradictions}
    assert said["anatomy"] == ("not MR spine", "MR spine", "MR spine")
    assert said["sequence"] == ("T1w", "T2w", "T2w")


def test_clear_pixels_of_another_anatomy_overrule_a_spine_in_the_header() -> None:
    header = Header(modality="MR", body_part="LSPINE", description="T2 sag L-SPINE", echo_time_ms=100.0)
    label = label_series(series(pixels(30), header=header), pack_that_says(anatomy=(-4.0, 4.0)), HEADERS)
    assert (label.anatomy.label, label.region.label) == (Anatomy.OTHER, Region.UNKNOWN)
    assert "header_contradicts_pixels_anatomy" in label.flags


def test_without_a_header_the_pixels_stand_alone() -> None:
    label = label_series(series(pixels(), header=Header(modality="MR")), pack_that_says(), HEADERS)
    assert {label.anatomy.source, label.region.source, label.sequence.source} == {"pixels"}
    assert label.contradictions == ()


def test_without_a_header_pack_the_header_is_not_asked() -> None:
    label = label_series(series(pixels(), header=LIE), pack_that_says())
    assert (label.sequence.source, label.contradictions) == ("pixels", ())


def test_the_header_decides_where_the_pixels_are_unsure() -> None:
    unsure = pack_that_says(sequence=(0.1, 0.0, 0.0, 0.0))
    header = Header(modality="MR", echo_time_ms=100.0, repetition_time_ms=3500.0)
    label = label_series(series(pixels(), header=header), unsure, HEADERS)
    assert (label.sequence.label, label.sequence.source) == (Sequence.T2W, "fusion")


def test_without_geometry_the_header_helps_with_the_plane() -> None:
    unsure = pack_that_says(plane=(0.1, 0.0, 0.0))
    header = Header(modality="MR", description="ax T2 L-SPINE")
    label = label_series(series(pixels(), orientation=None, header=header), unsure, HEADERS)
    assert (label.plane.label, label.plane.source) == (Plane.AXIAL, "fusion")


def test_unreadable_slices_are_left_out_and_flagged() -> None:
    label = label_series(series(pixels(), broken=(1, 3)), pack_that_says())
    assert [item.index for item in label.slices] == [0, 2, 4]
    assert "unreadable_slices" in label.flags


def test_a_series_without_a_readable_slice_is_unknown_but_keeps_its_geometry() -> None:
    broken = series(pixels(), broken=(0, 1, 2, 3, 4), orientation=SAGITTAL)
    label = label_series(broken, pack_that_says())
    assert (label.anatomy.label, label.region.label, label.sequence.label) == (
        Anatomy.UNKNOWN,
        Region.UNKNOWN,
        Sequence.UNKNOWN,
    )
    assert label.plane.label is Plane.SAGITTAL


@pytest.mark.parametrize(("logit", "expected"), [(3.0, (0, 1, 2)), (-8.0, ())])
def test_cord_slices_are_those_above_the_threshold(logit: float, expected: tuple[int, ...]) -> None:
    assert label_series(series(pixels(3)), pack_that_says(cord=logit)).cord_slices == expected


def test_outside_the_spine_no_slice_shows_a_cord() -> None:
    label = label_series(series(pixels()), pack_that_says(cord=5.0, anatomy=(-5.0, 5.0)))
    assert label.cord_slices == ()


def test_batches_do_not_change_the_answer() -> None:
    many = pixels(37)
    together = label_series(series(many), pack_that_says())
    assert [item.index for item in together.slices] == list(range(37))


def test_blank_slices_cast_no_vote_and_are_flagged() -> None:
    some = pixels(8)
    some[5:] = 7.0
    label = label_series(series(some, broken=(0,)), pack_that_says(cord=3.0))
    assert tuple(item.index for item in label.slices) == (1, 2, 3, 4)
    assert label.cord_slices == (1, 2, 3, 4)
    assert [flag for flag in label.flags if flag.endswith("slices")] == ["blank_slices", "unreadable_slices"]


def test_no_cord_is_as_wide_as_a_whole_stack() -> None:
    label = label_series(series(pixels(20)), pack_that_says(cord=3.0))
    assert label.cord_slices == (), "a network that sees it in every slice of eight centimetres alike errs"


def test_a_series_of_blank_slices_is_what_its_header_says() -> None:
    header = Header(modality="MR", body_part="LSPINE", description="T2 sag L-SPINE", echo_time_ms=100.0)
    label = label_series(series(np.zeros((5, 40, 50)), header=header), pack_that_says(anatomy=(-4.0, 4.0)), HEADERS)
    assert (label.anatomy.label, label.anatomy.source) == (Anatomy.MR_SPINE, "header")
    assert label.contradictions == label.slices == ()

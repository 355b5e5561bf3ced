import numpy as np
import pytest

from spinalis.geometry import to_pixel
from spinalis.localize import find_levels, locate
from spinalis.localize.decode import FIRST
from spinalis.models.prepare import InputSpec
from spinalis.records import Study
from spinalis.vocabulary import LEVELS, Anatomy, NoticeKind, Plane, Region, Sequence
from tests.fakes import AXIAL, FakePack, label, manifest, series
from tests.unit.test_localize_decode import SPINE, maps_of

SPEC = InputSpec(height=192, width=192)


def pack_with(mass_by_slice: dict[int, float] | None = None) -> FakePack:
    def answer(images: np.ndarray) -> dict[str, np.ndarray]:
        masses = mass_by_slice or {}
        return {"maps": np.stack([maps_of(SPINE, masses.get(i, 0.9)) for i in range(len(images))])}

    return FakePack(manifest("localize", {"images": SPEC}), answer)


def pixels(slices: int = 5, rows: int = 384, columns: int = 384) -> np.ndarray:
    return np.random.default_rng(1).random((slices, rows, columns), np.float32)


def test_locate_maps_the_chain_back_to_pixels_of_the_slice() -> None:
    marks = locate(series(pixels()), pack_with())
    assert [mark.level for mark in marks] == list(LEVELS)
    for mark, (x, y) in zip(marks, SPINE[FIRST:], strict=False):
        # A map pixel is two input pixels, an input pixel two picture pixels.
        assert (mark.location.column, mark.location.row) == pytest.approx((4 * x + 1.5, 4 * y + 1.5), abs=1.5)


def test_locate_takes_the_slice_with_the_sharpest_peaks() -> None:
    marks = locate(series(pixels()), pack_with({0: 0.01, 1: 0.01, 2: 0.02, 3: 0.9, 4: 0.02}))
    assert {mark.location.slice_index for mark in marks} == {3}


def test_locate_gives_the_same_millimetres_for_a_flipped_and_transposed_picture() -> None:
    upright = series(pixels())
    turned = series(pixels(), orientation=((0.0, 0.0, 1.0), (0.0, -1.0, 0.0)), origin=(-20.0, 283.0, -283.0))
    for first, second in zip(locate(upright, pack_with()), locate(turned, pack_with()), strict=True):
        assert first.point_lps_mm == pytest.approx(second.point_lps_mm, abs=0.6)


def test_locate_respects_unequal_pixel_spacing() -> None:
    marks = locate(series(pixels(5, 192, 384), spacing_mm=(2.0, 1.0)), pack_with())
    plain = locate(series(pixels(5, 384, 384)), pack_with())
    for first, second in zip(marks, plain, strict=True):
        assert first.point_lps_mm == pytest.approx(second.point_lps_mm, abs=1.2)


def test_unreadable_slices_are_passed_over() -> None:
    marks = locate(series(pixels(), broken=(0, 1, 2, 4)), pack_with())
    assert {mark.location.slice_index for mark in marks} == {3}
    assert locate(series(pixels(), broken=(0, 1, 2, 3, 4)), pack_with()) == ()
    assert locate(series(np.zeros_like(pixels())), pack_with()) == ()


def test_a_wide_black_frame_does_not_make_the_spine_smaller() -> None:
    plain = locate(series(pixels()), pack_with())
    for frame, same in ((60, True), (20, False)):  # 384 of 504 pixels are less than 0.8 of them, 384 of 424 are not
        framed = np.pad(pixels(), ((0, 0), (frame, frame), (frame, frame)))
        marks = locate(series(framed, origin=(-20.0, -100.0 - frame, 100.0 + frame)), pack_with())
        near = [
            first.point_lps_mm == pytest.approx(second.point_lps_mm, abs=0.6)
            for first, second in zip(marks, plain, strict=True)
        ]
        assert all(near) is same


@pytest.mark.parametrize(
    ("level", "doubted"), [(4, True), (5, True), (7, False)], ids=["at L5/S1", "at the sacrum", "far below"]
)
def test_levels_are_doubted_where_there_is_no_signal(level: int, doubted: bool) -> None:
    marks = locate(series(pixels()), pack_with())
    rows = [mark.location.row for mark in marks]
    column = int(marks[4].location.column)
    pitch = (rows[4] - rows[0]) / 4
    row = int(rows[0] + level * pitch)
    hollow = pixels()
    hollow[:, row - int(0.5 * pitch) : row + int(0.5 * pitch), column - 60 : column + 60] = 0.0
    found = find_levels(Study(key="k", series=(series(hollow),)), (label(),), pack_with())
    assert any("no signal" in item.text for item in found.warnings) is doubted


def test_levels_are_projected_into_other_series_of_the_same_frame() -> None:
    sagittal = series(pixels())
    point = locate(sagittal, pack_with())[2].point_lps_mm
    axial = series(
        pixels(3, 200, 200),
        key="s2",
        orientation=AXIAL,
        origin=(point[0] - 100, point[1] - 100, point[2] - 4.0),
    )
    study = Study(key="k", series=(sagittal, axial))
    labels = (label(), label("s2", Plane.AXIAL))
    found = find_levels(study, labels, pack_with())
    place = next(p for p in found.landmarks[2].projections if p.series_key == "s2")
    row, column, distance = to_pixel(axial.slices[place.slice_index].plane, found.landmarks[2].point_lps_mm)
    assert (place.slice_index, place.row, place.column) == (1, pytest.approx(row), pytest.approx(column))
    assert distance < 2.1
    assert not [p for mark in (found.landmarks[0], found.landmarks[4]) for p in mark.projections]


def test_a_transitional_junction_is_flagged_and_a_regular_one_is_not() -> None:
    study = Study(key="k", series=(series(pixels()),))
    assert find_levels(study, (label(),), pack_with()).warnings == ()
    maps = maps_of(SPINE)
    maps[7] = 0.5 * maps[6]
    maps[6] *= 0.5
    pack = FakePack(manifest("localize", {"images": SPEC}), lambda images: {"maps": np.stack([maps] * len(images))})
    found = find_levels(study, (label(),), pack)
    assert [item.kind for item in found.warnings] == [NoticeKind.TRANSITIONAL_JUNCTION]
    assert [mark.level for mark in found.landmarks] == list(LEVELS)


def test_a_level_that_is_not_seen_is_left_out_and_named() -> None:
    maps = maps_of([None, None, (70.0, SPINE[2][1]), *SPINE[3:7], None])
    maps[2] *= 0.03
    pack = FakePack(manifest("localize", {"images": SPEC}), lambda images: {"maps": np.stack([maps] * len(images))})
    found = find_levels(Study(key="k", series=(series(pixels()),)), (label(),), pack)
    assert [mark.level for mark in found.landmarks] == list(LEVELS[1:])
    assert "L1/L2 not in view or not recognized" in found.warnings[0].text


def test_a_cervical_series_is_not_searched_for_lumbar_levels() -> None:
    study = Study(key="k", series=(series(pixels(9), key="c"), series(pixels(), key="l")))
    labels = (label("c", region=Region.CERVICAL), label("l"))
    found = find_levels(study, labels, pack_with())
    assert {mark.location.series_key for mark in found.landmarks} == {"l"}


def test_the_point_lies_between_slices_where_its_mass_does() -> None:
    stack = series(pixels())
    even = locate(stack, pack_with({0: 0.01, 1: 0.01, 2: 0.9, 3: 0.9, 4: 0.01}))
    for mark in even:
        assert mark.point_lps_mm[0] == pytest.approx(-10.0, abs=0.4)


def curved_pack() -> FakePack:
    """A scoliotic spine: five slices, each of which shows two or three levels, the last ones most sharply."""
    shown = ((0, 1, 2, 3), (2, 3), (3, 4), (4, 5), (5, 6, 7))
    masses = (0.6, 0.6, 0.6, 0.9, 0.9)

    def answer(images: np.ndarray) -> dict[str, np.ndarray]:
        slices = [
            maps_of([point if level in shown[i % 5] else None for level, point in enumerate(SPINE)], masses[i % 5])
            for i in range(len(images))
        ]
        return {"maps": np.stack(slices)}

    return FakePack(manifest("localize", {"images": SPEC}), answer)


def test_every_level_of_a_curved_spine_is_taken_from_the_slices_that_show_it() -> None:
    found = find_levels(Study(key="k", series=(series(pixels()),)), (label(),), curved_pack())
    assert [mark.level for mark in found.landmarks] == list(LEVELS)
    assert [mark.location.slice_index for mark in found.landmarks] == [0, 1, 3, 4, 4]
    across = [mark.point_lps_mm[0] for mark in found.landmarks]
    assert across == pytest.approx([-18.0, -16.0, -9.6, -6.0, -4.0], abs=0.1)
    assert min(mark.confidence for mark in found.landmarks) > 0.4


def test_a_level_is_looked_for_in_the_void_of_its_own_slice_only() -> None:
    hollow = pixels()
    hollow[0, :, :] = np.where(np.arange(384)[:, None] > 200, 0.0, hollow[0])  # shows none of the lower levels
    found = find_levels(Study(key="k", series=(series(hollow),)), (label(),), curved_pack())
    assert not any("no signal" in item.text for item in found.warnings)
    hollow[4] = np.where(np.arange(384)[:, None] > 200, 0.0, hollow[4])
    found = find_levels(Study(key="k", series=(series(hollow),)), (label(),), curved_pack())
    assert any("no signal" in item.text for item in found.warnings)


def test_t2w_is_tried_before_t1w() -> None:
    study = Study(key="k", series=(series(pixels(), key="t1"), series(pixels(), key="t2")))
    labels = (label("t1", sequence=Sequence.T1W), label("t2"))
    found = find_levels(study, labels, pack_with())
    assert {mark.location.series_key for mark in found.landmarks} == {"t2"}


def test_without_a_sagittal_spine_series_no_level_is_guessed() -> None:
    study = Study(key="k", series=(series(pixels(), key="a", orientation=AXIAL), series(pixels(), key="b")))
    labels = (label("a", Plane.AXIAL), label("b", anatomy=Anatomy.OTHER))
    found = find_levels(study, labels, pack_with())
    assert found.landmarks == ()
    assert "no sagittal" in found.warnings[0].text


def test_faint_maps_give_no_levels_and_say_so() -> None:
    faint = FakePack(
        manifest("localize", {"images": SPEC}),
        lambda images: {"maps": np.stack([maps_of(SPINE, 0.02)] * len(images))},
    )
    found = find_levels(Study(key="k", series=(series(pixels()),)), (label(),), faint)
    assert found.landmarks == ()
    assert "no chain" in found.warnings[0].text


def test_levels_that_are_seen_more_surely_upside_down_are_doubted() -> None:
    upright = pixels()
    upright[:, :192] += 1.0  # brighter above

    def answer(images: np.ndarray) -> dict[str, np.ndarray]:
        half = images.shape[2] // 2
        masses = [0.9 if image[0, :half].mean() > image[0, half:].mean() else 0.7 for image in images]
        return {"maps": np.stack([maps_of(SPINE, mass) for mass in masses])}

    pack = FakePack(manifest("localize", {"images": SPEC}), answer)
    for picture, sentences in ((upright, 0), (upright[:, ::-1], 1)):
        found = find_levels(Study(key="k", series=(series(picture),)), (label(),), pack)
        assert len(found.landmarks) == len(LEVELS)
        assert sum("on its head" in item.text for item in found.warnings) == sentences


def test_levels_are_doubted_where_the_picture_ends_above_the_sacrum() -> None:
    def found_with(shift: float) -> list[str]:
        maps = maps_of([None, None, *[(x, y + shift) for x, y in SPINE[FIRST : FIRST + 5]], None])
        pack = FakePack(manifest("localize", {"images": SPEC}), lambda images: {"maps": np.stack([maps] * len(images))})
        found = find_levels(Study(key="k", series=(series(pixels()),)), (label(),), pack)
        assert len(found.landmarks) == len(LEVELS)
        return [item.text for item in found.warnings if item.kind is NoticeKind.NUMBERING_DOUBT]

    pitch = (SPINE[FIRST + 4][1] - SPINE[FIRST][1]) / 4
    lowest = 96 - 1.0 * pitch - SPINE[FIRST + 4][1]
    assert found_with(lowest - 0.5 * pitch) == []
    (doubt,) = found_with(lowest)
    assert "ends where the sacrum should be" in doubt

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from spinalis.geometry import patient_plane, to_patient
from spinalis.records import FloatArray
from spinalis.simulate.anatomy import sample_subject
from spinalis.simulate.protocols import axial_stacks, sagittal_stack
from spinalis.simulate.scanner import Artefacts, Stack, measured, sample_artefacts, scan, turned_axes, within
from spinalis.simulate.sequence import Contrast, Protocol
from spinalis.vocabulary import Plane, Region

PLAIN = Protocol(contrast=Contrast.T2W, kind="se", repetition_ms=3500, echo_ms=100)


@pytest.fixture
def stack() -> Stack:
    return Stack(
        plane=Plane.SAGITTAL,
        centre=np.array((3.0, -5.0, 10.0)),
        axes=turned_axes(Plane.SAGITTAL, 2.0, 3.0),
        count=5,
        rows=64,
        columns=48,
        pixel_mm=2.0,
        thickness_mm=4.0,
        spacing_mm=4.4,
    )


@pytest.mark.parametrize("plane", [Plane.SAGITTAL, Plane.AXIAL, Plane.CORONAL])
def test_turned_axes_stay_orthonormal_and_keep_their_plane(stack: Stack, plane: Plane) -> None:
    axes = turned_axes(plane, 12.0, -7.0)
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    turned = replace(stack, plane=plane, axes=axes)
    assert patient_plane(turned.slice_planes()[0]) is plane


def test_the_middle_of_the_middle_slice_is_the_centre(stack: Stack) -> None:
    middle = to_patient(stack.slice_planes()[2], (stack.rows - 1) / 2, (stack.columns - 1) / 2)
    np.testing.assert_allclose(middle, stack.centre, atol=1e-9)


def test_positions_are_those_of_the_planes(stack: Stack) -> None:
    np.testing.assert_allclose(stack.positions()[7, 9], to_patient(stack.slice_planes()[2], 7, 9), atol=1e-9)


def test_the_scan_keeps_bright_brighter_than_dark_and_air_darkest(stack: Stack) -> None:
    rng = np.random.default_rng(0)
    images = np.zeros((2, stack.count, stack.rows, stack.columns), np.float32)
    images[0, :, 20:40, 10:24] = 0.3
    images[0, :, 20:40, 24:38] = 0.9
    away = np.zeros((stack.rows, stack.columns))
    for seed in range(10):
        artefacts = replace(sample_artefacts(np.random.default_rng(seed), stack, PLAIN), bias=np.zeros(5), band=1.0)
        pixels = scan(rng, images, stack, artefacts, (away - 100, away))
        assert pixels.dtype == np.uint16
        air, dark, bright = (pixels[:, 25:35, part].mean() for part in (slice(0, 6), slice(13, 21), slice(27, 35)))
        assert air < dark < bright


def test_axial_blocks_follow_the_discs_feet_first() -> None:
    rng = np.random.default_rng(0)
    subject = sample_subject(rng)
    for _ in range(12):
        stacks = axial_stacks(rng, subject, Region.LUMBAR)
        heights = [stack.centre[2] for stack in stacks]
        assert heights == sorted(heights)
        assert len(stacks) in (1, 5)


def test_sagittal_slices_reach_both_foramina() -> None:
    rng = np.random.default_rng(0)
    for seed in range(10):
        stack = sagittal_stack(rng, sample_subject(np.random.default_rng(seed)), Region.LUMBAR)
        assert stack.count * stack.spacing_mm > 32


def clean(stack: Stack, seed: int = 0) -> Artefacts:
    """No artefact but a whisper of noise."""
    return replace(
        sample_artefacts(np.random.default_rng(seed), stack, PLAIN),
        fat_shift_px=0.0,
        blur_px=(0.25, 0.25),
        ghost=0.0,
        band=1.0,
        coil_per_mm=0.0,
        coil_ends=0.0,
        bias=np.zeros(5),
        kept=(1.0, 1.0),
        noise=1e-3,
        gamma=1.0,
        full_scale=1000.0,
        flow=0.0,
        fat_failure=None,
        spike=None,
        zipper=None,
    )


def scanned(stack: Stack, water: NDArray[np.float32], fat: NDArray[np.float32], artefacts: Artefacts) -> FloatArray:
    away = np.zeros((stack.rows, stack.columns))
    images = np.stack([water, fat])
    return scan(np.random.default_rng(1), images, stack, artefacts, (away - 100, away)).astype(float)


def test_opposed_fat_leaves_a_dark_rim_where_it_meets_water(stack: Stack) -> None:
    shape = (stack.count, stack.rows, stack.columns)
    water, fat = np.ones(shape, np.float32), np.zeros(shape, np.float32)
    water[:, :, 24:], fat[:, :, 24:] = 0, -1
    water[:, :, 24], fat[:, :, 24] = 0.5, -0.5
    line = scanned(stack, water, fat, clean(stack))[2, 30]
    assert line[24] < 0.1 * line[10]
    assert line[40] == pytest.approx(line[10], rel=0.05)


@pytest.mark.parametrize("down", [False, True], ids=["along rows", "down columns"])
def test_fat_moves_in_the_readout_direction(stack: Stack, down: bool) -> None:
    shape = (stack.count, stack.rows, stack.columns)
    fat = np.zeros(shape, np.float32)
    fat[:, 20:30, 20:30] = 1
    moved = scanned(stack, 0 * fat, fat, replace(clean(stack), fat_shift_px=3.0, fat_shift_down=down))[2]
    rows, columns = np.nonzero(moved > 500)
    assert rows.mean() == pytest.approx(24.5 + 3 * down, abs=0.1)
    assert columns.mean() == pytest.approx(24.5 + 3 * (not down), abs=0.1)


def test_truncated_lines_ring_beside_an_edge(stack: Stack) -> None:
    shape = (stack.count, stack.rows, stack.columns)
    water = np.full(shape, 0.3, np.float32)
    water[:, 24:44] = 1
    plain = scanned(stack, water, 0 * water, clean(stack))[2, 12:18, 20]
    rings = scanned(stack, water, 0 * water, replace(clean(stack), kept=(0.6, 1.0)))[2, 12:18, 20]
    assert rings.std() > 3 * plain.std()


def test_a_zipper_marks_its_row_and_a_spike_its_slice(stack: Stack) -> None:
    shape = (stack.count, stack.rows, stack.columns)
    water = np.ones(shape, np.float32)
    zipped = scanned(stack, water, 0 * water, replace(clean(stack), zipper=20))
    assert zipped[:, 20].std() > 10 * zipped[:, 22].std()
    striped = scanned(stack, water, 0 * water, replace(clean(stack), spike=(9.0, 4.0, 0.1)))
    assert striped[2].std() > 10 * striped[0].std()


def test_most_series_have_neither_spike_nor_zipper(stack: Stack) -> None:
    drawn = [sample_artefacts(np.random.default_rng(seed), stack, PLAIN) for seed in range(600)]
    assert 0 < sum(one.zipper is not None for one in drawn) < 20
    assert sum(one.spike is not None for one in drawn) < 15


def test_a_stronger_field_gives_less_noise_and_a_wider_fat_shift(stack: Stack) -> None:
    drawn = {
        field: [
            sample_artefacts(np.random.default_rng(seed), stack, replace(PLAIN, field_t=field)) for seed in range(40)
        ]
        for field in (0.5, 3.0)
    }
    for weak, strong in zip(drawn[0.5], drawn[3.0], strict=True):
        assert weak.noise > 1.5 * strong.noise
        assert abs(weak.fat_shift_px) < abs(strong.fat_shift_px) <= 2.5 / stack.pixel_mm


def test_the_contrast_decides_what_is_seen(stack: Stack) -> None:
    def drawn(**changes: object) -> list[Artefacts]:
        protocol = replace(PLAIN, **changes)  # type: ignore[arg-type]
        return [sample_artefacts(np.random.default_rng(seed), stack, protocol) for seed in range(200)]

    assert 60 < sum(one.flow > 0 for one in drawn()) < 120
    assert not any(one.flow > 0 for one in drawn(contrast=Contrast.T1W, echo_ms=10.0))
    assert not any(one.flow > 0 for one in drawn(contrast=Contrast.GRE, kind="gre"))
    assert not any(one.fat_failure for one in drawn())
    assert 20 < sum(one.fat_failure is not None for one in drawn(contrast=Contrast.T2W_FS, fat_left=0.05)) < 65
    assert all(one.coil_per_mm == 0 and one.band == 1 for one in drawn(contrast=Contrast.ADC))
    assert any(one.band < 1 for one in drawn())
    assert not any(one.band < 1 for one in drawn(contrast=Contrast.T2_SPACE))


@pytest.mark.parametrize("down", [True, False], ids=["down the columns", "along the rows"])
def test_what_lies_beyond_the_field_folds_onto_the_opposite_side(stack: Stack, down: bool) -> None:
    rows, columns = stack.rows + 20 * down, stack.columns + 20 * (not down)
    water = np.full((stack.count, rows, columns), 0.5, np.float32)
    outside = (slice(None), slice(2, 6)) if down else (slice(None), slice(None), slice(2, 6))
    water[outside] = 1.0
    away = np.zeros((rows, columns))
    made = scan(np.random.default_rng(1), np.stack([water, 0 * water]), stack, clean(stack), (away - 100, away)).astype(
        float
    )
    assert made.shape == (stack.count, stack.rows, stack.columns)
    line = made[2, :, 20] if down else made[2, 20]
    plain, folded, both = line[20], line[-10 + 3], line[-2]
    assert both == pytest.approx((1 + 0.85) * plain, rel=0.06)
    assert folded == pytest.approx((1 + 2 * 0.35) * plain, rel=0.06)


def test_few_stacks_fold_and_their_field_stays_in_the_middle(stack: Stack) -> None:
    drawn = [measured(np.random.default_rng(seed), stack) for seed in range(600)]
    larger = [one for one in drawn if one is not stack]
    assert 10 < len(larger) < 45
    assert {(one.rows > stack.rows, one.columns > stack.columns) for one in larger} == {(True, False), (False, True)}
    for one in larger:
        places = np.broadcast_to(one.positions(), (stack.count, one.rows, one.columns, 3))
        np.testing.assert_allclose(within(places, stack)[0], stack.positions(), atol=1e-9)


def test_saturation_fails_on_one_side_only(stack: Stack) -> None:
    shape = (stack.count, stack.rows, stack.columns)
    fat = np.full(shape, 0.05, np.float32)
    failed = scanned(stack, 0 * fat + 0.2, fat, replace(clean(stack), fat_failure=(0.0, 0.7, 15.0)))[2, 30]
    assert failed[:34].std() < 0.02 * failed[10]
    assert failed[-3] == pytest.approx(failed[10] * (0.2 + 0.75) / 0.25, rel=0.08)

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from spinalis.geometry import patient_plane, to_patient
from spinalis.records import FloatArray
from spinalis.simulate.anatomy import sample_subject
from spinalis.simulate.protocols import axial_stacks, sagittal_stack
from spinalis.simulate.scanner import Artefacts, Stack, sample_artefacts, scan, turned_axes
from spinalis.vocabulary import Plane, Region


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
        artefacts = replace(sample_artefacts(np.random.default_rng(seed), stack), bias=np.zeros(5), band=1.0)
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
        sample_artefacts(np.random.default_rng(seed), stack),
        fat_shift_px=0.0,
        blur_px=(0.25, 0.25),
        ghost=0.0,
        band=1.0,
        coil_mm=1e6,
        coil_ends=0.0,
        bias=np.zeros(5),
        kept=(1.0, 1.0),
        noise=1e-3,
        gamma=1.0,
        full_scale=1000.0,
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
    drawn = [sample_artefacts(np.random.default_rng(seed), stack) for seed in range(600)]
    assert 0 < sum(one.zipper is not None for one in drawn) < 20
    assert sum(one.spike is not None for one in drawn) < 15

from dataclasses import replace

import numpy as np
import pytest

from spinalis.geometry import patient_plane, to_patient
from spinalis.simulate.anatomy import sample_subject
from spinalis.simulate.protocols import axial_stacks, header, sagittal_stack
from spinalis.simulate.scanner import Stack, sample_artefacts, scan, turned_axes
from spinalis.simulate.sequence import Contrast, sample_protocol
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


def test_headers_agree_with_the_sequence() -> None:
    rng = np.random.default_rng(0)
    for _ in range(40):
        protocol = sample_protocol(rng, Contrast.STIR, 1.5)
        made = header(rng, protocol, Plane.SAGITTAL, Region.LUMBAR, 0)
        assert "IR" in made.scanning_sequence
        assert made.echo_time_ms is None or made.echo_time_ms == pytest.approx(protocol.echo_ms, abs=0.01)
        assert made.inversion_time_ms is None or 140 < made.inversion_time_ms < 180


def test_sagittal_slices_reach_both_foramina() -> None:
    rng = np.random.default_rng(0)
    for seed in range(10):
        stack = sagittal_stack(rng, sample_subject(np.random.default_rng(seed)), Region.LUMBAR)
        assert stack.count * stack.spacing_mm > 32

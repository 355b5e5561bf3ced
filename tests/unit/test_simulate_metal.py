from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from spinalis.simulate.metal import TITANIUM_PPM, bend, field_ppm
from spinalis.simulate.scanner import Artefacts, Stack, sample_artefacts, turned_axes
from spinalis.simulate.sequence import Contrast, Protocol
from spinalis.simulate.study import expose
from spinalis.simulate.tissue import Tissue, sample_tissues
from spinalis.vocabulary import Plane

SPIN_ECHO = Protocol(contrast=Contrast.T2W, kind="se", repetition_ms=3500, echo_ms=100)
GRADIENT_ECHO = Protocol(contrast=Contrast.GRE, kind="gre", repetition_ms=600, echo_ms=15, flip_deg=25)


@pytest.fixture
def stack() -> Stack:
    return Stack(
        plane=Plane.SAGITTAL,
        centre=np.zeros(3),
        axes=turned_axes(Plane.SAGITTAL, 0, 0),
        count=9,
        rows=120,
        columns=100,
        pixel_mm=1.0,
        thickness_mm=4.0,
        spacing_mm=4.0,
    )


def screw(stack: Stack) -> NDArray[np.uint8]:
    """A rod of 4 mm through the slices 3 to 5."""
    labels = np.full((stack.count, stack.rows, stack.columns, 4), Tissue.MARROW, np.uint8)
    y, x = np.mgrid[: stack.rows, : stack.columns]
    labels[3:6, np.hypot(x - 50, y - 60) <= 2] = Tissue.METAL
    return labels


def artefacts(stack: Stack, *, down: bool = False) -> Artefacts:
    drawn = sample_artefacts(np.random.default_rng(0), stack, SPIN_ECHO)
    return replace(drawn, fat_shift_px=0.8, fat_shift_down=down)


def bent(stack: Stack, labels: NDArray[np.uint8], protocol: Protocol, *, down: bool = False) -> NDArray[np.float32]:
    images = np.stack([(labels != Tissue.METAL).mean(-1), np.zeros(labels.shape[:3])]).astype(np.float32)
    bend(images, labels, stack, protocol, artefacts(stack, down=down))
    return images[0]


def test_the_field_of_a_sphere_is_that_of_a_dipole(stack: Stack) -> None:
    fine = replace(stack, count=64, rows=96, columns=96, spacing_mm=1.0, thickness_mm=1.0)
    s, y, x = np.mgrid[:64, :96, :96]
    ppm = field_ppm((np.sqrt((s - 32) ** 2 + (y - 48) ** 2 + (x - 48) ** 2) <= 5).astype(np.float32), fine)
    radius = np.cbrt(3 / 4 / np.pi * np.count_nonzero(np.sqrt((s - 32) ** 2 + (y - 48) ** 2 + (x - 48) ** 2) <= 5))
    pole = TITANIUM_PPM / 3 * 2 * (radius / 12) ** 3
    assert ppm[32, 48 - 12, 48] == pytest.approx(pole, rel=0.1)
    assert ppm[32, 48, 48 + 12] == pytest.approx(-pole / 2, rel=0.1)
    assert ppm[32 + 12, 48, 48] == pytest.approx(-pole / 2, rel=0.1)


def test_without_metal_nothing_changes(stack: Stack) -> None:
    labels = np.full((stack.count, stack.rows, stack.columns, 4), Tissue.MARROW, np.uint8)
    assert (bent(stack, labels, SPIN_ECHO) == 1).all()


def test_a_spin_echo_has_a_void_larger_than_the_metal_and_a_bright_rim(stack: Stack) -> None:
    labels = screw(stack)
    image = bent(stack, labels, SPIN_ECHO)
    metal = np.count_nonzero((labels[4] == Tissue.METAL).any(-1))
    void = np.count_nonzero(image[4] < 0.3)
    assert 2 * metal < void < 30 * metal
    assert image[4].max() > 1.5
    np.testing.assert_allclose(image[4, :, :12], 1, atol=0.1)
    assert (image >= 0).all()


@pytest.mark.parametrize("down", [False, True], ids=["along rows", "down columns"])
def test_signal_is_displaced_along_the_readout_only(stack: Stack, down: bool) -> None:
    labels = screw(stack)
    image = bent(stack, labels, SPIN_ECHO, down=down)[4]
    across = np.abs(image - 1).sum(axis=1 if down else 0) > 4
    along = np.abs(image - 1).sum(axis=0 if down else 1) > 4
    reach = np.ptp(np.flatnonzero(along)), np.ptp(np.flatnonzero(across))
    assert image.max() > 1.5
    assert min(reach) >= 4
    turned = bent(stack, labels, SPIN_ECHO, down=not down)[4]
    assert not np.allclose(image, turned)


def test_a_gradient_echo_loses_far_more(stack: Stack) -> None:
    labels = screw(stack)
    lost = [np.count_nonzero(bent(stack, labels, made)[4] < 0.3) for made in (SPIN_ECHO, GRADIENT_ECHO)]
    assert lost[1] > 1.5 * lost[0]
    assert lost[1] > np.pi * 8**2


def test_a_stronger_field_makes_the_void_of_a_gradient_echo_larger(stack: Stack) -> None:
    labels = screw(stack)
    weak, strong = (replace(GRADIENT_ECHO, field_t=field) for field in (0.5, 3.0))
    assert np.count_nonzero(bent(stack, labels, strong) < 0.3) > 1.5 * np.count_nonzero(bent(stack, labels, weak) < 0.3)


def test_metal_of_a_neighbouring_slice_is_felt(stack: Stack) -> None:
    image = bent(stack, screw(stack), GRADIENT_ECHO)
    assert image[6].min() < 0.6
    assert image[6].min() < image[8].min()


def test_a_scan_shows_the_metal_and_keeps_to_the_field_of_its_stack(stack: Stack) -> None:
    tissues, away = sample_tissues(np.random.default_rng(1), 1.5, 50), np.zeros((stack.rows, stack.columns))
    field = replace(stack, rows=stack.rows - 24)
    with_screw = screw(stack)
    plain = np.full_like(with_screw, Tissue.MARROW)
    made = [
        expose(
            np.random.default_rng(4),
            (labels, np.zeros(labels.shape[:3], np.float32)),
            (GRADIENT_ECHO, tissues),
            field,
            (away - 100, away),
        ).astype(float)
        for labels in (plain, with_screw)
    ]
    assert made[0].shape == made[1].shape == (stack.count, field.rows, stack.columns)
    dark = [float(np.mean(image[4, 40:56, 42:58]) / np.median(image[4])) for image in made]
    assert dark[1] < 0.6 * dark[0]

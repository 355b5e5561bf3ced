from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from spinalis.simulate.flow import darken
from spinalis.simulate.scanner import Artefacts, Stack, sample_artefacts, turned_axes
from spinalis.simulate.sequence import Contrast, Protocol, signal_table
from spinalis.simulate.tissue import Tissue, sample_tissues
from spinalis.vocabulary import Plane

T2W = Protocol(contrast=Contrast.T2W, kind="se", repetition_ms=3500, echo_ms=100)


def stack_of(plane: Plane, height_mm: float) -> Stack:
    return Stack(
        plane=plane,
        centre=np.array((0.0, 0.0, height_mm)),
        axes=turned_axes(plane, 0, 0),
        count=6,
        rows=160,
        columns=120,
        pixel_mm=0.7,
        thickness_mm=4.0,
        spacing_mm=4.4,
    )


def flowing(stack: Stack, flow: float = 0.8) -> Artefacts:
    return replace(sample_artefacts(np.random.default_rng(0), stack, T2W), flow=flow, flow_onset=0.6)


def sac(stack: Stack) -> NDArray[np.uint8]:
    labels = np.full((stack.count, stack.rows, stack.columns, 4), Tissue.MUSCLE, np.uint8)
    labels[:, 20:140, 50:75] = Tissue.CSF
    return labels


def darkened(stack: Stack, flow: float = 0.8) -> NDArray[np.float32]:
    images = np.ones((2, stack.count, stack.rows, stack.columns), np.float32)
    darken(np.random.default_rng(3), images, sac(stack), stack, flowing(stack, flow))
    assert (images[1] == 1).all()
    return images[0]


@pytest.mark.parametrize("plane", [Plane.AXIAL, Plane.SAGITTAL])
def test_voids_are_patches_within_the_fluid(plane: Plane) -> None:
    stack = stack_of(plane, 250)
    image = darkened(stack)
    fluid = (sac(stack) == Tissue.CSF).all(-1)
    assert (image[~fluid] == 1).all()
    assert 0.05 < (image[fluid] < 0.6).mean() < 0.6
    assert image[fluid].max() > 0.97
    assert image.min() >= 0.15


def test_without_flow_nothing_changes() -> None:
    assert (darkened(stack_of(Plane.AXIAL, 250), flow=0.0) == 1).all()


def test_the_upper_canal_has_more_of_them() -> None:
    lost = [float((1 - darkened(stack_of(Plane.AXIAL, height))).sum()) for height in (-80, 60, 200)]
    assert lost[0] < 0.5 * lost[1] < 0.5 * lost[2]


def test_strands_run_with_the_sac_and_patches_are_round() -> None:
    def roughness(plane: Plane) -> float:
        part = darkened(stack_of(plane, 250))[:, 25:135, 52:73]
        return float(np.abs(np.diff(part, axis=2)).mean() / np.abs(np.diff(part, axis=1)).mean())

    assert roughness(Plane.SAGITTAL) > 4
    assert 0.7 < roughness(Plane.AXIAL) < 1.4


def test_vessels_are_dark_on_spin_echoes_and_bright_on_gradient_echoes() -> None:
    gradient = Protocol(contrast=Contrast.GRE, kind="gre", repetition_ms=600, echo_ms=14, flip_deg=28)
    for seed in range(5):
        tissues = sample_tissues(np.random.default_rng(seed), 1.5, 55)
        spin, echo = (np.abs(sum(signal_table(made, tissues))) for made in (T2W, gradient))
        assert spin[Tissue.FLOW_VOID] < 0.5 * spin[Tissue.MUSCLE]
        assert echo[Tissue.FLOW_VOID] > 1.3 * echo[Tissue.MUSCLE]

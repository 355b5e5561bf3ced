from dataclasses import replace

import numpy as np
import pytest

from spinalis.simulate import render
from spinalis.simulate.coordinates import Body, warp
from spinalis.simulate.protocols import sagittal_stack
from spinalis.simulate.scanner import SAMPLE_OFFSETS, Stack
from spinalis.simulate.study import render_labels, sample_body
from spinalis.simulate.tissue import Tissue
from spinalis.vocabulary import Region


@pytest.fixture(scope="module")
def body_and_stack() -> tuple[Body, Stack]:
    rng = np.random.default_rng(4)
    body, subject = sample_body(rng)
    stack = sagittal_stack(rng, subject, Region.LUMBAR)
    return body, replace(stack, count=2, rows=96, columns=96, pixel_mm=1.0)


def test_python_and_the_compiled_kernel_give_the_same_labels(
    body_and_stack: tuple[Body, Stack], monkeypatch: pytest.MonkeyPatch
) -> None:
    body, stack = body_and_stack
    small = replace(stack, count=1, rows=40, columns=40, pixel_mm=2.4)
    fast, fast_texture = render_labels(body, small)
    for name in ("warp_grid", "sample_place", "alike", "refine"):
        monkeypatch.setattr(render, name, getattr(render, name).py_func)
    slow, slow_texture = np.empty_like(fast), np.empty_like(fast_texture)
    records = {"whole": body.whole.view(np.recarray), "vertebrae": body.vertebrae.view(np.recarray)}
    readable = body._replace(**records)
    render.render_slices.py_func(readable, small.kernel_planes(), SAMPLE_OFFSETS, slow, slow_texture)  # type: ignore[attr-defined]
    assert len(np.unique(fast)) > 6
    same = slow == fast
    assert same.mean() > 0.9995  # fast arithmetic may move a border by a rounding error
    np.testing.assert_allclose(slow_texture[same[..., 0]], fast_texture[same[..., 0]], atol=1e-4)


def test_skipped_samples_and_the_coarse_warp_change_hardly_a_label(body_and_stack: tuple[Body, Stack]) -> None:
    body, stack = body_and_stack
    labels, _ = render_labels(body, stack)
    pixels = np.random.default_rng(0).integers(0, 96, (3000, 2))
    same = 0
    for row, column in pixels:
        for n, (along, down, through) in enumerate(SAMPLE_OFFSETS):
            origin, *steps = stack.kernel_planes()[1]
            centre = origin + column * steps[0] + row * steps[1]
            place = centre + along * steps[0] + down * steps[1] + through * steps[2]
            place += np.array(warp(body, *centre)) - centre
            same += render.tissue_at(body, *place, 22)[0] == labels[1, row, column, n]
    assert same / (4 * len(pixels)) > 0.97


def test_shading_averages_the_samples_and_scales_them_by_the_texture() -> None:
    labels = np.array([[[[0, 0, 1, 1], [1, 1, 1, 1]]]], np.uint8)
    texture = np.array([[[0.0, 2.0]]], np.float32)
    images = np.empty((2, 1, 1, 2), np.float32)
    render.shade(labels, texture, np.array([0.0, 4.0]), np.array([1.0, 0.0]), np.array([0.0, 0.25]), images)
    np.testing.assert_allclose(images[0, 0, 0], [2.0, 6.0])
    np.testing.assert_allclose(images[1, 0, 0], [0.5, 0.0])


def test_the_cord_counts_where_it_fills_half_of_a_pixel() -> None:
    white, other = int(Tissue.CORD_WHITE), int(Tissue.CSF)
    samples = [[white, other, other, other], [other, white, other, white], [other, white, white, white]]
    labels = np.array([[samples], [[samples[0]] * 3]], np.uint8)
    found = np.zeros(2, np.int64)
    render.cord_pixels(labels, found)
    assert list(found) == [2, 0]

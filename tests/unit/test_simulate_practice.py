"""What studies hold, as often as stated, and what is true of their slices."""

from dataclasses import replace

import numpy as np
import pytest

from spinalis.simulate.anatomy import Subject, sample_subject
from spinalis.simulate.coverage import DISCS, leading_region, slice_truths
from spinalis.simulate.practice import (
    CERVICAL_GRADIENT_ECHO,
    LOCALIZER,
    ONE_PICTURE,
    STIR_ALSO,
    STIR_INSTEAD,
    plan_study,
    plan_whole_spine,
)
from spinalis.simulate.protocols import axial_stacks, isotropic_stack, sagittal_stack, whole_spine_stack
from spinalis.simulate.sequence import DIXON, Contrast
from spinalis.vocabulary import Plane, Region, Side

DRAWS = 500


@pytest.fixture(scope="module")
def subject() -> Subject:
    return sample_subject(np.random.default_rng(3))


def contrasts(plan: tuple[object, ...], plane: Plane) -> set[Contrast]:
    return {
        contrast
        for planned in plan
        if {stack.plane for stack in planned.stacks} == {plane}  # type: ignore[attr-defined]
        for contrast in planned.contrasts  # type: ignore[attr-defined]
    }


def test_lumbar_studies_hold_what_the_rsna_set_holds(subject: Subject) -> None:
    rng = np.random.default_rng(0)
    plans = [plan_study(rng, subject, Region.LUMBAR) for _ in range(DRAWS)]
    sagittal = [contrasts(plan, Plane.SAGITTAL) for plan in plans]
    assert all(Contrast.T1W in found for found in sagittal)
    assert all(found & {Contrast.T2W, Contrast.STIR, *DIXON} for found in sagittal)
    assert all(Contrast.T2W in contrasts(plan, Plane.AXIAL) for plan in plans)
    stir = np.mean([Contrast.STIR in found for found in sagittal])
    assert stir == pytest.approx(STIR_INSTEAD + STIR_ALSO, abs=0.07)
    surveys = np.mean([any(len({s.plane for s in planned.stacks}) == 3 for planned in plan) for plan in plans])
    assert surveys == pytest.approx(LOCALIZER, abs=0.07)


def test_necks_are_often_seen_by_gradient_echo(subject: Subject) -> None:
    rng = np.random.default_rng(0)
    found = [contrasts(plan_study(rng, subject, Region.CERVICAL), Plane.AXIAL) for _ in range(DRAWS)]
    assert np.mean([Contrast.GRE in one for one in found]) == pytest.approx(sum(CERVICAL_GRADIENT_ECHO), abs=0.07)


def test_a_whole_spine_is_seen_from_c2_to_the_sacrum(subject: Subject) -> None:
    rng = np.random.default_rng(0)
    pictures = 0
    for _ in range(60):
        plan = plan_whole_spine(rng, subject)
        stacks = [stack for planned in plan for stack in planned.stacks]
        pictures += len(stacks) == 1
        seen = {
            name for stack in stacks for t in slice_truths(subject, stack, (True,) * stack.count) for name in t.levels
        }
        assert seen == set(DISCS)
        assert all(planned.region is Region.UNKNOWN for planned in plan) or len(stacks) > 1
        heights = [stack.rows * stack.pixel_mm for stack in stacks]
        assert 500 <= heights[0] <= 900 if len(stacks) == 1 else max(heights) < 480
    assert pictures / 60 == pytest.approx(ONE_PICTURE, abs=0.2)


def test_an_axial_block_cuts_its_own_disc(subject: Subject) -> None:
    rng = np.random.default_rng(1)
    blocks = next(found for found in iter(lambda: axial_stacks(rng, subject, Region.LUMBAR), None) if len(found) == 5)
    for block, name in zip(blocks, ("L5/S1", "L4/L5", "L3/L4", "L2/L3", "L1/L2"), strict=True):
        truths = slice_truths(subject, block, (False,) * block.count)
        assert name in {level for truth in truths for level in truth.levels}
        assert {level for truth in truths for level in truth.levels} <= set(DISCS[-7:])
        assert {truth.side for truth in truths} == {None}
        assert Region.LUMBAR in {region for truth in truths for region in truth.regions}


def test_sagittal_slices_know_their_side_and_regions(subject: Subject) -> None:
    stack = sagittal_stack(np.random.default_rng(5), subject, Region.LUMBAR)
    truths = slice_truths(subject, stack, (False,) * stack.count)
    sides = [truth.side for truth in truths]
    assert sides[0] is Side.RIGHT
    assert sides[-1] is Side.LEFT
    order = [(Side.RIGHT, None, Side.LEFT).index(side) for side in sides]
    assert order == sorted(order)
    assert leading_region(subject, stack) is Region.LUMBAR
    middle = truths[sides.index(None)]
    assert {"L1/L2", "L5/S1"} <= set(middle.levels)
    assert Region.CERVICAL not in middle.regions


def test_a_slice_beside_the_spine_shows_none_of_it(subject: Subject) -> None:
    stack = sagittal_stack(np.random.default_rng(5), subject, Region.LUMBAR)
    beside = replace(stack, centre=stack.centre + np.array((200.0, 0, 0)))
    for truth in slice_truths(subject, beside, (False,) * stack.count):
        assert (truth.levels, truth.regions) == ((), ())


def test_isotropic_slices_are_as_thick_as_pixels_are_wide(subject: Subject) -> None:
    stack = isotropic_stack(np.random.default_rng(0), subject, Region.LUMBAR)
    assert stack.pixel_mm == stack.thickness_mm == stack.spacing_mm
    assert 45 < stack.count * stack.spacing_mm < 65


def test_a_whole_picture_leads_to_no_single_region(subject: Subject) -> None:
    assert leading_region(subject, whole_spine_stack(np.random.default_rng(0), subject)) is Region.UNKNOWN

from pathlib import Path

import cv2
import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.train.data import slabs
from tests.unit.test_train_data import tree  # noqa: F401  a fixture

PITCH = 70


def drawn_mask(discs: int = 6, canal_to: int = 560, without: int | None = None) -> np.ndarray:
    """Vertebrae and discs in a column, the canal behind them; the posterior disc edges stand at x = 299."""
    mask = np.zeros((600, 400), np.uint8)
    mask[:canal_to, 305:330] = slabs.CANAL
    for k in range(discs):
        top = 60 + PITCH * k
        if k != without:
            mask[top : top + 16, 230:300] = slabs.DISC
        mask[top + 20 : top + PITCH - 4, 232:298] = slabs.VERTEBRA
    return mask


def write_slab(root: Path, patient: str, numbers: range, mask: np.ndarray) -> None:
    """A slab whose picture is brighter where the mask is higher."""
    folder = root / slabs.FOLDER / patient
    folder.mkdir(parents=True)
    for number in numbers:
        cv2.imwrite(str(folder / f"{number:03d}.png"), (40 + 50 * mask).astype(np.uint8))
        cv2.imwrite(str(folder / f"{number:03d}_mask.png"), mask)


def test_slices_know_their_patient_and_their_distance_from_the_midline(tree: Path) -> None:  # noqa: F811
    write_slab(tree, "7", range(60, 63), drawn_mask())
    found = list(slabs.read(tree))
    assert [item.midline_mm for item in found] == pytest.approx([-0.9, 0.0, 0.9])
    assert {(item.patient, item.subset) for item in found} == {("7", "training")}
    assert found[0].load().shape == found[0].load_mask().shape == (600, 400)


def test_levels_are_counted_from_the_lowest_disc() -> None:
    points = slabs.level_points(drawn_mask(discs=7))
    assert points is not None
    assert points[:, 1] == pytest.approx([60 + PITCH * k + 7.5 for k in range(2, 7)], abs=0.6)
    assert points[:, 0] == pytest.approx(298, abs=1.5)


@pytest.mark.parametrize(
    "mask",
    [
        pytest.param(drawn_mask(discs=4), id="too few discs"),
        pytest.param(drawn_mask(canal_to=380), id="canal leaves the slice"),
        pytest.param(drawn_mask(discs=7, without=4), id="a disc is missing"),
    ],
)
def test_an_unclear_chain_of_discs_gives_no_levels(mask: np.ndarray) -> None:
    assert slabs.level_points(mask) is None


def test_a_mask_with_a_foreign_value_is_refused(tree: Path) -> None:  # noqa: F811
    write_slab(tree, "7", range(61, 62), drawn_mask() + np.uint8(9))
    with pytest.raises(RecipeError, match=r"expected values 0\.\.3"):
        next(slabs.read(tree)).load_mask()

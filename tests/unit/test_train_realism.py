import cv2
import numpy as np
import pytest

from spinalis.evaluate.metrics import roc_auc
from spinalis.train import realism
from spinalis.train.data.categories import Shown
from spinalis.train.realism import CROP_PIXELS, WINDOW_PIXELS, Schedule, Specimen

QUICK = Schedule(steps=40, batch=16)


def clouds(count: int, real: bool, grain: float, seed: int) -> list[Specimen]:
    """Soft clouds of one kind on both sides; the grain on top of them differs."""
    rng = np.random.default_rng(seed)
    found = []
    for i in range(count):
        soft = cv2.resize(rng.uniform(60, 160, (6, 6)).astype(np.float32), CROP_PIXELS, interpolation=cv2.INTER_CUBIC)
        pixels = np.clip(soft + rng.normal(0, grain, CROP_PIXELS), 0, 255).astype(np.uint8)
        found.append(Specimen(pixels=pixels, real=real, group=f"{seed}-{i}"))
    return found


def auc(specimens: list[Specimen], blur: float) -> float:
    verdict = realism.judged(specimens, blur, QUICK)
    found = roc_auc(np.array([item.real for item in specimens]), verdict.scores)
    assert found is not None
    return found


def test_grain_is_told_when_sharp_and_not_when_blurred() -> None:
    specimens = clouds(12, True, 14.0, seed=1) + clouds(12, False, 1.0, seed=2)
    assert auc(specimens, 0.0) > 0.95
    assert auc(specimens, 6.0) < 0.85


def test_alike_sides_cannot_be_told_apart() -> None:
    specimens = clouds(16, True, 5.0, seed=1) + clouds(16, False, 5.0, seed=2)
    assert 0.2 < auc(specimens, 0.0) < 0.8


def test_groups_stay_whole_and_both_sides_are_in_every_fold() -> None:
    specimens = [item for item in clouds(6, True, 1.0, seed=1) for _ in range(2)] + clouds(6, False, 1.0, seed=2)
    folds = realism._folds(specimens)
    for side in (True, False):
        of_side = [(item.group, fold) for item, fold in zip(specimens, folds, strict=True) if item.real is side]
        assert {fold for _, fold in of_side} == set(range(realism.FOLDS))
        assert len(set(of_side)) == len({group for group, _ in of_side})


@pytest.mark.parametrize("size", [1.0, 2.0], ids=["1 px", "2 px"])
def test_the_window_does_not_depend_on_pixel_size_brightness_or_field(size: float) -> None:
    image = np.zeros((round(400 * size), round(300 * size)), np.float32)
    points = size * np.array([[150.0, 120.0 + 31.6 * k] for k in range(5)])
    for x, y in points:
        cv2.circle(image, (round(x), round(y)), round(8 * size), 1000.0 * size, -1)
    found = realism.specimen(Shown(image=image, patient="a", points=points), real=True, crop=False)
    assert found is not None
    assert found.pixels.shape == WINDOW_PIXELS
    assert found.pixels.max() == 255
    rows = np.nonzero(found.pixels.max(axis=1) > 128)[0]
    assert rows.mean() == pytest.approx((WINDOW_PIXELS[0] - 1) / 2, abs=1)
    assert np.ptp(rows) == pytest.approx((4 * 31.6 + 16) * 144 / 190, abs=3)


def test_a_picture_without_levels_is_left_out() -> None:
    assert realism.specimen(Shown(image=np.ones((50, 50), np.float32), patient="a"), real=True, crop=False) is None


def test_the_table_has_a_floor_and_says_what_was_not_measured(tmp_path) -> None:
    found = {
        "canal-t2w": clouds(12, True, 9.0, seed=1) + clouds(8, False, 1.0, seed=2),
        "recess-space": clouds(2, True, 9.0, seed=1) + clouds(8, False, 1.0, seed=2),
    }
    rows = {row[0]: row[1:] for row in realism.measure(found, Schedule(steps=4, batch=8), tmp_path).rows}
    assert rows["Canal, 50 mm, sagittal T2w"][:2] == ("12", "8")
    assert rows["Entry of the foramen, 50 mm, T2w SPACE"] == ("2", "8", "–", "–")
    assert rows["floor: Canal, 50 mm, sagittal T2w, real against real"][:2] == ("6", "6")
    picture = cv2.imread(str(tmp_path / "canal-t2w.png"))
    assert picture.shape == (2 * 144, 8 * 144, 3)
    assert not (tmp_path / "recess-space.png").exists()

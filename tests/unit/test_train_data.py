from pathlib import Path

import cv2
import nibabel
import numpy as np
import pytest

from spinalis.errors import RecipeError
from spinalis.train import levels, recipes, triage
from spinalis.train.data import open_images, spider
from spinalis.train.data.real_slice import Labels
from spinalis.train.data.simulated import class_of, fitted, to_bytes
from spinalis.vocabulary import Anatomy, Plane, Region, Sequence

COLUMNS = "file,patient,sequence,width,height,plane,region,subset,keypoints," + ",".join(
    f"{axis}_{level}" for level in ("L1L2", "L2L3", "L3L4", "L4L5", "L5S1") for axis in "xy"
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder laid out as the open images are, with drawn pictures."""
    folder = tmp_path / spider.FOLDER
    (folder / "images").mkdir(parents=True)
    (tmp_path / "spider_t2space_slabs").mkdir()
    rows = [COLUMNS]
    for patient, subset, kind, points in (
        ("7", "training", "T2w", "exact"),
        ("7", "training", "T1w", "no"),
        ("8", "validation", "T2w-SPACE", "exact"),
    ):
        name = f"images/{patient}_{kind}.png"
        cv2.imwrite(str(folder / name), np.tile(np.arange(60, dtype=np.uint8)[:, None], (1, 40)))
        numbers = ",".join(f"{0.5:.2f},{0.1 + 0.15 * k:.2f}" for k in range(5)) if points == "exact" else "," * 9
        rows.append(f"{name},{patient},{kind},40,60,sagittal,lumbar,{subset},{points},{numbers}")
    (folder / "manifest.csv").write_text("\n".join(rows) + "\n")
    return tmp_path


def test_spider_slices_carry_their_points_in_the_order_of_the_levels(tree: Path) -> None:
    items = spider.read(tree)
    assert [item.sequence for item in items] == [Sequence.T2W, Sequence.T1W, Sequence.T2W]
    assert [item.points is None for item in items] == [False, True, False]
    assert (np.diff(items[0].points[:, 1]) > 0).all()
    assert items[2].space
    assert items[0].load().shape == (60, 40)


def test_a_missing_manifest_and_a_missing_picture_are_named(tree: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"expected spider_midsagittal/manifest\.csv"):
        spider.read(tmp_path / "nowhere")
    (tree / spider.FOLDER / "images" / "7_T2w.png").unlink()
    with pytest.raises(RecipeError, match=r"7_T2w\.png: expected a PNG"):
        spider.read(tree)[0].load()


def test_real_examples_know_nothing_of_the_neighbour_levels(tree: Path) -> None:
    examples = levels.real_examples(spider.read(tree))
    assert len(examples) == 2
    assert examples[0].known.tolist() == [False, False, True, True, True, True, True, False]
    assert examples[0].points[2] == pytest.approx([0.5 * 40 - 0.5, 0.1 * 60 - 0.5])


def test_samples_move_points_together_with_the_picture(tree: Path) -> None:
    image = np.zeros((120, 120), np.uint8)
    cv2.circle(image, (70, 40), 12, 255, -1)
    points = np.tile([[70.0, 40.0]], (8, 1))
    everything = np.ones(8, bool)
    example = levels.Example(image=image, points=points, seen=everything, known=everything)
    spec = levels.input_spec(128)
    draw = levels.draw_from([example], [], 0.6, spec)
    for seed in range(5):
        sample = draw(np.random.default_rng(seed))
        row, column = np.unravel_index(int(sample["target"][3, :-1].argmax()), (64, 64))
        y, x = np.nonzero(sample["images"][0] > 0.5)
        assert (x.mean(), y.mean()) == pytest.approx((2 * column + 0.5, 2 * row + 0.5), abs=2.0)


def test_the_folder_of_real_images_is_found_where_it_is_said_to_be(
    tree: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(open_images.ENVIRONMENT, str(tree))
    assert open_images.find_root() == tree
    with pytest.raises(RecipeError, match="expected spider_midsagittal"):
        open_images.find_root(tree / "nowhere")
    monkeypatch.setenv(open_images.ENVIRONMENT, str(tree / "nowhere"))
    with pytest.raises(RecipeError, match="leave both out"):
        open_images.find_root()
    monkeypatch.delenv(open_images.ENVIRONMENT)
    monkeypatch.chdir(tree)
    assert open_images.find_root() is None


def test_real_slices_come_in_series_without_their_blank_slices(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = np.random.default_rng(0).random((5, 30, 20)).astype(np.float32)
    volume[2] = 0.0  # along the patient's left-right axis
    affine = np.diag([4.0, 1.0, 1.0, 1.0])
    nibabel.save(nibabel.Nifti1Image(volume, affine), tree / "neck.nii.gz")
    (tree / "spider_t2space_slabs" / "8").mkdir()
    for number in range(3):
        cv2.imwrite(str(tree / "spider_t2space_slabs" / "8" / f"{number:03d}.png"), np.eye(9, dtype=np.uint8) * 90)
    labels = Labels(anatomy=Anatomy.MR_SPINE, region=Region.CERVICAL)
    one = open_images._Volume(path="neck.nii.gz", patient="neck", subset="validation", labels=labels)
    monkeypatch.setattr(open_images, "_VOLUMES", (one,))
    found = list(open_images.read_series(tree, "validation"))
    assert [(item.source, len(item.series.slices), len(item.labels)) for item in found] == [
        (spider.FOLDER, 1, 1),
        ("spider_t2space_slabs", 3, 3),
        ("neck", 4, 4),
    ]
    assert all(item.pixels.load(index).std() > 0 for item in found[1:] for index in range(len(item.labels)))
    assert [slice_.plane is None for item in found for slice_ in item.pixels.slices] == [True] * 8
    assert {label.plane for label in found[2].labels} == {Plane.SAGITTAL}
    assert found[2].pixels.load(2).shape == (20, 30), "conventional display: head up"


def test_no_subject_is_trained_on_and_judged_on() -> None:
    subsets: dict[str, set[str]] = {}
    for volume in open_images._VOLUMES:
        subsets.setdefault(volume.patient, set()).add(volume.subset)
    assert all(len(found) == 1 for found in subsets.values())


@pytest.mark.parametrize("name", recipes.NAMES)
def test_every_shipped_recipe_is_complete(name: str) -> None:
    found = set(recipes.load(name))
    assert {"batch", "learning_rate", "width" if name == "header" else "size"} <= found
    assert len({"steps", "epochs"} & found) == 1


def test_an_unknown_recipe_is_refused() -> None:
    with pytest.raises(RecipeError, match="expected one of triage"):
        recipes.load("nonsense")


def test_pictures_are_kept_as_bytes_in_conventional_display() -> None:
    image = np.zeros((20, 40), np.float32)
    image[2, 30] = 1000.0
    turned = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    assert to_bytes(image).dtype == np.uint8
    kept = fitted(image, turned, 40)
    row, column = np.unravel_index(int(kept.argmax()), kept.shape)
    assert (row, column) == (30, 12)  # transposed to 40 rows, and centred in 40 columns


def test_words_outside_the_classes_are_unknown() -> None:
    assert class_of((Region.CERVICAL, Region.LUMBAR), Region.LUMBAR) == 1
    assert class_of((Region.CERVICAL, Region.LUMBAR), Region.UNKNOWN) == triage.UNKNOWN

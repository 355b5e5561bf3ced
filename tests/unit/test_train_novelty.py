from pathlib import Path

import numpy as np
import pytest
import torch

from spinalis.errors import RecipeError
from spinalis.train import export, novelty, packs, triage
from spinalis.train.export import PackText
from spinalis.train.networks.triage_trunk import TriageExport, TriageTrunk
from spinalis.train.triage import Example
from spinalis.triage.header import ANATOMIES, PLANES, REGIONS, SEQUENCES
from spinalis.triage.unknown import DISTANCE

TINY = "test_efficientnet"
SPEC = triage.input_spec(64)


def smooth(rng: np.random.Generator) -> Example:
    """A picture of a few broad blobs."""
    y, x = np.mgrid[:64, :64] / 64
    image = sum(rng.uniform(0.5, 1) * np.exp(-((x - a) ** 2 + (y - b) ** 2) / 0.05) for a, b in rng.random((3, 2)))
    return Example(image=np.uint8(200 * image / image.max()), labels=np.zeros(5, np.int8))


def noise(rng: np.random.Generator) -> Example:
    return Example(image=rng.integers(0, 255, (64, 64), np.uint8), labels=np.zeros(5, np.int8))


@pytest.fixture(scope="module")
def fitted() -> TriageExport:
    torch.manual_seed(0)
    made = TriageExport(TriageTrunk(triage.CLASSES, TINY)).eval()
    rng = np.random.default_rng(1)
    novelty.set_reference(made, [[smooth(rng) for _ in range(120)], []], [0.7, 0.3], SPEC)
    return made


def test_the_gaussian_whitens_what_it_was_fitted_on() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5000, 3)) @ np.array([[1.0, 0.5, 0.0], [0.0, 2.0, 0.0], [0.0, 0.0, 30.0]]) + 7.0
    mean, whitening = novelty.gaussian(values, np.ones(len(values)))
    white = (values - mean) @ whitening
    assert np.cov(white.T) == pytest.approx(np.eye(3), abs=0.05)


def test_groups_weigh_by_their_shares() -> None:
    values = np.array([[0.0], [0.0], [0.0], [1.0]])
    mean, _ = novelty.gaussian(values, np.array([1.0, 1.0, 1.0, 3.0]))
    assert mean == pytest.approx([0.5])


def test_a_texture_without_spread_counts_for_nothing() -> None:
    values = np.stack([np.arange(9.0), np.full(9, 4.0)], axis=1)
    _, whitening = novelty.gaussian(values, np.ones(9))
    assert whitening[1] == pytest.approx(0.0)
    assert np.isfinite(whitening).all()


def test_noise_lies_farther_than_pictures_of_the_kind_fitted_on(fitted: TriageExport) -> None:
    rng = np.random.default_rng(2)
    near = novelty.distances(fitted, [smooth(rng) for _ in range(20)], SPEC)
    far = novelty.distances(fitted, [noise(rng) for _ in range(20)], SPEC)
    assert near.max() < far.min()


def test_the_logits_are_those_of_the_trunk(fitted: TriageExport) -> None:
    images = torch.rand(3, 1, 64, 64)
    with torch.inference_mode():
        expected, found = fitted.network(images), fitted(images)
    assert len(found) == len(expected) + 1
    assert all(torch.allclose(a, b, atol=1e-6) for a, b in zip(expected, found, strict=False))


def test_the_limit_loses_a_hundredth_of_the_slices(fitted: TriageExport) -> None:
    rng = np.random.default_rng(3)
    unseen = [smooth(rng) for _ in range(100)]
    limit = novelty.limit(fitted, unseen, SPEC)
    assert (novelty.distances(fitted, unseen, SPEC) > limit).sum() == 1


def test_nothing_to_fit_on_is_refused() -> None:
    with pytest.raises(RecipeError, match="Novelty: expected slices of the training, got none"):
        novelty.set_reference(TriageExport(TriageTrunk(triage.CLASSES, TINY)).eval(), [[]], [1.0], SPEC)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")  # of the exporter
def test_the_pack_gives_the_same_distance_at_another_batch_size(fitted: TriageExport, tmp_path: Path) -> None:
    text = PackText(
        name="triage",
        task="triage",
        version="0",
        inputs={"images": SPEC},
        labels={"anatomy": ANATOMIES, "region": REGIONS, "plane": PLANES, "sequence": SEQUENCES, "cord": ("cord",)},
        settings={"temperature": {}, "novelty_limit": 2.0},
        training_data=[],
        scores=[],
        notes=[],
    )
    trained = packs.trained_triage(fitted, text)
    trained.export(tmp_path / "triage")
    images = torch.rand(7, 1, 64, 64)
    assert export.golden_difference(fitted, {"images": images}, tmp_path / "triage/model.onnx") < 1e-4
    pack = packs.load_pack(tmp_path / "triage")
    assert pack.manifest.setting("novelty_limit") == 2.0
    assert pack.run(images=images.numpy())[DISTANCE].shape == (7,)

from pathlib import Path

import numpy as np
import pytest

from spinalis.simulate.sequence import Contrast, sample_protocol
from spinalis.simulate.tissue import Tissue, sample_tissues
from spinalis.train import levels, packs, triage
from spinalis.train.data import resynthesized, slabs
from spinalis.train.data.resynthesized import CHAINS, mixture_of, reference_levels, render, signals
from spinalis.train.data.slabs import BACKGROUND, CANAL, DISC, VERTEBRA
from spinalis.train.job import Job
from spinalis.triage.header import SEQUENCES
from spinalis.vocabulary import Sequence
from tests.unit.test_train_data import tree  # noqa: F401  a fixture
from tests.unit.test_train_slabs import drawn_mask, write_slab

RNG = np.random.default_rng(4)
TISSUES = sample_tissues(RNG, 1.5, 50.0)
SPACE = signals(sample_protocol(RNG, Contrast.T2_SPACE, 1.5), TISSUES)


def pure(mask: np.ndarray) -> np.ndarray:
    """A slice without noise: CSF with a band of roots, marrow, annulus and nucleus, muscle with a layer of fat."""
    place = np.full(mask.shape, Tissue.MUSCLE)
    place[:, 360:] = Tissue.FAT
    place[:, 390:] = Tissue.AIR
    for name, tissue in ((DISC, Tissue.ANNULUS), (VERTEBRA, Tissue.MARROW), (CANAL, Tissue.CSF)):
        place[mask == name] = tissue
    nucleus = (mask == DISC) & (np.arange(mask.shape[1]) > 250) & (np.arange(mask.shape[1]) < 280)
    place[nucleus] = Tissue.NUCLEUS_0
    place[(mask == CANAL) & (np.arange(mask.shape[1]) > 322)] = Tissue.ROOTLET
    return place


def scanned(place: np.ndarray, table: np.ndarray) -> np.ndarray:
    return (100.0 * table.sum(axis=0)[place]).astype(np.float32)


@pytest.mark.parametrize("contrast", [Contrast.T1W, Contrast.STIR, Contrast.T2W, Contrast.T2_SPACE])
def test_pure_tissues_are_recognized_and_get_the_signal_of_the_new_sequence(contrast: Contrast) -> None:
    mask = drawn_mask()
    place = pure(mask)
    image = scanned(place, SPACE)
    found = mixture_of(image, mask, reference_levels([(image, mask)], SPACE.sum(axis=0)))
    table = signals(sample_protocol(np.random.default_rng(1), contrast, 1.5), TISSUES)
    assert render(found, table) == pytest.approx(np.abs(table.sum(axis=0))[place], rel=0.02, abs=0.004)


def test_every_chain_rises_in_space_and_shares_stay_between_0_and_1() -> None:
    mask = drawn_mask()
    image = np.random.default_rng(2).uniform(0, 255, mask.shape).astype(np.float32)
    references = reference_levels([(image, mask)], SPACE.sum(axis=0))
    assert set(references) == set(CHAINS) == {BACKGROUND, DISC, VERTEBRA, CANAL}
    assert all((np.diff(levels_) > 0).all() for levels_ in references.values())
    found = mixture_of(image, mask, references)
    assert found.share.min() >= 0
    assert found.share.max() <= 1
    assert found.gain.max() <= resynthesized.MOST_GAIN


def test_fat_moves_and_water_stays() -> None:
    mask = np.full((40, 40), BACKGROUND, np.uint8)
    image = np.zeros((40, 40), np.float32)
    image[20] = 100.0
    found = mixture_of(image, mask, {name: np.array([0.0, 40.0, 100.0]) for name in CHAINS})
    fat_only = np.zeros_like(SPACE)
    fat_only[1, Tissue.FAT] = 1.0
    assert render(found, fat_only, 2.0)[:, 5].argmax() == 22
    assert render(found, fat_only[::-1], 2.0)[:, 5].argmax() == 20


def test_only_training_patients_are_redrawn_and_always_alike(tree: Path) -> None:  # noqa: F811
    write_slab(tree, "7", range(60, 62), drawn_mask())
    write_slab(tree, "8", range(60, 62), drawn_mask())
    first, second = list(resynthesized.read(tree, 1)), list(resynthesized.read(tree, 1))
    assert {item.patient for item in first} == {"7"}
    assert len(first) == 2 * len(resynthesized.CONTRASTS)
    assert all((a.image == b.image).all() and a.protocol == b.protocol for a, b in zip(first, second, strict=True))
    other = next(resynthesized.read(tree, 2))
    assert not (other.image == first[0].image).all()
    assert [item.midline_mm for item in resynthesized.read(tree, 1, within_mm=0.4)] == [0.0] * 4


def test_redrawn_slices_train_levels_and_triage(tree: Path) -> None:  # noqa: F811
    write_slab(tree, "7", range(61, 62), drawn_mask(discs=6))
    items = list(resynthesized.read(tree, 1, (Contrast.T1W, Contrast.STIR)))
    located, labelled = levels.resynthesized_examples(items), triage.resynthesized_examples(items)
    expected = slabs.level_points(drawn_mask(discs=6))
    assert expected is not None
    scale = 224 / 600
    assert located[0].points[located[0].known][:, 1] == pytest.approx((expected[:, 1] + 0.5) * scale - 0.5, abs=0.1)
    assert located[0].seen.sum() == 5
    assert [SEQUENCES[item.labels[3]] for item in labelled] == [Sequence.T1W, Sequence.STIR]
    assert {int(item.labels[4]) for item in labelled} == {triage.UNKNOWN}


def test_a_job_mixes_in_the_share_that_it_was_told(tree: Path) -> None:  # noqa: F811
    write_slab(tree, "7", range(61, 62), drawn_mask())
    items = levels.resynthesized_examples(resynthesized.read(tree, 1))
    real = items[:1] * 30
    assert len(packs.mixed(real, items, 0.25)) == 40
    assert len(packs.mixed(real, items, 0.0)) == 30
    assert len(packs.mixed([], items, 0.25)) == len(items)
    job = Job(data=tree, runs=tree, out=tree)
    assert not list(job.other_contrasts())

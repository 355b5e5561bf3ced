from dataclasses import replace

import numpy as np
import pytest

from spinalis.simulate.sequence import Protocol, sample_protocol, signal, signal_table
from spinalis.simulate.tissue import RELAXATION, Tissue, sample_tissues
from spinalis.vocabulary import Sequence


def brightness(sequence: Sequence, field_t: float, seed: int) -> dict[Tissue, float]:
    rng = np.random.default_rng(seed)
    protocol = replace(sample_protocol(rng, sequence, field_t), fat_saturated=False)
    water, fat = signal_table(protocol, sample_tissues(rng, field_t, age=50))
    return {tissue: water[tissue] + fat[tissue] for tissue in Tissue}


@pytest.mark.parametrize("field_t", [1.5, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_t2w_shows_csf_brighter_than_cord_than_muscle(field_t: float, seed: int) -> None:
    seen = brightness(Sequence.T2W, field_t, seed)
    assert seen[Tissue.CSF] > seen[Tissue.CORD_WHITE] > seen[Tissue.MUSCLE] > seen[Tissue.CORTEX]
    assert seen[Tissue.NUCLEUS_0] > seen[Tissue.NUCLEUS_3]


@pytest.mark.parametrize("field_t", [1.5, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_t1w_shows_fat_bright_and_csf_dark(field_t: float, seed: int) -> None:
    seen = brightness(Sequence.T1W, field_t, seed)
    assert seen[Tissue.FAT] > seen[Tissue.MARROW] > seen[Tissue.MUSCLE]
    assert seen[Tissue.CSF] < seen[Tissue.CORD_WHITE]


@pytest.mark.parametrize("field_t", [1.5, 3.0])
@pytest.mark.parametrize("seed", range(5))
def test_stir_nulls_fat(field_t: float, seed: int) -> None:
    seen = brightness(Sequence.STIR, field_t, seed)
    assert seen[Tissue.FAT] < 0.15 * seen[Tissue.CSF]


def test_inversion_recovery_nulls_the_tissue_of_its_inversion_time() -> None:
    protocol = Protocol(
        sequence=Sequence.STIR, kind="ir", repetition_ms=1e6, echo_ms=10, inversion_ms=300 * float(np.log(2))
    )
    assert float(signal(protocol, np.array(300.0), np.array(100.0))) == pytest.approx(0, abs=1e-9)


def test_every_tissue_has_plausible_constants() -> None:
    assert set(RELAXATION) == set(Tissue)
    for row in RELAXATION.values():
        assert row.t1[0] > row.t2[0]
        assert 0 <= row.fat < 1
        assert 0 <= row.density <= 1

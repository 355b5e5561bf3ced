from dataclasses import replace

import numpy as np
import pytest

from spinalis.simulate.sequence import FAT_OFFSET_HZ_PER_T, Contrast, Protocol, sample_protocol, signal, signal_table
from spinalis.simulate.tissue import RELAXATION, Tissue, at_field, sample_tissues
from spinalis.vocabulary import Sequence

FIELDS = [0.5, 1.0, 1.5, 3.0]
T = Tissue
ORDER: dict[Contrast, list[tuple[Tissue, Tissue]]] = {
    Contrast.T1W: [(T.FAT, T.MARROW), (T.MARROW, T.MUSCLE), (T.CORD_WHITE, T.CSF), (T.MUSCLE, T.CSF)],
    Contrast.T1_FLAIR: [(T.FAT, T.MUSCLE), (T.CORD_WHITE, T.CSF)],
    Contrast.T1_POST: [(T.BODY_VEIN, T.MUSCLE), (T.KIDNEY, T.MUSCLE), (T.MUSCLE, T.CSF)],
    Contrast.T2W: [
        *((T.CSF, T.CORD_WHITE), (T.CORD_WHITE, T.MUSCLE), (T.MUSCLE, T.CORTEX)),
        *((T.FAT, T.MUSCLE), (T.NUCLEUS_0, T.NUCLEUS_3), (T.CSF, T.NUCLEUS_1)),
    ],
    Contrast.T2W_FS: [(T.CSF, T.FAT), (T.CSF, T.MUSCLE), (T.MODIC_1, T.MODIC_2)],
    Contrast.T2_SPACE: [(T.CSF, T.CORD_WHITE), (T.CSF, T.MUSCLE), (T.NUCLEUS_0, T.NUCLEUS_3)],
    Contrast.STIR: [(T.CSF, T.FAT), (T.CSF, T.MUSCLE), (T.MODIC_1, T.MARROW), (T.MUSCLE, T.FAT)],
    Contrast.PD: [(T.FAT, T.CORTEX), (T.MUSCLE, T.LIGAMENT)],
    Contrast.GRE: [(T.CSF, T.MUSCLE), (T.NUCLEUS_0, T.MARROW), (T.FLOW_VOID, T.MUSCLE), (T.CSF, T.MARROW)],
    Contrast.DIXON_WATER: [(T.MUSCLE, T.FAT)],
    Contrast.DIXON_FAT: [(T.FAT, T.MARROW), (T.MARROW, T.MUSCLE), (T.FAT, T.CSF)],
    Contrast.MYELOGRAPHY: [(T.CSF, T.FAT), (T.CSF, T.NUCLEUS_0), (T.CSF, T.CORD_GREY)],
    Contrast.ADC: [(T.CSF, T.NUCLEUS_0), (T.NUCLEUS_0, T.MARROW), (T.MUSCLE, T.CORD_WHITE), (T.MUSCLE, T.FAT)],
}
"""Brighter tissue first."""


def brightness(protocol: Protocol, seed: int, age: float = 50) -> dict[Tissue, float]:
    tissues = sample_tissues(np.random.default_rng(seed), protocol.field_t, age)
    water, fat = signal_table(protocol, tissues)
    return {tissue: abs(water[tissue] + fat[tissue]) for tissue in Tissue}


@pytest.mark.parametrize("field_t", FIELDS)
@pytest.mark.parametrize("contrast", ORDER, ids=lambda contrast: contrast.name)
def test_tissues_stand_in_the_order_that_readers_know(contrast: Contrast, field_t: float) -> None:
    for seed in range(6):
        protocol = replace(sample_protocol(np.random.default_rng(seed), contrast, field_t), fat_left=0.05)
        if contrast in {Contrast.T1W, Contrast.T2W, Contrast.PD, Contrast.T1_FLAIR}:
            protocol = replace(protocol, fat_left=1.0)
        if contrast is Contrast.DIXON_FAT:
            protocol = replace(protocol, fat_left=1.0)
        seen = brightness(protocol, seed)
        for bright, dark in ORDER[contrast]:
            assert seen[bright] > seen[dark], (bright.name, dark.name, seed, protocol)


@pytest.mark.parametrize("field_t", FIELDS)
def test_stir_nulls_fat(field_t: float) -> None:
    for seed in range(5):
        seen = brightness(sample_protocol(np.random.default_rng(seed), Contrast.STIR, field_t), seed)
        assert seen[Tissue.FAT] < 0.15 * seen[Tissue.CSF]


def test_inversion_recovery_nulls_the_tissue_of_its_inversion_time() -> None:
    protocol = Protocol(
        contrast=Contrast.STIR, kind="ir", repetition_ms=1e6, echo_ms=10, inversion_ms=300 * float(np.log(2))
    )
    assert float(signal(protocol, np.array(300.0), np.array(100.0))) == pytest.approx(0, abs=1e-9)


def test_opposed_phase_is_darker_than_in_phase_where_fat_and_water_mix() -> None:
    for seed in range(5):
        opposed = Protocol(contrast=Contrast.DIXON_OPPOSED, kind="se", repetition_ms=3000, echo_ms=20)
        together = brightness(replace(opposed, contrast=Contrast.DIXON_IN), seed)
        apart = brightness(opposed, seed)
        assert apart[Tissue.MARROW] < 0.5 * together[Tissue.MARROW]
        assert apart[Tissue.CSF] == pytest.approx(together[Tissue.CSF])


def test_a_gradient_echo_is_opposed_where_fat_and_water_are() -> None:
    opposed = 500 / (FAT_OFFSET_HZ_PER_T * 1.5)
    assert opposed == pytest.approx(2.3, abs=0.05)
    made = Protocol(contrast=Contrast.GRE, kind="gre", repetition_ms=500, echo_ms=opposed, flip_deg=25)
    tissues = sample_tissues(np.random.default_rng(0), 1.5, 50)
    assert signal_table(made, tissues)[1][Tissue.FAT] < 0
    assert signal_table(replace(made, echo_ms=2 * opposed), tissues)[1][Tissue.FAT] > 0


def test_diffusion_weighting_darkens_csf_most() -> None:
    plain = Protocol(contrast=Contrast.DWI, kind="se", repetition_ms=4000, echo_ms=70, b_value=0.0, fat_left=0.05)
    before, after = brightness(plain, 0), brightness(replace(plain, b_value=800.0), 0)
    left = {tissue: after[tissue] / before[tissue] for tissue in (Tissue.CSF, Tissue.MUSCLE, Tissue.CORD_WHITE)}
    assert left[Tissue.CSF] < left[Tissue.MUSCLE] < left[Tissue.CORD_WHITE] < 1


def test_contrast_agent_brightens_veins_and_leaves_csf() -> None:
    plain = Protocol(contrast=Contrast.T1W, kind="se", repetition_ms=600, echo_ms=11)
    before, after = brightness(plain, 0), brightness(replace(plain, contrast=Contrast.T1_POST), 0)
    assert after[Tissue.SLOW_BLOOD] > 1.5 * before[Tissue.SLOW_BLOOD]
    assert after[Tissue.MODIC_1] > 1.2 * before[Tissue.MODIC_1]
    assert after[Tissue.SCAR] > 1.4 * before[Tissue.SCAR]
    assert after[Tissue.SCAR] > 1.3 * after[Tissue.ANNULUS]
    assert after[Tissue.CSF] == before[Tissue.CSF]


def test_driven_equilibrium_brightens_csf_against_muscle() -> None:
    plain = Protocol(contrast=Contrast.T2_SPACE, kind="se", repetition_ms=1200, echo_ms=120)
    before, after = brightness(plain, 0), brightness(replace(plain, restore_ms=200.0), 0)
    gain = {tissue: after[tissue] / before[tissue] for tissue in (Tissue.CSF, Tissue.MUSCLE)}
    assert gain[Tissue.CSF] > 1.3 * gain[Tissue.MUSCLE]


def test_times_pass_through_those_of_both_fields_and_t1_grows() -> None:
    both = np.array([[1000.0, 1400.0], [42.0, 36.0]])
    np.testing.assert_allclose(at_field(both, 1.5), both[:, 0])
    np.testing.assert_allclose(at_field(both, 3.0), both[:, 1])
    assert at_field(both, 0.5)[0] < at_field(both, 1.0)[0] < 1000


def test_every_contrast_is_drawn_at_every_field_and_called_as_readers_do() -> None:
    rng = np.random.default_rng(0)
    for field_t in FIELDS:
        for contrast in Contrast:
            made = sample_protocol(rng, contrast, field_t)
            assert made.repetition_ms > made.echo_ms > 0
            water, fat = signal_table(made, sample_tissues(rng, field_t, 50))
            assert np.isfinite(water).all()
            assert np.isfinite(fat).all()
            assert len(water) == len(fat) == len(Tissue)
    for contrast, sequence in (
        (Contrast.T1_FLAIR, Sequence.T1W),
        (Contrast.T1_POST, Sequence.T1W),
        (Contrast.T2_SPACE, Sequence.T2W),
        (Contrast.T2W_FS, Sequence.T2W),
        (Contrast.STIR, Sequence.STIR),
        (Contrast.GRE, Sequence.OTHER),
        (Contrast.DIXON_FAT, Sequence.OTHER),
        (Contrast.MYELOGRAPHY, Sequence.OTHER),
    ):
        assert sample_protocol(rng, contrast, 1.5).sequence is sequence


@pytest.mark.parametrize(("echo_ms", "sequence"), [(85, Sequence.T2W), (20, Sequence.OTHER)])
def test_dixon_water_is_t2w_where_its_echo_is_long(echo_ms: float, sequence: Sequence) -> None:
    made = Protocol(contrast=Contrast.DIXON_WATER, kind="se", repetition_ms=3000, echo_ms=echo_ms)
    assert made.sequence is sequence


def test_every_tissue_has_plausible_constants() -> None:
    assert set(RELAXATION) == set(Tissue)
    for row in RELAXATION.values():
        assert row.t1[0] > row.t2[0]
        assert 0 <= row.fat < 1
        assert 0 <= row.density <= 1

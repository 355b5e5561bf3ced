from dataclasses import replace

import numpy as np
import pytest

from spinalis.errors import PackError
from spinalis.models import load_packs, select
from spinalis.records import Header, Series
from spinalis.triage.header import (
    FEATURES,
    GEOMETRY_TAGS,
    OUTPUTS,
    PLACES,
    TAGS,
    features,
    read_header,
    silent,
    soft_bins,
)
from spinalis.vocabulary import Anatomy, Detail, Region, Sequence
from tests.fakes import AXIAL, FakePack, manifest, series

T1 = {"echo_time_ms": 11.0, "repetition_time_ms": 600.0, "scanning_sequence": ("SE",)}
T2 = {"echo_time_ms": 102.0, "repetition_time_ms": 3500.0, "scanning_sequence": ("SE",)}
PACK = select(load_packs(threads=1), "header")


def with_header(**tags: object) -> Series:
    """Fifteen sagittal slices of 280 mm, a spine's by their geometry, without decoding any."""
    return series(np.zeros((15, 280, 280), np.float32), header=Header(modality="MR", **tags))


def answer(output: str, **tags: object) -> str:
    view = read_header(with_header(**tags), PACK)
    assert view is not None
    return OUTPUTS[output][int(view.logs[output].argmax())]


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"body_part": "LSPINE", **T2}, Anatomy.MR_SPINE),
        ({"description": "t2_tse_sag LWS", **T2}, Anatomy.MR_SPINE),
        ({"body_part": "BRAIN", "description": "Brain", "protocol": "Brain", **T2}, Anatomy.OTHER),
        ({"protocol": "Knee PD", "body_part": "KNEE"}, Anatomy.OTHER),
    ],
    ids=str,
)
def test_anatomy(tags: dict[str, object], expected: Anatomy) -> None:
    assert answer("anatomy", **tags) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"body_part": "LSPINE"}, Region.LUMBAR),
        ({"description": "T2 sag cervical"}, Region.CERVICAL),
        ({"description": "t2_tse_sag_BWS"}, Region.THORACIC),
    ],
    ids=str,
)
def test_region(tags: dict[str, object], expected: Region) -> None:
    assert answer("region", **tags) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (T1, Sequence.T1W),
        (T2, Sequence.T2W),
        ({"echo_time_ms": 50.0, "inversion_time_ms": 160.0, "repetition_time_ms": 4000.0}, Sequence.STIR),
        ({"description": "t2_tirm_sag"}, Sequence.STIR),
        ({"description": "T1 FSE sag"}, Sequence.T1W),
        ({"description": "ep2d_diff_tra"}, Sequence.OTHER),
        ({"echo_time_ms": 14.0, "repetition_time_ms": 600.0, "scanning_sequence": ("GR",)}, Sequence.OTHER),
    ],
    ids=str,
)
def test_sequence(tags: dict[str, object], expected: Sequence) -> None:
    assert answer("sequence", **tags) == expected


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ({"description": "sag T2W_mDIXON_F", "image_type": ("ORIGINAL", "PRIMARY", "M", "SE", "F")}, Detail.DIXON_FAT),
        ({"description": "tra ep2d_diff_ADC", "image_type": ("DERIVED", "PRIMARY", "DIFFUSION", "ADC")}, Detail.ADC),
        ({"description": "t2_haste_myelo", "echo_time_ms": 700.0, "repetition_time_ms": 6000.0}, Detail.MYELOGRAPHY),
        ({"description": "AX MERGE", "scanning_sequence": ("GR",), "echo_time_ms": 13.0}, Detail.GRE),
        ({"description": "SAG STIR", "inversion_time_ms": 160.0, "echo_time_ms": 50.0}, Detail.STIR),
    ],
    ids=str,
)
def test_the_finer_contrast(tags: dict[str, object], expected: Detail) -> None:
    assert answer("detail", **tags) == expected


def test_tags_that_agree_make_the_answer_surer_and_never_certain() -> None:
    alone, both = (read_header(with_header(**tags), PACK) for tags in (T1, {**T1, "description": "T1 FSE sag"}))
    assert alone is not None
    assert both is not None
    assert both.logs["sequence"].max() > alone.logs["sequence"].max()
    assert np.exp(both.logs["sequence"].max()) < 0.999


def test_tags_that_disagree_make_it_unsure() -> None:
    agreed = read_header(with_header(body_part="LSPINE", description="T2 LWS sag"), PACK)
    torn = read_header(with_header(body_part="LSPINE", description="T2 HWS sag"), PACK)
    assert agreed is not None
    assert torn is not None
    assert torn.logs["region"].max() < agreed.logs["region"].max()


def test_answers_are_log_probabilities_and_ratios_have_no_prior() -> None:
    view = read_header(with_header(**T2), PACK)
    assert view is not None
    for name in OUTPUTS:
        assert np.exp(view.logs[name]).sum() == pytest.approx(1.0)
        prior = np.log(PACK.manifest.setting("prior")[name])
        gap = view.logs[name] - prior - view.ratios[name]
        assert gap == pytest.approx(np.full(len(gap), gap[0]))


def test_every_tag_stands_in_its_own_features() -> None:
    full = Header(
        body_part="LSPINE",
        description="T2 sag",
        protocol="LWS",
        image_type=("ORIGINAL",),
        scanning_sequence=("SE",),
        sequence_variant=("SK",),
        echo_time_ms=100.0,
        repetition_time_ms=3000.0,
        inversion_time_ms=150.0,
        flip_angle_deg=90.0,
        field_strength_t=1.5,
    )
    whole = features(with_header(**{name: getattr(full, name) for name in TAGS}))
    empty = Header()
    for tag in TAGS:
        without = features(series(np.zeros((15, 280, 280)), header=replace(full, **{tag: getattr(empty, tag)})))
        changed = np.flatnonzero(whole != without)
        assert set(changed) <= set(range(*PLACES[tag].indices(len(FEATURES))))
        assert changed.size


def test_geometry_has_features_only_where_slices_are_placed() -> None:
    header = Header(description="T2")
    placed, bare = (
        features(series(np.zeros((9, 64, 32)), header=header, orientation=orientation)) for orientation in (AXIAL, None)
    )
    assert placed[PLACES["plane"]].tolist() == [1, 0, 1, 0]
    for tag in GEOMETRY_TAGS:
        if tag not in ("slices", "thickness_mm"):
            assert not bare[PLACES[tag]].any()


def test_height_follows_the_patient_whichever_way_the_picture_is_stored() -> None:
    upright = features(series(np.zeros((9, 300, 150))))
    turned = features(series(np.zeros((9, 150, 300)), orientation=((0.0, 0.0, -1.0), (0.0, 1.0, 0.0))))
    for tag in ("height_mm", "width_mm"):
        assert (upright[PLACES[tag]] == turned[PLACES[tag]]).all()


@pytest.mark.parametrize("value", [0.5, 1.0, 1.7, 40.0])
def test_soft_bins_share_a_value_between_neighbours(value: float) -> None:
    given, *shares = soft_bins(value, (1.0, 2.0, 4.0))
    assert given == 1.0
    assert sum(shares) == pytest.approx(1.0)


@pytest.mark.parametrize("value", [None, 0.0, -3.0])
def test_a_number_that_is_missing_or_no_time_has_no_bin(value: float | None) -> None:
    assert not any(soft_bins(value, (1.0, 2.0)))


def test_a_header_with_nothing_but_its_modality_is_silent() -> None:
    assert silent(Header(modality="MR", manufacturer="X"))
    assert read_header(with_header(), PACK) is None


def test_a_pack_of_other_features_is_refused() -> None:
    other = FakePack(manifest("header", {}, features=("x",)), lambda: {})
    with pytest.raises(PackError, match="features of this version, got others"):
        read_header(with_header(**T1), other)

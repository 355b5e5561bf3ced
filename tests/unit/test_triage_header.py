import numpy as np
import pytest

from spinalis.records import Header
from spinalis.triage.header import ANATOMIES, REGIONS, SEQUENCES, anatomy_odds, region_odds, sequence_odds
from spinalis.vocabulary import Anatomy, Region, Sequence


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (Header(body_part="LSPINE"), Anatomy.MR_SPINE),
        (Header(description="t2_tse_sag LWS"), Anatomy.MR_SPINE),
        (Header(body_part="BRAIN"), Anatomy.OTHER),
        (Header(protocol="Knee PD"), Anatomy.OTHER),
        (Header(description="SPINAL SURVEY"), Anatomy.MR_SPINE),
        (Header(description="t2_tse_sag Wiederholung"), None),
        (Header(body_part="BRAIN", description="c-spine T2"), None),
        (Header(description="t2_tse_sag"), None),
        (Header(), None),
    ],
    ids=str,
)
def test_anatomy_words(header: Header, expected: Anatomy | None) -> None:
    odds = anatomy_odds(header)
    assert (None if odds is None else ANATOMIES[int(odds.argmax())]) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (Header(body_part="LSPINE"), Region.LUMBAR),
        (Header(description="T2 sag cervical"), Region.CERVICAL),
        (Header(description="HWS sag", body_part="LSPINE"), Region.CERVICAL),
        (Header(description="sag_cspine"), Region.CERVICAL),
        (Header(description="thoracolumbar T2", body_part="SPINE"), None),
        (Header(body_part="SPINE"), None),
    ],
    ids=str,
)
def test_region_words(header: Header, expected: Region | None) -> None:
    odds = region_odds(header)
    assert (None if odds is None else REGIONS[int(odds.argmax())]) is expected


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        (Header(echo_time_ms=11.0, repetition_time_ms=600.0), Sequence.T1W),
        (Header(echo_time_ms=102.0, repetition_time_ms=3500.0), Sequence.T2W),
        (Header(echo_time_ms=124.0, repetition_time_ms=1000.0), Sequence.T2W),
        (Header(echo_time_ms=50.0, inversion_time_ms=160.0), Sequence.STIR),
        (Header(echo_time_ms=2.5, scanning_sequence=("GR",)), Sequence.OTHER),
        (Header(description="t2_tirm_sag"), Sequence.STIR),
        (Header(description="T1"), Sequence.T1W),
        (Header(description="ep2d_diff_tra"), Sequence.OTHER),
        (Header(description="SAG T2 T11-L5"), Sequence.T2W),
        (Header(description="EMERGENCY LSPINE T2 SAG"), Sequence.T2W),
        (Header(description="t2_ir_sag"), Sequence.STIR),
        (Header(description="sag_pd"), Sequence.OTHER),
        (Header(description="T1 and T2"), None),
        (Header(echo_time_ms=40.0, repetition_time_ms=3000.0), None),
        (Header(), None),
    ],
    ids=str,
)
def test_sequence_from_times_and_words(header: Header, expected: Sequence | None) -> None:
    odds = sequence_odds(header)
    assert (None if odds is None else SEQUENCES[int(odds.argmax())]) is expected


def test_times_and_words_that_agree_make_the_answer_surer() -> None:
    times = Header(echo_time_ms=11.0, repetition_time_ms=600.0)
    both = Header(echo_time_ms=11.0, repetition_time_ms=600.0, description="T1 sag")
    assert sequence_odds(both).max() > sequence_odds(times).max()


@pytest.mark.parametrize("odds", [anatomy_odds, region_odds, sequence_odds], ids=lambda f: f.__name__)
def test_odds_are_log_probabilities_and_never_certain(odds: object) -> None:
    found = odds(Header(body_part="LSPINE", description="T1 sag lumbar", echo_time_ms=9.0))
    assert np.exp(found).sum() == pytest.approx(1.0)
    assert np.exp(found).max() < 0.999

import numpy as np
import pytest

from spinalis.triage.fuse import EQUAL_WEIGHTS, fuse, normalized, vote
from spinalis.triage.header import REGIONS, HeaderView
from spinalis.vocabulary import Region


def logs(*shares: float) -> np.ndarray:
    return np.log(shares)


def view(*shares: float, prior: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)) -> HeaderView:
    said = logs(*shares)
    return HeaderView(logs={"region": said}, ratios={"region": normalized(said - np.log(prior))})


def test_evidence_that_agrees_adds_up() -> None:
    found, clash = fuse("region", REGIONS, logs(0.1, 0.1, 0.8), view(0.1, 0.1, 0.8), EQUAL_WEIGHTS)
    assert clash is None
    assert found is not None
    assert (found.label, found.source) == (Region.LUMBAR, "fusion")
    assert found.probability == pytest.approx(0.64 / 0.66)


def test_the_prior_counts_once() -> None:
    header = view(0.2, 0.2, 0.6, prior=(0.2, 0.2, 0.6))
    found, _ = fuse("region", REGIONS, logs(0.5, 0.3, 0.2), header, EQUAL_WEIGHTS)
    assert found is not None
    assert (found.label, found.probability) == (Region.CERVICAL, pytest.approx(0.5))


@pytest.mark.parametrize(
    ("pixels", "header", "expected"),
    [
        ((0.99, 0.005, 0.005), (0.05, 0.05, 0.9), Region.CERVICAL),
        ((0.85, 0.1, 0.05), (0.01, 0.01, 0.98), Region.LUMBAR),
    ],
    ids=["pixels surer", "header surer"],
)
def test_of_two_that_contradict_the_surer_wins_and_it_is_said(
    pixels: tuple[float, ...], header: tuple[float, ...], expected: Region
) -> None:
    found, clash = fuse("region", REGIONS, logs(*pixels), view(*header), EQUAL_WEIGHTS)
    assert found is not None
    assert clash is not None
    assert found.label is expected
    assert (clash.header, clash.pixels, clash.taken) == ("lumbar", "cervical", expected.value)


def test_a_doubtful_side_contradicts_nothing() -> None:
    _, clash = fuse("region", REGIONS, logs(0.7, 0.2, 0.1), view(0.01, 0.01, 0.98), EQUAL_WEIGHTS)
    assert clash is None


def test_one_side_alone_is_taken_as_it_is() -> None:
    header = view(0.2, 0.2, 0.6, prior=(0.1, 0.1, 0.8))
    alone, _ = fuse("region", REGIONS, None, header, EQUAL_WEIGHTS)
    assert alone is not None
    assert (alone.source, alone.probability) == ("header", pytest.approx(0.6))
    seen, _ = fuse("region", REGIONS, logs(0.2, 0.2, 0.6), None, EQUAL_WEIGHTS)
    assert seen is not None
    assert seen.source == "pixels"
    assert fuse("region", REGIONS, None, None, EQUAL_WEIGHTS) == (None, None)


def test_more_slices_make_a_vote_surer_up_to_a_cap() -> None:
    one = np.tile(logs(0.6, 0.2, 0.2), (1, 1))
    sureness = [float(vote(np.repeat(one, count, axis=0)).max()) for count in (1, 12, 24, 100)]
    assert sureness[0] < sureness[1] < sureness[2] == sureness[3]
    assert vote(np.zeros((0, 3))) is None

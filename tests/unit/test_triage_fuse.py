import numpy as np
import pytest

from spinalis.triage.fuse import LYING, agreement, fuse, vote
from spinalis.triage.header import REGIONS, SEQUENCES, HeaderView
from spinalis.vocabulary import Region, Sequence


def logs(*shares: float) -> np.ndarray:
    return np.log(shares)


def view(*shares: float, prior: tuple[float, ...] = (1 / 3, 1 / 3, 1 / 3)) -> HeaderView:
    said = logs(*shares)
    return HeaderView(logs={"region": said}, ratios={"region": said - np.log(prior)})


def test_evidence_that_agrees_adds_up() -> None:
    found, clash = fuse("region", REGIONS, logs(0.1, 0.1, 0.8), view(0.1, 0.1, 0.8), {})
    assert clash is None
    assert found is not None
    assert (found.label, found.source) == (Region.LUMBAR, "fusion")
    shares = np.array([0.1, 0.1, 0.8])
    expected = shares * ((1 - LYING) * 3 * shares + LYING)
    assert found.probability == pytest.approx(expected[2] / expected.sum())


def test_the_prior_counts_once() -> None:
    header = view(0.2, 0.2, 0.6, prior=(0.2, 0.2, 0.6))
    found, _ = fuse("region", REGIONS, logs(0.5, 0.3, 0.2), header, {})
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
    found, clash = fuse("region", REGIONS, logs(*pixels), view(*header), {})
    assert found is not None
    assert clash is not None
    assert found.label is expected
    assert (clash.header, clash.pixels, clash.taken) == ("lumbar", "cervical", expected.value)


def test_a_header_that_is_caught_lying_is_believed_less_in_its_other_answers() -> None:
    heads = {"anatomy": (0.98, 0.02), "region": (0.01, 0.01, 0.98), "sequence": (0.97, 0.01, 0.01, 0.01)}
    said = {head: logs(*shares) for head, shares in heads.items()}
    header = HeaderView(logs=said, ratios={head: shares + np.log(len(shares)) for head, shares in said.items()})
    truthful = {"anatomy": logs(0.99, 0.01), "region": logs(0.05, 0.05, 0.9), "sequence": logs(0.2, 0.7, 0.05, 0.05)}
    lying = {**truthful, "anatomy": logs(0.01, 0.99), "region": logs(0.9, 0.05, 0.05)}
    answers = []
    for votes in (truthful, lying):
        found, _ = fuse("sequence", SEQUENCES, votes["sequence"], header, agreement(votes, header))
        assert found is not None
        answers.append(found.label)
    assert answers == [Sequence.T1W, Sequence.T2W]


def test_without_a_readable_slice_nothing_agrees_or_disagrees() -> None:
    header = view(0.2, 0.2, 0.6)
    assert agreement({"anatomy": None, "region": None, "sequence": None}, header) == {}


def test_a_doubtful_side_contradicts_nothing() -> None:
    _, clash = fuse("region", REGIONS, logs(0.7, 0.2, 0.1), view(0.01, 0.01, 0.98), {})
    assert clash is None


def test_one_side_alone_is_taken_as_it_is() -> None:
    header = view(0.2, 0.2, 0.6, prior=(0.1, 0.1, 0.8))
    alone, _ = fuse("region", REGIONS, None, header, {})
    assert alone is not None
    assert (alone.source, alone.probability) == ("header", pytest.approx(0.6))
    seen, _ = fuse("region", REGIONS, logs(0.2, 0.2, 0.6), None, {})
    assert seen is not None
    assert seen.source == "pixels"
    assert fuse("region", REGIONS, None, None, {}) == (None, None)


def test_more_slices_make_a_vote_surer_up_to_a_cap() -> None:
    one = np.tile(logs(0.6, 0.2, 0.2), (1, 1))
    sureness = [float(vote(np.repeat(one, count, axis=0)).max()) for count in (1, 12, 24, 100)]
    assert sureness[0] < sureness[1] < sureness[2] == sureness[3]
    assert vote(np.zeros((0, 3))) is None

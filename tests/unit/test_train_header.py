from pathlib import Path

import numpy as np
import pytest

from spinalis.models import load_pack
from spinalis.train import runs
from spinalis.train.data.header_examples import Spoiling, named, simulated_headers, spoiled_echo, spoilt
from spinalis.train.data.header_studies import header_series
from spinalis.train.runs import Order
from spinalis.triage.header import FEATURES, GEOMETRY_TAGS, OUTPUTS, PLACES, TAGS, read_header
from spinalis.vocabulary import Detail, Sequence

WHOLE = Spoiling(whole=1.0, most_missing=0.0, bare=0.0, swapped=0.0, mixed=0.0, misled=0.0)
OWN, OTHER = np.full(len(FEATURES), 0.25, np.float32), np.full(len(FEATURES), 0.75, np.float32)


def spoil(**changes: float) -> list[np.ndarray]:
    how = Spoiling(**{**{name: getattr(WHOLE, name) for name in WHOLE.__slots__}, **changes})
    return [spoilt(np.random.default_rng(seed), OWN, OTHER, how) for seed in range(40)]


def test_nothing_is_spoilt_without_a_share() -> None:
    assert all((found == OWN).all() for found in spoil())


def test_a_swapped_header_keeps_its_own_geometry() -> None:
    for found in spoil(swapped=1.0):
        assert all((found[PLACES[tag]] == 0.75).all() for tag in TAGS)
        assert all((found[PLACES[tag]] == 0.25).all() for tag in GEOMETRY_TAGS)


def test_mixed_tags_are_taken_whole() -> None:
    for found in spoil(mixed=1.0):
        taken = [tag for tag in TAGS if (found[PLACES[tag]] == 0.75).all()]
        assert 0 < len(taken) < len(TAGS)
        assert all((found[PLACES[tag]] == 0.25).all() for tag in PLACES if tag not in taken)


def test_dropped_tags_are_dropped_whole() -> None:
    shares = [np.mean([not found[PLACES[tag]].any() for tag in PLACES]) for found in spoil(whole=0.0, most_missing=1.0)]
    assert min(shares) < 0.2
    assert max(shares) > 0.8


def test_bare_series_lose_their_geometry_and_nothing_else() -> None:
    for found in spoil(bare=1.0):
        assert all((found[PLACES[tag]] == 0).all() == (tag in GEOMETRY_TAGS) for tag in PLACES)


def test_misleading_words_stand_in_one_text() -> None:
    for found in spoil(misled=1.0):
        assert sum((found[PLACES[tag]] != 0.25).any() for tag in PLACES) == 1


def test_other_anatomy_is_named_in_some_descriptions() -> None:
    rng = np.random.default_rng(3)
    texts = [
        (item.series.header.description, named(rng, item).series.header.description)
        for item in header_series(3, 1, 20, "other")
    ]
    told = [before != after for before, after in texts if before]
    assert 0.2 < np.mean(told) < 0.6


def test_some_t1w_series_of_the_head_or_belly_are_gradient_echoes_and_no_other_contrast_is() -> None:
    rng = np.random.default_rng(4)
    pairs = [(item, spoiled_echo(rng, item)) for item in header_series(4, 3, 30, "other")]
    changed = [after for before, after in pairs if after is not before]
    t1w = [before for before, _ in pairs if before.contrast is Detail.T1W]
    assert 0.2 < len(changed) / len(t1w) < 0.5
    assert {item.sequence for item in changed} == {Sequence.T1W}
    headers = [item.series.header for item in changed]
    assert all(header.echo_time_ms is not None and header.echo_time_ms <= 5 for header in headers)
    assert {"GR"} == {header.scanning_sequence[0] for header in headers if header.scanning_sequence}


def test_a_small_run_becomes_a_pack_that_reads_headers(tmp_path: Path) -> None:
    order = Order(recipe="header", folder=tmp_path / "header", changes={"steps": "30"}, scale=0.01, accelerator="cpu")
    pack = load_pack(runs.export(runs.train(order), tmp_path / "pack"))
    assert set(pack.manifest.labels) == set(OUTPUTS) == {score.output for score in pack.manifest.scores}
    assert (tmp_path / "pack" / "model.onnx").stat().st_size < 1_000_000
    view = read_header(next(header_series(8, 1, 1, "lumbar")).series, pack)
    assert view is not None
    assert {name: len(log) for name, log in view.logs.items()} == {name: len(words) for name, words in OUTPUTS.items()}


def test_the_prior_is_a_share_of_every_class() -> None:
    given = simulated_headers({"lumbar": 1, "other": 1}, 1, 4)
    for name, shares in given.prior().items():
        assert len(shares) == len(OUTPUTS[name])
        assert sum(shares) == pytest.approx(1.0, abs=1e-4)
        assert min(shares) > 0

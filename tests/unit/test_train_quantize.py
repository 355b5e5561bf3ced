from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from spinalis.errors import OutputError, PackError, RecipeError
from spinalis.models import load_pack
from spinalis.train import quantize
from spinalis.train.quantize import Agreement
from spinalis.train.triage import CLASSES, Example
from tests.tiny_triage import SPEC, triage_pack


def examples(count: int) -> list[Example]:
    rng = np.random.default_rng(5)
    shades = rng.integers(0, 255, (count, 4, 4)).astype(np.uint8)
    images = [np.kron(shade, np.ones((8, 8), np.uint8)) for shade in shades]
    return [Example(image=image, labels=np.array([0, 1, -1, 3, place % 2])) for place, image in enumerate(images)]


@pytest.fixture
def simulated(monkeypatch: pytest.MonkeyPatch) -> list[Example]:
    made = examples(24)
    monkeypatch.setattr(quantize, "_simulated", lambda *_: made)
    return made


def test_convolutions_become_integers_and_heads_do_not(tmp_path: Path) -> None:
    pack = triage_pack(tmp_path / "triage")
    quantize.quantize_model(pack / "model.onnx", quantize.prepared(examples(8), SPEC), tmp_path / "small.onnx")
    graph = onnx.load(tmp_path / "small.onnx").graph
    kinds = {item.name: item.data_type for item in graph.initializer}
    assert kinds["kernel_quantized"] == TensorProto.INT8
    assert all(kinds[f"{name}_weight"] == TensorProto.FLOAT for name in CLASSES)


def test_ranges_need_slices(tmp_path: Path) -> None:
    with pytest.raises(PackError, match="expected slices to take ranges from, got none"):
        quantize.quantize_model(tmp_path / "model.onnx", np.zeros((0, 1, 32, 32), np.float32), tmp_path / "small.onnx")


def test_a_quantized_pack_answers_nearly_alike_and_says_so(tmp_path: Path, simulated: list[Example]) -> None:
    before = triage_pack(tmp_path / "triage")
    after = quantize.quantize(before, tmp_path / "small")
    assert after == tmp_path / "small"
    first, second = load_pack(before), load_pack(after)
    images = quantize.prepared(simulated, SPEC)
    for name, values in first.run(images=images).items():
        difference = np.abs(second.run(images=images)[name] - values).max()
        assert 0 < difference < 0.03 * np.abs(values).max()
    assert second.manifest.settings == first.manifest.settings
    assert second.manifest.scores[0].figures == "the same network in 32 bit: none"
    assert "| region, simulation | " in second.card
    assert "| plane, simulation | " not in second.card  # no slice carries that label


def test_agreement_counts_right_and_changed_answers_on_labelled_slices(tmp_path: Path) -> None:
    pack, items = load_pack(triage_pack(tmp_path / "triage")), examples(10)
    truth = pack.run(images=quantize.prepared(items, SPEC))["anatomy"].argmax(axis=1)
    known = [
        Example(image=item.image, labels=np.array([answer if place else -1, -1, -1, -1, -1]))
        for place, (item, answer) in enumerate(zip(items, truth, strict=True))
    ]
    assert quantize.agreement(pack, pack, known, "real") == [
        Agreement(head="anatomy", on="real", slices=9, before=9, after=9, changed=0)
    ]


def test_a_head_that_loses_more_than_half_a_point_is_refused() -> None:
    line = Agreement(head="region", on="simulation", slices=1000, before=950, after=945, changed=40)
    quantize.hold([line])
    worse = Agreement(head="region", on="simulation", slices=1000, before=950, after=944, changed=40)
    with pytest.raises(PackError, match=r"expected region to lose at most 0\.5 points, got 0\.60 on 1000"):
        quantize.hold([line, worse])


def test_nothing_is_written_where_a_head_loses(
    tmp_path: Path, simulated: list[Example], monkeypatch: pytest.MonkeyPatch
) -> None:
    worse = Agreement(head="region", on="simulation", slices=10, before=9, after=8, changed=1)
    monkeypatch.setattr(quantize, "agreement", lambda *_: [worse])
    with pytest.raises(PackError, match="Keep the pack in 32 bit"):
        quantize.quantize(triage_pack(tmp_path / "triage"), tmp_path / "small")
    assert not (tmp_path / "small").exists()


def test_only_triage_packs_and_new_folders_are_taken(tmp_path: Path, simulated: list[Example]) -> None:
    pack = triage_pack(tmp_path / "triage")
    with pytest.raises(OutputError, match="expected a new folder"):
        quantize.quantize(pack, pack)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file").touch()
    with pytest.raises(OutputError, match="expected a new folder"):
        quantize.quantize(pack, tmp_path / "other")
    with pytest.raises(RecipeError, match="expected a pack for task triage, got grade"):
        quantize.quantize(triage_pack(tmp_path / "grade", task="grade"), tmp_path / "small")

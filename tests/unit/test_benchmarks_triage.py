import importlib
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from spinalis.records import Header, Series, Slice
from spinalis.train.networks.node_network import node_network
from tests.tiny_triage import tiny_network, triage_pack

ROOT = Path(__file__).parents[2]
BACKBONE, SIZE, CLASSES = "test_efficientnet", 32, (4, 3, 3, 2)


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """The modules of the benchmark."""
    monkeypatch.syspath_prepend(ROOT / "benchmarks")
    names = ("triage", "triage_engines", "roofline")
    return SimpleNamespace(**{name: importlib.import_module(name) for name in names})


@pytest.fixture
def folder(tmp_path: Path, bench: SimpleNamespace) -> Path:
    """The files of tiny engines."""
    bench.triage_engines.Chain(backbone=BACKBONE, size=SIZE, classes=CLASSES).save(tmp_path)
    for place, classes in enumerate(CLASSES):
        torch.save(node_network(BACKBONE, classes, SIZE).state_dict(), tmp_path / f"node{place}.pt")
        tiny_network(tmp_path / f"node{place}.onnx")
    triage_pack(tmp_path / "fp32")
    triage_pack(tmp_path / "int8")
    return tmp_path


@pytest.fixture
def chosen() -> list[tuple[Series, int, np.ndarray]]:
    """Two slices of one series."""
    image = np.arange(40 * 30, dtype=np.float32).reshape(40, 30)
    series = Series(
        key="s", number=1, header=Header(), rows=40, columns=30, slices=(Slice(file="a"),) * 2, load=lambda _: image
    )
    return [(series, index, image) for index in range(2)]


def test_every_engine_answers_two_slices(bench: SimpleNamespace, folder: Path, chosen: list) -> None:
    answers = {}
    for name in bench.triage.TITLES:
        engine = bench.triage_engines.build(name, folder)
        pictures = np.stack([engine.picture(image, series, index) for series, index, image in chosen])
        assert pictures.shape == (2, 1, SIZE, SIZE)
        answers[name] = engine.answer(pictures[: engine.batch])
    assert [answer.shape for answer in answers["a"]] == [(1, count) for count in CLASSES]
    assert len(answers["a2"]) == 2
    assert [len(answers[name]) for name in ("b", "c", "d")] == [4, 5, 5]
    assert len(answers["c"][0]) == 2


def test_rounds_and_tables_have_every_engine(
    bench: SimpleNamespace, folder: Path, chosen: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    peak = bench.roofline.Peak(fp32=1e9, int8=2e9, bandwidth=1e15)
    monkeypatch.setattr(bench.roofline, "measure", lambda: peak)
    times = bench.triage.rounds(folder, chosen, 2)
    assert all(len(found.whole) == 2 and min(found.whole) > 0 for found in times.values())
    table = bench.triage.network_table(folder, times, ())
    assert [row[0] for row in table.rows] == list(bench.triage.TITLES.values())
    assert table.rows[0][4] == "1.0 (1.0–1.0)"
    floor = bench.triage.floors(folder, peak)
    assert floor["d"] == pytest.approx(floor["c"] / 2)
    assert floor["b"] == pytest.approx(2 * floor["a2"])


@pytest.mark.parametrize("name", ["a", "b", "c", "d"])
def test_a_study_is_labelled_whole(bench: SimpleNamespace, folder: Path, name: str) -> None:
    study = sorted(path for path in (ROOT / "examples" / "lumbar").iterdir() if path.is_dir())[0]
    assert bench.triage_engines.label_study(name, folder, study) == len(list(study.rglob("*.dcm")))


def test_operations_are_counted_by_hand(bench: SimpleNamespace, tmp_path: Path) -> None:
    tiny_network(tmp_path / "model.onnx")
    convolution, heads = 2 * 8 * 15 * 15 * 9, 2 * 8 * (2 + 3 + 3 + 4 + 1)
    assert bench.roofline.operations(tmp_path / "model.onnx") == convolution + heads


def test_the_floor_is_the_larger_of_arithmetic_and_weights(bench: SimpleNamespace, tmp_path: Path) -> None:
    file = tmp_path / "model.onnx"
    tiny_network(file)
    fast = bench.roofline.Peak(fp32=1.0, int8=1.0, bandwidth=1e3)
    assert bench.roofline.seconds(file, 1e15, fast, 4) == pytest.approx(file.stat().st_size / 4e3)
    assert bench.roofline.seconds(file, 1.0, fast, 4) == bench.roofline.operations(file)

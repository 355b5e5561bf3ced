import hashlib
from pathlib import Path

import numpy as np
import onnx
import pytest
import tomli_w
from onnx import TensorProto, helper

from spinalis.errors import PackError
from spinalis.models import load_pack, load_packs, select
from spinalis.models.pack import SCHEMA


def make(folder: Path, **changes: object) -> Path:
    """A real pack whose model doubles its input."""
    folder.mkdir(parents=True)
    shape = ["batch", 1, 4, 4]
    graph = helper.make_graph(
        [helper.make_node("Add", ["images", "images"], ["maps"])],
        "double",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, shape)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.save(model, folder / "model.onnx")
    text = {
        "schema": SCHEMA,
        "name": folder.name,
        "task": "localize",
        "version": "1.2.3",
        "licence": "Apache-2.0",
        "sha256": hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest(),
        "inputs": {"images": {"height": 4, "width": 4, "channels": ["intensity"]}},
        "labels": {},
        "settings": {},
        "training_data": ["nothing"],
        "scores": [{"output": "levels", "on": "simulation", "figures": "n 0"}],
    }
    (folder / "pack.toml").write_text(tomli_w.dumps({**text, **changes}))
    (folder / "card.md").write_text("# card\n")
    return folder


def test_a_pack_is_loaded_checked_and_run(tmp_path: Path) -> None:
    pack = load_pack(make(tmp_path / "p"))
    images = np.arange(32, dtype=np.float32).reshape(2, 1, 4, 4)
    assert pack.run(images=images)["maps"] == pytest.approx(2 * images)
    assert (pack.info.name, pack.info.version) == ("p", "1.2.3")
    assert pack.manifest.inputs["images"].channels == ("intensity",)
    assert pack.card.startswith("# card")


def test_an_altered_model_is_refused(tmp_path: Path) -> None:
    folder = make(tmp_path / "p")
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes() + b"x")
    with pytest.raises(PackError, match=r"SHA-256.*altered"):
        load_pack(folder)


@pytest.mark.parametrize(
    "changes", [{"schema": "spinalis-pack/9"}, {"inputs": {"images": {"height": 4}}}, {"scores": [{"output": "x"}]}]
)
def test_an_incomplete_manifest_is_refused(tmp_path: Path, changes: dict[str, object]) -> None:
    with pytest.raises(PackError, match="expected"):
        load_pack(make(tmp_path / "p", **changes))


def test_a_broken_model_is_refused_when_it_is_run(tmp_path: Path) -> None:
    folder = make(tmp_path / "p", sha256=hashlib.sha256(b"no model").hexdigest())
    (folder / "model.onnx").write_bytes(b"no model")
    pack = load_pack(folder)
    with pytest.raises(PackError, match="ONNX Runtime can load"):
        pack.run(images=np.zeros((1, 1, 4, 4), np.float32))


def test_an_empty_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PackError, match=r"expected sub-folders with pack\.toml"):
        load_packs(tmp_path)


def test_select_wants_exactly_one_pack(tmp_path: Path) -> None:
    make(tmp_path / "a")
    make(tmp_path / "b")
    packs = load_packs(tmp_path)
    with pytest.raises(PackError, match="got 2"):
        select(packs, "localize")
    with pytest.raises(PackError, match="got 0"):
        select(packs, "grade")


def test_a_score_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    manifest = load_pack(make(tmp_path / "p")).manifest
    assert manifest.score("levels").on == "simulation"
    with pytest.raises(PackError, match="canal"):
        manifest.score("canal")


def test_a_model_takes_no_more_threads_than_there_are_cores(tmp_path, monkeypatch):
    options = {}
    for cores in ({3}, {0, 1, 2}):
        monkeypatch.setattr("os.sched_getaffinity", lambda _, cores=cores: cores, raising=False)
        pack = load_pack(make(tmp_path / str(len(cores))), threads=2)
        options[len(cores)] = pack._session.get_session_options().intra_op_num_threads
    assert options == {1: 1, 3: 2}

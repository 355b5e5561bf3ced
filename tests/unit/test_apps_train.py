import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from spinalis.apps import train
from tests.terminal import Run, in_this_process


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs `spinalis ARGUMENTS` in this process: exit code, stdout, stderr."""
    with in_this_process(monkeypatch, capsys) as call:
        yield call


@pytest.fixture
def orders(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Collects what would be trained or exported."""
    given: list[Any] = []

    def take(*order: Any) -> Path:
        given.append(order)
        return Path("done")

    fake = SimpleNamespace(Order=SimpleNamespace, train=take, export=take)
    monkeypatch.setattr(train, "_runs", lambda: fake)
    return given


def test_a_recipe_is_trained_as_asked(run: Run, orders: list[Any], tmp_path: Path) -> None:
    code, out, err = run(
        *("train", "grade", "--data", tmp_path, "--set", "steps=12", "--set", "widths=[8, 16]", "--out", "mine"),
        *("--source", f"folder={tmp_path}"),
        *("--jobs", 3, "--scale", 0.5, "--accelerator", "cpu"),
    )
    assert (code, out, err) == (0, "Run: done\n", "")
    ((order,),) = orders
    assert vars(order) == {
        "recipe": "grade",
        "folder": Path("mine"),
        "data": tmp_path,
        "changes": {"steps": "12", "widths": "[8, 16]"},
        "jobs": 3,
        "scale": 0.5,
        "accelerator": "cpu",
        "sources": [("folder", tmp_path)],
        "start": None,
    }


def test_a_pack_is_adapted_in_place_of_a_recipe(run: Run, orders: list[Any], tmp_path: Path) -> None:
    assert run("train", "--from", tmp_path, "--data", tmp_path)[0] == 0
    ((order,),) = orders
    assert (order.recipe, order.start, order.folder) == ("adapt", tmp_path, Path("runs/adapt"))
    for given in (("train",), ("train", "grade", "--from", tmp_path)):
        code, _, err = run(*given)
        assert code == 2
        assert "expected RECIPE or --from PACK" in err


def test_a_run_goes_to_a_folder_of_its_recipe(run: Run, orders: list[Any]) -> None:
    assert run("train", "levels")[0] == 0
    ((order,),) = orders
    assert order.folder == Path("runs/levels")
    assert (order.data, order.changes, order.sources) == (None, {}, [])


def test_a_run_is_exported(run: Run, orders: list[Any], tmp_path: Path) -> None:
    assert run("export", tmp_path, "-o", "packs/grade") == (0, "Pack: done\n", "")
    assert orders == [(tmp_path, Path("packs/grade"))]


@pytest.mark.parametrize("item", ["steps", "=3"])
def test_a_setting_without_key_or_value_is_a_usage_error(run: Run, orders: list[Any], item: str) -> None:
    code, _, err = run("train", "grade", "--set", item)
    assert code == 2
    assert "expected --set KEY=VALUE" in err
    assert orders == []


def test_an_unknown_recipe_is_an_error(run: Run, tmp_path: Path) -> None:
    code, _, err = run("train", "nonsense", "--out", tmp_path / "run")
    assert code == 1
    assert "Error: Recipe: expected one of triage, header, levels, grade, triage-anatomy, " in err


def test_without_torch_the_extra_is_named() -> None:
    code = (
        "import sys; sys.modules['torch'] = None; from spinalis.apps import cli\n"
        "sys.argv = ['spinalis', 'train', 'grade']; cli.main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    expected = "Training: expected the extra 'train', got no torch. Install it: pip install 'spinalis[train]'."
    assert done.stderr == f"Error: {expected}\n"


def test_a_triage_pack_is_quantized_as_asked(run: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given: list[Any] = []
    monkeypatch.setattr("spinalis.train.data.open_images.find_root", lambda path: path)
    monkeypatch.setattr("spinalis.train.quantize.quantize", lambda *order: given.append(order) or Path("small"))
    code, out, err = run("quantize", tmp_path, "-o", "small", "--data", tmp_path, "--jobs", 3)
    assert (code, out, err) == (0, "Pack: small\n", "")
    assert run("quantize", tmp_path, "-o", "small")[0] == 0
    assert given == [(tmp_path, Path("small"), tmp_path, 3), (tmp_path, Path("small"), None, 2)]

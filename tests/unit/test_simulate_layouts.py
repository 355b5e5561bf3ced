"""Whole studies or none, each with its truth beside it, whatever interrupts the work."""

import hashlib
import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from spinalis.errors import OutputError, SimulationError
from spinalis.formats import read_studies
from spinalis.formats.dicom import write
from spinalis.simulate import layouts, simulate_study, simulate_to_folder


def digest(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def test_written_studies_are_whole_and_are_not_made_twice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, int]] = []
    (folder,) = simulate_to_folder(
        tmp_path, studies=1, seed=3, profile="other", progress=lambda done, of: seen.append((done, of))
    )
    assert seen == [(1, 1)]
    assert sorted(path.name for path in tmp_path.iterdir()) == [folder.name, "truth"]
    document = json.loads((tmp_path / "truth" / f"{folder.name}.json").read_text())
    assert document["schema"] == "spinalis-truth/1"
    made = simulate_study(3, 0, "other")
    (found,) = read_studies(folder)
    assert found.warnings == ()
    assert sum(len(one.slices) for one in found.series) == sum(len(one.series.slices) for one in made.series)

    def never(*_: object) -> None:
        raise AssertionError("a study that is there was made again")

    monkeypatch.setattr(layouts, "simulate_study", never)
    assert simulate_to_folder(tmp_path, studies=1, seed=3, profile="other") == (folder,)


def test_two_processes_write_the_same_as_one(tmp_path: Path) -> None:
    for jobs in (1, 2):
        simulate_to_folder(tmp_path / str(jobs), studies=2, seed=3, profile="other", jobs=jobs)
    assert digest(tmp_path / "1") == digest(tmp_path / "2")


@pytest.mark.parametrize("when", ["pixels", "truth"])
def test_a_full_disk_leaves_no_part_of_a_study(when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    def half(study: object, folder: Path, **_: object) -> None:
        (folder / "0001.dcm").write_bytes(b"half")

    monkeypatch.setattr(write, "write_study", full if when == "pixels" else half)
    if when == "truth":
        monkeypatch.setattr(layouts, "write_bytes", full)
    with pytest.raises(OutputError, match="No space left"):
        simulate_to_folder(tmp_path, studies=1, seed=3, profile="other")
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
    assert [path.name for path in tmp_path.iterdir()] == ["truth"]


def test_a_kill_leaves_whole_studies_only_and_the_next_run_finishes(tmp_path: Path) -> None:
    code = """
import sys, time
from pathlib import Path
from spinalis.formats.dicom import write
from spinalis.simulate import simulate_to_folder
real, calls = write.write_study, []
def slow(study, folder, **options):
    real(study, folder, **options)
    calls.append(folder)
    if len(calls) == 2:
        print("half", flush=True)
        time.sleep(60)
write.write_study = slow
simulate_to_folder(Path(sys.argv[1]), studies=2, seed=3, profile="other")
"""
    with subprocess.Popen([sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "half\n"
        process.send_signal(signal.SIGKILL)
    shown = {path.name for path in tmp_path.iterdir() if not path.name.startswith(".")}
    assert shown == {"other-3-00000", "truth"}
    assert len(read_studies(tmp_path / "other-3-00000")) == 1
    simulate_to_folder(tmp_path, studies=2, seed=3, profile="other")
    assert {path.name for path in tmp_path.iterdir()} == {"other-3-00000", "other-3-00001", "truth"}
    assert {path.name for path in (tmp_path / "truth").iterdir()} == {"other-3-00000.json", "other-3-00001.json"}


def test_a_count_below_one_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SimulationError, match="at least one study"):
        simulate_to_folder(tmp_path, studies=0, seed=1)


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="expected a folder"):
        simulate_to_folder(tmp_path / "file", studies=1, seed=1, profile="other")

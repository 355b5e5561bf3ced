import csv
import json
import logging
import os
import pickle
import pty
import signal
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import typer

from spinalis import __version__
from spinalis.apps import batch, cli, exit_codes
from spinalis.errors import EmptyInputError, OutputError, PackError, RecipeError, SimulationError, SpinalisError
from spinalis.records import Notice, PackInfo, Reading, Study
from spinalis.vocabulary import NoticeKind
from tests.readings import brain_reading, reading

DOCS = Path(__file__).parents[2] / "docs" / "cli.md"
HEAVY = ("onnxruntime", "cv2", "torch", "pydicom", "numba")


@dataclass(frozen=True)
class Result:
    code: int
    out: str
    err: str


Run = Callable[..., Result]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Run]:
    """Runs `spinalis ARGUMENTS` in this process, from argument list to exit code."""
    logger, root = logging.getLogger("spinalis"), logging.getLogger()
    state = (logger.handlers, logger.level, logger.propagate, list(root.handlers))
    monkeypatch.setenv("PYTHONSAFEPATH", "1")  # which `main` sets where it is not
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["spinalis", *map(str, arguments)])
        with warnings.catch_warnings(), pytest.raises(SystemExit) as left:
            cli.main()
        said = capsys.readouterr()
        return Result(code=int(left.value.code or 0), out=said.out, err=said.err)

    yield call
    logger.handlers, logger.level, logger.propagate, root.handlers = state
    for number, handler in handlers.items():
        signal.signal(number, handler)


Readings = dict[str, Reading | BaseException]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., tuple[Path, ...]]:
    """Makes inputs that hold the given readings (or raise the given error), in place of files and models."""

    def make(*inputs: tuple[Reading | Exception, ...]) -> tuple[Path, ...]:
        contents: dict[Path, tuple[Reading | Exception, ...]] = {}
        for place, found in enumerate(inputs):
            path = tmp_path / f"input{place}"
            path.mkdir()
            contents[path] = found

        def read_studies(path: Path) -> tuple[Study, ...]:
            for item in contents[path]:
                if isinstance(item, Exception):
                    raise item
            return tuple(item.study for item in contents[path] if isinstance(item, Reading))

        def read_study(study: Study, packs: object, progress: object, **_: object) -> Reading:
            return next(
                item
                for found in contents.values()
                for item in found
                if isinstance(item, Reading) and item.study is study
            )

        monkeypatch.setattr("spinalis.formats.read_studies", read_studies)
        monkeypatch.setattr("spinalis.models.load_packs", lambda folder: ())
        monkeypatch.setattr("spinalis.pipeline.triage_study", lambda study, *_: read_study(study, None, None).series)
        monkeypatch.setattr(batch, "_packs", lambda folder: ())
        monkeypatch.setattr(batch, "read_study", read_study)
        # Most of the time of a report goes into its crops, which have their own tests.
        monkeypatch.setattr("spinalis.report.pictures.Gallery.looked_at", lambda gallery: ())
        return tuple(contents)

    return make


World = Callable[..., tuple[Path, ...]]


def lossy(key: str = "lossy") -> Reading:
    made = reading(key=key)
    series = replace(made.series[0], flags=("unreadable_slices",))
    return replace(made, series=(series, *made.series[1:]))


def test_alone_it_prints_help(run: Run) -> None:
    result = run()
    assert result.code == 0
    assert all(command in result.out for command in ("read", "triage", "simulate", "packs"))


def test_version_is_printed(run: Run) -> None:
    assert run("--version") == Result(code=0, out=f"spinalis {__version__}\n", err="")


@pytest.mark.parametrize(
    "arguments",
    [
        ("--nonsense",),
        ("nonsense",),
        ("read", "/absent/input", "-o", "out"),
        ("read", "."),
        ("read", "-o", "out"),
        ("read", ".", "-o", "out", "--jobs", "0"),
        ("triage", ".", "--json", "-o", "table.csv"),
        ("simulate", "-o", "out", "--studies", "0", "--seed", "1"),
        ("packs", "--packs", "/absent/folder"),
    ],
    ids=" ".join,
)
def test_wrong_usage_ends_with_2_and_says_why(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.code == 2
    assert "Error:" in result.err
    assert result.out == ""


def commands_of(group: Any, before: str = "") -> dict[str, Any]:
    """Every command by its whole name, those of groups included."""
    found: dict[str, Any] = {}
    for name, command in group.commands.items():
        below = getattr(command, "commands", None)
        found |= commands_of(command, f"{before}{name} ") if below else {f"{before}{name}": command}
    return found


def test_every_option_is_documented() -> None:
    sections = dict(part.split("`", 1) for part in DOCS.read_text().split("## `spinalis ")[1:])
    commands = commands_of(typer.main.get_command(cli.app))
    assert sorted(sections) == sorted(commands)
    for name, command in commands.items():
        for option in command.params:
            for spelling in option.opts if option.param_type_name == "option" else ():
                assert f"| `{spelling}`" in sections[name] or f", `{spelling}` |" in sections[name], (name, spelling)


def test_every_documented_option_exists() -> None:
    sections = dict(part.split("`", 1) for part in DOCS.read_text().split("## `spinalis ")[1:])
    commands = commands_of(typer.main.get_command(cli.app))
    for name, text in sections.items():
        known = {spelling for option in commands[name].params for spelling in option.opts}
        rows = [line.split("|")[1] for line in text.splitlines() if line.startswith("| `-")]
        assert {word.strip(" `") for row in rows for word in row.split(",")} <= known


def test_one_study_goes_into_the_folder_itself(run: Run, world: World, tmp_path: Path) -> None:
    (given,) = world((reading(),))
    result = run("read", given, "-o", tmp_path / "out")
    assert result.code == 0
    assert sorted(item.name for item in (tmp_path / "out").iterdir()) == ["reading.json", "report.html"]
    assert f"Report: {tmp_path / 'out' / 'report.html'}" in result.out
    assert "Experimental index, not validated on patients" in result.out
    assert "Research use only" in result.out
    assert "Normal" not in result.out


def test_readings_become_a_prediction_file(
    run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("spinalis.apps.predictions.row_names", lambda given: tuple(study.key for _, study in given))
    given = world((reading(key="one"), reading(key="two", axial=False)))
    result = run("read", *given, "-o", tmp_path / "out", "--rsna-csv", tmp_path / "csv" / "p.csv")
    assert result.code == 0
    assert "Warning: p.csv: nothing was assessed in 10 rows; they hold the prior of their level." in result.err
    lines = (tmp_path / "csv" / "p.csv").read_text().splitlines()
    assert len(lines) == 1 + 2 * 25
    assert lines[0] == "row_id,normal_mild,moderate,severe"
    assert lines[-1].startswith("two_right_subarticular_stenosis_l5_s1,")


def test_several_studies_go_into_folders_of_their_own(run: Run, world: World, tmp_path: Path) -> None:
    given = world((reading(key="one"), reading(key="two")), (reading(key="one"),))
    assert run("read", *given, "-o", tmp_path / "out").code == 0
    assert sorted(item.name for item in (tmp_path / "out").iterdir()) == ["one", "one-2", "two"]
    assert json.loads((tmp_path / "out" / "two" / "reading.json").read_text())["study"]["key"] == "two"


def test_json_prints_one_line_per_study_and_nothing_else(run: Run, world: World, tmp_path: Path) -> None:
    given = world((reading(key="one"), brain_reading(key="two")))
    result = run("read", *given, "-o", tmp_path / "out", "--json")
    printed = [json.loads(line) for line in result.out.splitlines()]
    assert [item["study"]["key"] for item in printed] == ["one", "two"]
    assert printed[0] == json.loads((tmp_path / "out" / "one" / "reading.json").read_text())
    assert "Study two is refused: no series of this study is an MR image of the spine." in result.err


def test_a_study_without_a_spine_is_refused_with_4_and_still_written(run: Run, world: World, tmp_path: Path) -> None:
    given = world((brain_reading(),))
    result = run("read", *given, "-o", tmp_path / "out")
    assert result.code == 4
    assert "refused: no series of this study is an MR image of the spine" in result.out
    assert (tmp_path / "out" / "report.html").exists()
    assert (tmp_path / "out" / "reading.json").exists()


def with_warning(kind: NoticeKind) -> Reading:
    made = reading()
    return replace(made, study=replace(made.study, warnings=(Notice(kind=kind, text="A sentence."),)))


@pytest.mark.parametrize(
    ("made", "code"),
    [
        (reading(), 0),
        (lossy(), 3),
        (with_warning(NoticeKind.FILES_LOST), 3),
        (with_warning(NoticeKind.FILES_OF_ANOTHER_KIND), 0),
    ],
    ids=["whole", "unreadable slices", "lost files", "files of another kind"],
)
def test_lost_images_make_the_reading_partial(run: Run, world: World, tmp_path: Path, made: Reading, code: int) -> None:
    assert run("read", *world((made,)), "-o", tmp_path / "out").code == code


EMPTY = EmptyInputError("Input: expected DICOM images, got 0 files. Give the folder that holds the study.")


def test_a_bad_input_beside_a_good_one_is_partial(run: Run, world: World, tmp_path: Path) -> None:
    result = run("read", *world((EMPTY,), (reading(),)), "-o", tmp_path / "out")
    assert result.code == 3
    assert result.err.startswith(f"Error: Input 1 of 2: {EMPTY}\n")
    assert (tmp_path / "out" / "report.html").exists()


def test_a_bad_input_alone_fails(run: Run, world: World, tmp_path: Path) -> None:
    result = run("read", *world((EMPTY,)), "-o", tmp_path / "out")
    assert (result.code, result.err) == (1, f"Error: {EMPTY}\n")


@pytest.mark.parametrize("jobs", [1, 2])
def test_no_study_at_all_fails_with_any_number_of_jobs(run: Run, world: World, tmp_path: Path, jobs: int) -> None:
    assert run("read", *world((EMPTY,), (EMPTY,)), "-o", tmp_path / "out", "--jobs", jobs).code == 1


def test_a_bug_in_one_study_does_not_lose_the_others(
    run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = world((reading(key="bad"), reading(key="good")))
    whole = batch.read_study

    def fail(study: Study, *rest: Any, **more: Any) -> Reading:
        if study.key == "bad":
            raise ZeroDivisionError("^".join(["DOE", "JANE"]))
        return whole(study, *rest, **more)

    monkeypatch.setattr(batch, "read_study", fail)
    result = run("--verbose", "read", *given, "-o", tmp_path / "out")
    assert result.code == 3
    assert "Study bad: expected to be read, got ZeroDivisionError" in result.err
    assert "line" in result.err
    assert "DOE^JANE" not in result.err
    assert (tmp_path / "out" / "good" / "report.html").exists()


def test_an_earlier_result_is_kept_when_a_study_fails(
    run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = world((reading(),))
    assert run("read", *given, "-o", tmp_path / "out").code == 0
    before = {item.name: item.read_bytes() for item in (tmp_path / "out").iterdir()}

    def fail(*_: object, **__: object) -> None:
        raise PackError("Pack grade: expected a model, got none. Install it again.")

    monkeypatch.setattr(batch, "read_study", fail)
    assert run("read", *given, "-o", tmp_path / "out").code == 1
    assert {item.name: item.read_bytes() for item in (tmp_path / "out").iterdir()} == before


def test_an_earlier_report_does_not_stand_beside_a_new_reading(
    run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = world((reading(),))
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("an earlier one")

    def full(*_: object) -> None:
        raise OutputError("Output file: expected a writable folder, got a full disk. Choose another folder with -o.")

    monkeypatch.setattr("spinalis.formats.reading_json.write", full)
    assert run("read", *given, "-o", tmp_path / "out").code == 1
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing_half_written(
    run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    given = world((reading(key="first"), reading(key="second")))
    whole = batch.read_study

    def interrupted(study: Study, *rest: Any, **more: Any) -> Reading:
        if study.key == "second":
            signal.raise_signal(number)
        return whole(study, *rest, **more)

    monkeypatch.setattr(batch, "read_study", interrupted)
    result = run("read", *given, "-o", tmp_path / "out")
    assert result.code == 128 + number
    assert sorted(item.name for item in (tmp_path / "out" / "first").iterdir()) == ["reading.json", "report.html"]
    assert list((tmp_path / "out" / "second").iterdir()) == []


def test_an_interrupt_while_printing_ends_the_work_at_once(
    run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = world((reading(key="first"), reading(key="second")))
    ended: list[str] = []

    def read_all(*_: object) -> Iterator[SimpleNamespace]:
        try:
            yield SimpleNamespace(code=0, findings=())
            yield SimpleNamespace(code=0, findings=())
        finally:
            ended.append("closed")

    monkeypatch.setattr(cli, "_show", lambda *_, **__: signal.raise_signal(signal.SIGINT))
    monkeypatch.setattr(sys, "argv", ["spinalis", "read", *map(str, given), "-o", str(tmp_path / "out")])
    monkeypatch.setattr(batch, "read_all", read_all)
    with pytest.raises(SystemExit) as left:
        cli.main()
    assert left.value.code == 130
    assert ended == ["closed"]


def test_an_output_that_cannot_be_a_folder_fails_before_any_work(
    run: Run, world: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = world((reading(),))
    monkeypatch.setattr("spinalis.formats.read_studies", lambda _: pytest.fail("work was begun"))
    (tmp_path / "out").write_text("a file")
    result = run("read", *given, "-o", tmp_path / "out")
    assert result.code == 1
    assert result.err.startswith("Error: Output folder: expected a folder that can be made and written")


def test_a_folder_that_cannot_be_written_is_told_before_any_work(run: Run, world: World) -> None:
    result = run("read", *world((reading(),)), "-o", "/proc/spinalis")
    assert result.code == 1
    assert "Output folder: expected" in result.err


def test_missing_packs_are_told_before_any_work(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinalis.formats.read_studies", lambda _: pytest.fail("work was begun"))
    result = run("read", tmp_path, "-o", tmp_path / "out", "--packs", tmp_path)
    assert result.code == 1
    assert "Packs: expected sub-folders with pack.toml" in result.err


def test_triage_prints_a_table(run: Run, world: World) -> None:
    result = run("triage", *world((reading(),)))
    assert result.code == 0
    assert "header contradicts pixels: sequence" in result.out
    assert "sagittal 1.00" in result.out


def test_triage_prints_json_lines(run: Run, world: World) -> None:
    result = run("triage", *world((reading(key="one"), reading(key="two"))), "--json")
    assert [json.loads(line)["study"]["key"] for line in result.out.splitlines()] == ["one", "two"]


def test_triage_writes_csv(run: Run, world: World, tmp_path: Path) -> None:
    result = run("triage", *world((reading(),), (lossy(),)), "-o", tmp_path / "table.csv")
    assert result.code == 3
    rows = list(csv.DictReader((tmp_path / "table.csv").read_text().splitlines()))
    assert len(rows) == 6
    assert rows[1]["study"] == "a1b2c3d4"
    assert rows[1]["sequence"] == "T1w"
    assert rows[1]["sequence_probability"] == "0.8812"
    assert rows[1]["slices"] == "11"
    assert rows[1]["flags"] == "header_contradicts_pixels_sequence"


def test_triage_goes_on_after_a_bug_in_one_study(run: Run, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    given = world((reading(key="bad"), reading(key="good")))
    made = reading(key="good")

    def fail(study: Study, *_: object) -> Any:
        if study.key == "bad":
            raise ZeroDivisionError("^".join(["DOE", "JANE"]))
        return made.series

    monkeypatch.setattr("spinalis.pipeline.triage_study", fail)
    result = run("triage", *given)
    assert result.code == 3
    assert "Study bad: expected to be read, got ZeroDivisionError" in result.err
    assert "DOE^JANE" not in result.err
    assert "Study good" in result.out


def test_a_bug_outside_the_studies_is_told_without_its_text(
    run: Run, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = world((reading(),))

    def fail(_: Path) -> None:
        raise ZeroDivisionError("^".join(["DOE", "JANE"]))

    monkeypatch.setattr("spinalis.formats.read_studies", fail)
    result = run("--verbose", "triage", *given)
    assert result.code == 1
    assert "Spinalis: expected to finish, got ZeroDivisionError." in result.err
    assert "line" in result.err
    assert "DOE^JANE" not in result.err


def test_triage_into_a_table_says_why_it_is_partial(run: Run, world: World, tmp_path: Path) -> None:
    result = run("triage", *world((with_warning(NoticeKind.FILES_LOST),)), "-o", tmp_path / "t.csv")
    assert (result.code, result.err) == (3, "Warning: A sentence.\n")


def fake_pack() -> SimpleNamespace:
    info = PackInfo(name="triage-trunk", task="triage", version="0.2.0", sha256="ab" * 32)
    score = SimpleNamespace(output="plane", on="real", figures="F1 0.99 on 200 patients, no-skill 0.40")
    return SimpleNamespace(info=info, manifest=SimpleNamespace(scores=(score,)))


def test_packs_are_listed(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinalis.models.load_packs", lambda folder: (fake_pack(),))
    result = run("packs")
    assert result.code == 0
    assert all(word in result.out for word in ("triage-trunk", "0.2.0", "abababababab", "plane: real, F1 0.99"))


def test_packs_are_listed_as_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("spinalis.models.load_packs", lambda folder: (fake_pack(),))
    (pack,) = json.loads(run("packs", "--json").out)
    assert pack["sha256"] == "ab" * 32
    assert pack["scores"] == [{"output": "plane", "on": "real", "figures": "F1 0.99 on 200 patients, no-skill 0.40"}]


def simulator(
    monkeypatch: pytest.MonkeyPatch, simulate: Callable[..., Any], benchmark: Callable[..., Any] | None = None
) -> None:
    module = SimpleNamespace(simulate_to_folder=simulate, benchmark_to_folder=benchmark or simulate)
    monkeypatch.setitem(sys.modules, "spinalis.simulate.layouts", module)


def test_simulate_passes_its_options_on(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def simulate(folder: Path, *, progress: Callable[[int, int], None], **options: object) -> tuple[Path, ...]:
        asked.update(options)
        progress(1, 2)
        return (folder / "a", folder / "b")

    simulator(monkeypatch, simulate)
    result = run("simulate", "-o", tmp_path, "--studies", 2, "--seed", 7, "--jobs", 3)
    assert result == Result(code=0, out=f"{tmp_path / 'a'}\n{tmp_path / 'b'}\n", err="")
    assert asked == {"studies": 2, "seed": 7, "profile": "lumbar", "layout": "dicom", "jobs": 3, "compress": False}


def test_a_benchmark_takes_neither_studies_nor_seed(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []

    def benchmark(folder: Path, version: str, *, layout: str, jobs: int, progress: object) -> tuple[Path, ...]:
        asked.extend((version, layout, jobs))
        return (folder / "a",)

    simulator(monkeypatch, lambda *_, **__: (), benchmark)
    assert run("simulate", "-o", tmp_path, "--benchmark", "v1", "--jobs", 2).out == f"{tmp_path / 'a'}\n"
    assert asked == ["v1", "dicom", 2]
    for wrong in (("--benchmark", "v1", "--seed", 1), ("--studies", 3), ()):
        result = run("simulate", "-o", tmp_path, *wrong)
        assert (result.code, "--benchmark alone" in result.err) == (2, True)


def test_an_unknown_profile_fails(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def simulate(*_: object, **__: object) -> None:
        raise SimulationError("Profile: expected lumbar, got tail. Choose a known one.")

    simulator(monkeypatch, simulate)
    result = run("simulate", "-o", tmp_path, "--studies", 1, "--seed", 7, "--profile", "tail")
    assert (result.code, result.err) == (1, "Error: Profile: expected lumbar, got tail. Choose a known one.\n")


def test_a_missing_simulator_says_how_to_install_it(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in sys.modules if name.startswith("spinalis.simulate")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "numba", None)
    result = run("simulate", "-o", tmp_path, "--studies", 1, "--seed", 7)
    assert result.code == 1
    assert "pip install 'spinalis[simulate]'" in result.err


@pytest.mark.parametrize(
    ("error", "code"),
    [(EMPTY, 1), (OutputError(""), 1), (SimulationError(""), 1), (RecipeError(""), 1), (SpinalisError(""), 1)],
    ids=lambda item: type(item).__name__ if isinstance(item, Exception) else str(item),
)
def test_every_error_has_a_code(error: SpinalisError, code: int) -> None:
    assert exit_codes.of_error(error) == code


@pytest.mark.parametrize(
    ("codes", "code"), [([0, 0], 0), ([0, 4], 3), ([4, 4], 4), ([1, 0], 3), ([1, 1], 1), ([3], 3)], ids=str
)
def test_codes_of_several_studies_agree_or_are_partial(codes: list[int], code: int) -> None:
    assert exit_codes.of_all(codes) == code


class EndsItsProcess:
    """Something whose arrival in a worker kills the worker, as the kernel does when memory runs out."""

    def __reduce__(self) -> tuple[object, ...]:
        return os._exit, (9,)


def test_jobs_in_processes_keep_their_order_and_errors(tmp_path: Path) -> None:
    work = tuple(batch.Job(study=Study(key=key, series=()), folder=tmp_path, packs=tmp_path / "none") for key in "abc")
    told: list[float] = []
    outcomes = list(batch.read_all(work, 2, lambda _, share: told.append(share)))
    assert [outcome.study for outcome in outcomes] == ["a", "b", "c"]
    assert [outcome.code for outcome in outcomes] == [1, 1, 1]
    assert "Packs: expected sub-folders" in outcomes[2].error
    assert told[-1] == 1.0


def test_a_killed_process_is_an_error_of_its_study(tmp_path: Path) -> None:
    deadly = Study(key="big", series=(), warnings=(EndsItsProcess(),))  # type: ignore[arg-type]
    studies = (deadly, Study(key="small", series=()))
    work = tuple(batch.Job(study=study, folder=tmp_path, packs=tmp_path / "none") for study in studies)
    outcomes = list(batch.read_all(work, 2))
    assert [outcome.code for outcome in outcomes] == [1, 1]
    assert "got it ended from outside" in outcomes[0].error
    assert "Packs: expected sub-folders" in outcomes[1].error, "the other study must be read again alone"


def test_a_worker_that_is_told_to_end_does_not_go_on_to_the_next_study(tmp_path: Path) -> None:
    leaves = Study(key="ended", series=(), warnings=())
    job = batch.Job(study=leaves, folder=tmp_path, packs=None)
    code = (
        "import pickle, signal, sys; from spinalis.apps import batch, pool\n"
        "batch._packs = lambda folder: signal.raise_signal(signal.SIGTERM)\n"
        "pool.start_worker(30)\n"
        "pool.in_worker(batch.read_one, pickle.load(sys.stdin.buffer))"
    )
    assert subprocess.run([sys.executable, "-c", code], input=pickle.dumps(job), check=False).returncode == 143


def test_progress_tells_which_study_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []
    made = reading()
    monkeypatch.setattr(batch, "read_study", lambda study, packs, progress, **_: progress("triage", 0.5) or made)
    monkeypatch.setattr(batch, "_packs", lambda folder: ())
    work = tuple(batch.Job(study=made.study, folder=tmp_path, packs=None) for _ in range(2))
    assert [outcome.code for outcome in batch.read_all(work, 1, lambda stage, _: told.append(stage))] == [0, 0]
    assert told == ["study 1 of 2, triage", "study 2 of 2, triage"]


def on_a_terminal(code: str, **streams: Any) -> tuple[str, str]:
    """Run Python with stderr on a terminal: what that terminal showed, and what a piped stdout got."""
    ours, theirs = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "NO_COLOR": "1"}
    streams = {"stdout": subprocess.PIPE, **{name: theirs for name, shared in streams.items() if shared}}
    done = subprocess.run(
        [sys.executable, "-c", code], stderr=theirs, text=True, check=True, env=environment, **streams
    )
    shown = os.read(ours, 100_000).decode()
    os.close(ours)
    os.close(theirs)
    return shown, done.stdout or ""


BAR = """
from spinalis.apps import terminal
with terminal.ProgressBar("Reading") as bar:
    bar.tell("triage", 0.5)
    with bar.hidden():
        print("result")
    bar.tell("grade", 1.0)
"""


def test_the_progress_bar_leaves_a_piped_stdout_alone() -> None:
    shown, printed = on_a_terminal(BAR)
    assert printed == "result\n"
    assert "Reading: triage" in shown


def test_what_is_printed_stands_on_a_line_of_its_own() -> None:
    shown, _ = on_a_terminal(BAR, stdout=True)
    before = shown[: shown.index("result")]
    assert before.endswith(("\x1b[2K", "\x1b[2K\r", "\r"))


def test_without_a_terminal_there_is_no_bar() -> None:
    done = subprocess.run([sys.executable, "-c", BAR], capture_output=True, text=True, check=True)
    assert (done.stdout, done.stderr) == ("result\n", "")


def python(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_importing_spinalis_is_light() -> None:
    assert python(f"import sys, spinalis; print([name for name in {HEAVY} if name in sys.modules])") == "[]"


def test_help_loads_no_engine() -> None:
    code = (
        "import sys; from spinalis.apps import cli; sys.argv = ['spinalis', 'read', '--help']\n"
        "try: cli.main()\n"
        f"except SystemExit: print([name for name in {HEAVY} if name in sys.modules])"
    )
    assert python(code).splitlines()[-1] == "[]"
